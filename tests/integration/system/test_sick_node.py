"""In a large cluster one node is always sick, and nodes come and go."""

from nicfleet import names
from nicfleet.reasons import Reason
from nicfleet.v1 import view_pb2
from tests.integration.system.api import NODES
from tests.integration.system.fleet import WITH_DRIVER, WITHOUT_DRIVER
from tests.integration.system.product import Product, sections
from tests.integration.system.waiting import eventually


def test_one_node_whose_driver_fails_holds_up_no_other(fresh: Product) -> None:
    """Behaviour 13: the others have their driver and their device plugins, and the message names the one."""
    nodes = [f"node-{number:02}" for number in range(20)]
    sick, healthy = nodes[7], [*nodes[:7], *nodes[8:]]
    fresh.register(*nodes)
    fresh.coordinator.start()
    for node in nodes:
        fresh.simulated.report(node, WITHOUT_DRIVER if node == sick else WITH_DRIVER)

    fresh.apply(**sections("ofedDriver", "rdmaSharedDevicePlugin"))

    eventually(lambda: fresh.api.daemonset("rdma-shared-dp-ds")["status"]["numberReady"] == len(healthy))
    waiting = {node: fresh.api.labels(node)[names.WAIT_LABEL] for node in nodes}
    assert waiting == {**dict.fromkeys(healthy, "false"), sick: "true"}
    driver = eventually(lambda: (c := fresh.api.condition("OFEDDriverReady"))["reason"] == Reason.DriverNotLoaded and c)
    assert sick in driver["message"]
    assert not any(node in driver["message"] for node in healthy)
    eventually(lambda: f"waits for the driver on {sick}" in fresh.api.state("state-RDMA-device-plugin")["message"])


def test_a_node_that_leaves_the_cluster_takes_nothing_from_readiness(fresh: Product) -> None:
    """The DaemonSet goes on counting it, until its pods are collected a minute later."""
    fresh.register("stays", "leaves")
    fresh.coordinator.start()
    for node in ("stays", "leaves"):
        fresh.simulated.report(node, WITH_DRIVER)
    fresh.apply(**sections("ofedDriver"))
    fresh.wait_ready()

    fresh.simulated.stop("leaves")
    fresh.api.delete(f"{NODES}/leaves")

    eventually(lambda: [node.name for node in fresh.view.ListNodes(view_pb2.ListNodesRequest()).nodes] == ["stays"])
    fresh.apply(**sections("ofedDriver", "rdmaSharedDevicePlugin"))
    eventually(lambda: fresh.api.condition("Ready")["observedGeneration"] == 2)
    fresh.wait_ready(seconds=20)
    assert fresh.api.status()["state"] == "ready"
