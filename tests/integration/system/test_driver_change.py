"""Another driver: asked for, brought by whoever replaces the pods, and taken away again."""

import pytest

from nicfleet import names
from nicfleet.reasons import Reason
from nicfleet.v1 import inventory_pb2
from tests import hosts
from tests.integration.system.api import WORKLOADS
from tests.integration.system.processes import Agent
from tests.integration.system.product import Product, sections
from tests.integration.system.waiting import eventually

PODS = f"/api/v1/namespaces/{names.DEFAULT_NAMESPACE}/pods?labelSelector={names.OFED_DRIVER_LABEL}"
NEWER = "24.10-0.7.0"


@pytest.fixture(scope="module")
def agent(product: Product) -> Agent:
    """A host with the driver that the example asks for."""
    product.coordinator.start()
    agent = product.agent("cx5", hosts.connectx5)
    agent.load_driver()
    product.apply(**sections("ofedDriver"))
    product.wait_ready()
    return agent


def test_a_changed_driver_waits_for_whoever_replaces_its_pods(product: Product, agent: Agent) -> None:
    """Behaviours 38, 54 and 55: no pod is replaced unasked, no node is cordoned, and ready is not said meanwhile."""
    pods = _uids(product)
    wanted = sections("ofedDriver")
    wanted["ofedDriver"]["version"] = f"{NEWER}.0.0"

    product.apply(**wanted)

    eventually(lambda: product.api.condition("OFEDDriverReady")["reason"] == Reason.DriverPodsOutdated)
    message = product.api.condition("OFEDDriverReady")["message"]
    assert "cx5" in message
    assert "kubectl" in message
    assert product.api.status()["state"] == "notReady"
    assert _uids(product) == pods
    assert product.api.labels("cx5")[names.WAIT_LABEL] == "false"  # the old driver serves until it is replaced

    product.plane.kubectl("delete", "pods", "-l", names.OFED_DRIVER_LABEL, f"--namespace={names.DEFAULT_NAMESPACE}")
    eventually(lambda: product.api.condition("OFEDDriverReady")["reason"] == Reason.DriverVersionDiffers)
    eventually(lambda: product.api.labels("cx5")[names.WAIT_LABEL] == "true")

    agent.load_driver(NEWER)
    product.wait_ready()
    eventually(lambda: product.api.labels("cx5")[names.DRIVER_VERSION_LABEL] == NEWER)
    eventually(lambda: product.api.labels("cx5")[names.WAIT_LABEL] == "false")


def test_a_node_that_takes_no_new_pods_keeps_its_driver(product: Product, agent: Agent) -> None:
    """A taint for maintenance, or a node that is not ready for a moment, ends no pod that runs."""
    pods = _uids(product)

    product.plane.kubectl("taint", "node", "cx5", "maintenance=soon:NoSchedule")
    eventually(lambda: "maintenance=soon:NoSchedule" in product.api.condition("OFEDDriverReady")["message"])

    assert _uids(product) == pods
    assert product.api.labels("cx5")[names.WAIT_LABEL] == "false"
    product.plane.kubectl("taint", "node", "cx5", "maintenance-")
    product.wait_ready()


def test_a_driver_that_nobody_asks_for_any_more_is_still_seen(product: Product, agent: Agent) -> None:
    """Behaviour 23: the DaemonSet is gone, the modules are what they are."""
    agent.load_driver()
    product.apply(**sections("rdmaSharedDevicePlugin"))

    eventually(lambda: not product.api.items(f"{WORKLOADS}/daemonsets?labelSelector={names.STATE_LABEL}=state-OFED"))
    product.wait_ready()

    eventually(lambda: product.node("cx5").driver_version == "23.04-0.5.3")
    assert product.node("cx5").driver_flavour == inventory_pb2.FLAVOUR_OFED
    eventually(lambda: product.api.labels("cx5")[names.WAIT_LABEL] == "false")  # when its last pod is gone


def _uids(product: Product) -> set[str]:
    return {pod["metadata"]["uid"] for pod in product.api.items(PODS)}
