"""`network.nvidia.com/operator.mofed.wait`: workloads that need the driver go when, and only when, it can be used."""

import time
from collections.abc import Callable

import pytest

from nicfleet import names
from nicfleet.reasons import Reason
from tests import host_driver, hosts
from tests.integration.system.api import WORKLOADS
from tests.integration.system.fleet import INBOX, WITH_DRIVER, WITHOUT_DRIVER
from tests.integration.system.processes import Agent
from tests.integration.system.product import Product, sections
from tests.integration.system.waiting import eventually

TRIES = 20
"""One that is quick is enough: in question is whether something is polled for, not how busy this machine is."""


@pytest.fixture(scope="module")
def agent(product: Product) -> Agent:
    """A host with the kernel's driver, known to the coordinator."""
    product.coordinator.start()
    agent = product.agent("cx5", hosts.connectx5)
    eventually(lambda: _waits(product, "cx5") == "false")
    return agent


def test_without_a_policy_nothing_waits(product: Product, agent: Agent) -> None:
    """Behaviour 7: within a second of the first report."""
    nodes = [f"new-{number}" for number in range(TRIES)]
    product.register(*nodes)

    assert any(_seconds_to(product, node, "false", _reports(product, node)) < 1.0 for node in nodes)


def test_the_label_follows_the_driver_also_while_another_state_is_in_error(product: Product, agent: Agent) -> None:
    """Behaviours 8 and 9: from the report of the loaded driver to the label is under a second."""
    broken = sections("ofedDriver", "rdmaSharedDevicePlugin")
    broken["rdmaSharedDevicePlugin"]["config"] = "{"
    product.apply(**broken)
    eventually(lambda: product.api.state("state-RDMA-device-plugin")["state"] == "error")
    product.register("new-0")

    assert any(_seconds_from_load_to_label(product, "new-0") < 1.0 for _ in range(TRIES))
    agent.load_driver()
    eventually(lambda: _waits(product, "cx5") == "false")
    assert product.api.state("state-RDMA-device-plugin")["state"] == "error"


def test_after_a_boot_with_a_new_kernel_a_left_over_ready_file_is_not_believed(product: Product, agent: Agent) -> None:
    """Behaviour 24."""
    product.apply(**sections("ofedDriver"))
    agent.load_driver()
    eventually(lambda: _waits(product, "cx5") == "false")
    agent.kill()
    agent.unload_driver()
    host_driver.set_ready(agent.root, True)
    agent.tree.write("proc/sys/kernel/osrelease", "6.9.0-1-generic")
    agent.tree.write("proc/sys/kernel/random/boot_id", "0a1f6a52-6b3e-4f0e-8f0d-5f2a8f2f6aff")

    agent.start()

    eventually(lambda: _waits(product, "cx5") == "true")
    pods = f"/api/v1/namespaces/{names.DEFAULT_NAMESPACE}/pods?fieldSelector=spec.nodeName=cx5,status.phase=Running"
    eventually(lambda: product.api.items(pods))  # a driver pod for that kernel runs, and claims to be ready
    assert _waits(product, "cx5") == "true"
    eventually(lambda: "6.9.0-1-generic" in _kernels(product))  # a new kernel is enough to make its pool

    agent.load_driver()
    eventually(lambda: _waits(product, "cx5") == "false")


def test_devices_that_are_missing_for_a_moment_end_nothing(product: Product, agent: Agent) -> None:
    """A firmware reset unbinds the functions, and what performs it runs where nothing has to wait. The status tells."""
    product.apply(**sections("ofedDriver"))
    agent.load_driver()
    eventually(lambda: _waits(product, "cx5") == "false")
    product.wait_ready()
    product.audit.mark()

    for device in agent.tree.names("sys/class/infiniband"):
        agent.tree.remove_rdma_device(device)

    eventually(lambda: product.api.condition("OFEDDriverReady")["reason"] == Reason.CharDevicesMissing)
    assert product.audit.labels() == []
    agent.load_driver()
    product.wait_ready()


def _waits(product: Product, node: str) -> str | None:
    return product.api.labels(node).get(names.WAIT_LABEL)


def _kernels(product: Product) -> set[str]:
    """Those of the driver's pools on whose nodes something runs."""
    pools = product.api.items(f"{WORKLOADS}/daemonsets?labelSelector={names.STATE_LABEL}=state-OFED")
    selectors = (pool["spec"]["template"]["spec"]["nodeSelector"] for pool in pools if pool["status"]["numberReady"])
    return {selector[names.KERNEL_LABEL] for selector in selectors}


def _reports(product: Product, node: str) -> Callable[[], None]:
    return lambda: product.simulated.report(node, INBOX)


def _seconds_from_load_to_label(product: Product, node: str) -> float:
    product.simulated.report(node, WITHOUT_DRIVER)
    eventually(lambda: _waits(product, node) == "true")
    return _seconds_to(product, node, "false", lambda: product.simulated.report(node, WITH_DRIVER))


def _seconds_to(product: Product, node: str, value: str, deed: Callable[[], None]) -> float:
    began = time.monotonic()
    deed()
    eventually(lambda: _waits(product, node) == value)
    return time.monotonic() - began
