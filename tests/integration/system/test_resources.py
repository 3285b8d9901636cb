"""What nodes offer of a device plugin's resources, against what their agents see."""

import json
from typing import Any

import yaml

from nicfleet.reasons import Reason
from nicfleet.v1 import view_pb2
from tests.integration.system.product import Product
from tests.integration.system.waiting import eventually
from tests.unit.coordinator.inventories import connectx6dx, inventory, ofed, port, rdma, virtual_function

RESOURCE = "nvidia.com/hostdev"
NODES = ("few", "full", "none")
STATE = "state-SRIOV-device-plugin"
PLUGIN = {"image": "sriov-network-device-plugin", "repository": "ghcr.io/k8snetworkplumbingwg", "version": "v3.9.0"}


def test_a_node_that_offers_less_than_its_agent_sees_is_named_once_its_time_is_over(product: Product) -> None:
    """Behaviours 26, 29 and 34: the plugin's pods look healthy all the while."""
    for node in NODES:
        product.register(node, resources={})
    product.coordinator.start()
    for node in NODES:
        product.simulated.report(node, two_functions())
    offer(product, "few", 1)
    offer(product, "full", 2)

    product.apply(sriovDevicePlugin=PLUGIN | {"config": config({"vendors": ["15b3"], "isRdma": True})})

    product.wait_ready()  # a plugin has its time to register
    eventually(lambda: product.api.condition("Ready")["reason"] == Reason.ResourceMissing, 120)
    eventually(lambda: f"{RESOURCE}: 1 of 2 units are allocatable on few" in product.api.state(STATE)["message"])
    eventually(lambda: f"{RESOURCE}: 0 of 2 units are allocatable on none" in product.api.state(STATE)["message"])
    assert "full" not in product.api.state(STATE)["message"]
    assert {(count.resource, tuple(count.nodes), count.functions, count.allocatable) for count in counts(product)} == {
        (RESOURCE, ("few",), 2, 1),
        (RESOURCE, ("full",), 2, 2),
        (RESOURCE, ("none",), 2, 0),
    }

    before = product.api.status()
    product.coordinator.kill()
    for node in NODES:
        product.simulated.stop(node)
    product.coordinator.start()  # which must not begin to wait anew, although it sees nobody at first
    eventually(lambda: product.judged() == "notReady")
    for node in NODES:
        product.simulated.report(node, two_functions())
    eventually(lambda: missing_on(product) == ["few", "none"])
    assert product.api.status() == before  # also the times in it: it was never ready

    offer(product, "few", 2)
    offer(product, "none", 2)
    product.wait_ready()


def test_a_selector_that_takes_nothing_is_told_with_what_came_near(product: Product) -> None:
    """Behaviour 34, and the commonest mistake: an address where a device ID belongs."""
    mistaken = config({"vendors": ["15b3"], "devices": ["0000:3b:00.0"]}, "mistaken")

    product.apply(sriovDevicePlugin=PLUGIN | {"config": mistaken})

    eventually(lambda: "nvidia.com/mistaken gets nothing on few, full, none" in product.api.state(STATE)["message"])
    assert "a PCI address and no device ID" in product.api.state(STATE)["message"]


def config(selectors: dict[str, Any], name: str = "hostdev") -> str:
    resource = {"resourcePrefix": "nvidia.com", "resourceName": name, "selectors": selectors}
    return json.dumps({"resourceList": [resource]})


def two_functions() -> Any:
    """A PF that is whole, and a VF of another one."""
    return inventory(
        connectx6dx(netdevs=(port("ens1f0"),)),
        connectx6dx("0000:5e:00.0", sriov_num_vfs=1, netdevs=(port("ens3f0np0"),), rdma_devices=(rdma("mlx5_1"),)),
        virtual_function("0000:5e:00.2", netdevs=(port("ens3f0v0"),), rdma_devices=(rdma("mlx5_2"),)),
        driver=ofed(),
    )


def offer(product: Product, node: str, count: int) -> None:
    """What the kubelet says after the plugin has registered."""
    eventually(lambda: product.plane.get("node", node)["status"].get("allocatable"))
    patch = yaml.safe_dump({"status": {"allocatable": {RESOURCE: str(count)}, "capacity": {RESOURCE: str(count)}}})
    product.plane.kubectl("patch", "node", node, "--subresource=status", f"--patch={patch}")


def counts(product: Product) -> list[view_pb2.ResourceCount]:
    status = product.view.GetPolicyStatus(view_pb2.GetPolicyStatusRequest(), timeout=30)
    (state,) = (state for state in status.states if state.name == STATE)
    return list(state.resources)


def missing_on(product: Product) -> list[str]:
    """The nodes that are short in the latest verdict."""
    status = product.view.GetPolicyStatus(view_pb2.GetPolicyStatusRequest(), timeout=30)
    (state,) = (state for state in status.states if state.name == STATE)
    return list(state.nodes) if state.finding.reason == Reason.ResourceMissing else []
