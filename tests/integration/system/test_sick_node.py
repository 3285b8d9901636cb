"""In a large cluster one node is always sick, and nodes come and go."""

import json
from dataclasses import replace
from typing import Any

from nicfleet import names
from nicfleet.reasons import Reason
from nicfleet.v1 import view_pb2
from tests.integration.system.api import NODES, WORKLOADS
from tests.integration.system.fleet import INBOX, WITH_DRIVER, WITHOUT_DRIVER
from tests.integration.system.product import Product, sections
from tests.integration.system.waiting import eventually

PLUGIN = "rdma-shared-dp-ds"


def test_one_node_whose_driver_fails_holds_up_no_other(fresh: Product) -> None:
    """Behaviour 13: the others have their driver and their device plugins, and the message names the one."""
    nodes = [f"node-{number:02}" for number in range(20)]
    sick, healthy = nodes[7], [*nodes[:7], *nodes[8:]]
    fresh.register(*nodes)
    fresh.coordinator.start()
    for node in nodes:
        fresh.simulated.report(node, WITHOUT_DRIVER if node == sick else WITH_DRIVER)

    fresh.apply(**sections("ofedDriver", "rdmaSharedDevicePlugin"))

    waiting = {**dict.fromkeys(healthy, "false"), sick: "true"}
    assert eventually(lambda: {node: fresh.api.labels(node)[names.WAIT_LABEL] for node in nodes} == waiting)
    eventually(lambda: fresh.api.daemonset(PLUGIN)["status"]["numberReady"] == len(healthy))
    eventually(lambda: _named(fresh, nodes) == {sick})
    eventually(lambda: f"waits for the driver on {sick}" in fresh.api.state("state-RDMA-device-plugin")["message"])


def test_a_node_whose_system_has_no_driver_image_does_all_else_with_the_inbox_driver(fresh: Product) -> None:
    """Behaviour 19."""
    rocky = replace(INBOX, node=replace(INBOX.node, os_id="rocky", os_version_id="9.3"))
    fresh.register("ubuntu", "rocky")
    fresh.coordinator.start()
    fresh.simulated.report("ubuntu", WITH_DRIVER)
    fresh.simulated.report("rocky", rocky)

    fresh.apply(**sections("ofedDriver", "rdmaSharedDevicePlugin"))

    eventually(lambda: fresh.api.condition("OFEDDriverReady")["reason"] == Reason.UnsupportedOperatingSystem)
    message = fresh.api.condition("OFEDDriverReady")["message"]
    assert "no driver image is built for rocky 9.3 (rocky), only for rhcos, rhel, sles, ubuntu" in message
    eventually(lambda: fresh.api.daemonset(PLUGIN)["status"]["numberReady"] == 2)
    eventually(lambda: fresh.api.state("state-RDMA-device-plugin")["state"] == "ready")
    assert fresh.api.labels("rocky")[names.WAIT_LABEL] == "false"
    eventually(lambda: [each["status"]["desiredNumberScheduled"] for each in _drivers(fresh)] == [1])


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
    fresh.wait_ready(seconds=35)  # it would take 40 s at least
    assert fresh.api.status()["state"] == "ready"


def test_an_unreachable_node_is_named_and_as_the_only_one_makes_a_policy_not_ready(fresh: Product) -> None:
    """Its taint keeps new pods away, as a person's would, and of no node that is left a pod is missing."""
    fresh.register("alone")
    fresh.coordinator.start()
    fresh.simulated.report("alone", WITH_DRIVER)
    fresh.apply(**sections("ofedDriver"))
    fresh.wait_ready()

    fresh.simulated.stop("alone")
    _lose(fresh, "alone")

    eventually(lambda: fresh.api.condition("Ready")["reason"] == Reason.NodeNotReady)
    assert fresh.api.status()["state"] == "notReady"
    said = "alone: the kubelet does not answer, and the agent's last word is old"
    eventually(lambda: said in fresh.api.condition("OFEDDriverReady")["message"])
    eventually(lambda: fresh.api.condition("Verified")["status"] == "False")
    assert fresh.api.labels("alone")[names.WAIT_LABEL] == "false"

    fresh.register("other")
    fresh.simulated.report("other", WITH_DRIVER)

    eventually(lambda: fresh.api.status()["state"] == "ready")
    eventually(lambda: f"NodeNotReady: {said}" in fresh.api.state("state-OFED")["message"])
    eventually(lambda: fresh.api.condition("Verified")["reason"] == Reason.NodeSilent)
    assert fresh.api.condition("Verified")["status"] == "False"
    assert fresh.api.status()["state"] == "ready"

    fresh.plane.kubectl("taint", "node", "alone", "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute")

    eventually(lambda: fresh.api.condition("Verified")["status"] == "True")
    eventually(lambda: "NodeExcludedByTaint" in fresh.api.condition("Ready")["message"])


def _named(product: Product, nodes: list[str]) -> set[str]:
    """Those of the nodes that the driver's condition names as those without it."""
    condition = product.api.condition("OFEDDriverReady")
    assert condition["reason"] == Reason.DriverNotLoaded
    return {node for node in nodes if node in condition["message"]}


def _drivers(product: Product) -> list[dict[str, Any]]:
    return [each for each in product.api.items(f"{WORKLOADS}/daemonsets") if each["metadata"]["name"] != PLUGIN]


def _lose(product: Product, node: str) -> None:
    """Nobody plays its kubelet any more, and its heartbeats are missed already."""
    product.plane.kubectl("annotate", "node", node, "kwok.x-k8s.io/node-")
    unknown = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "no news"}
    patch = json.dumps({"status": {"conditions": [unknown]}})
    product.plane.kubectl("patch", "node", node, "--subresource=status", "--type=strategic", "-p", patch)
    taints = {"node.kubernetes.io/unreachable"}
    eventually(lambda: {each["key"] for each in product.api.get(f"{NODES}/{node}")["spec"].get("taints", ())} == taints)
