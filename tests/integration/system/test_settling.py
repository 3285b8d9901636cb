"""`ready` is never said too early: not before every agent had its time to report, nor before what it said was used."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from nicfleet import names
from nicfleet.reasons import Reason
from tests import hosts
from tests.integration.system.conftest import Behind
from tests.integration.system.fleet import NO_NIC, WITHOUT_DRIVER
from tests.integration.system.product import Product, example, sections
from tests.integration.system.waiting import eventually


def test_kubectl_wait_returns_only_when_every_agent_has_reported(fresh: Product) -> None:
    """All is rolled out and confirmed but for one node, which has not said whether it has a NIC at all."""
    fresh.register("slow")
    fresh.coordinator.start()
    fresh.apply(**example())
    eventually(lambda: fresh.api.condition("Ready")["reason"] == Reason.FleetSettling)
    fresh.agent("cx5", hosts.connectx5).load_driver()

    with _kubectl_wait(fresh) as waiting:
        eventually(lambda: "the agents of slow to report" in fresh.api.condition("Ready")["message"])
        eventually(lambda: fresh.api.daemonset("rdma-shared-dp-ds")["status"]["numberReady"] == 1)
        eventually(lambda: fresh.api.daemonset("kube-multus-ds")["status"]["numberReady"] == 2)
        assert fresh.api.condition("Ready")["reason"] == Reason.FleetSettling
        assert waiting.poll() is None

        fresh.simulated.report("slow", NO_NIC)

        assert waiting.wait(timeout=120) == 0
    assert fresh.api.status()["state"] == "ready"


def test_a_reported_nic_counts_before_its_label_is_written(behind: Behind) -> None:
    """Between the last report and the last label the API server knows no node with a NIC."""
    product = behind.product
    behind.network.delay = lambda request: 2.0 * (request.query.get("fieldManager") == names.LABELS_MANAGER)
    product.register("node")
    product.coordinator.start()
    product.apply(**sections("ofedDriver"))

    product.simulated.report("node", WITHOUT_DRIVER)

    eventually(lambda: product.api.condition("Ready")["reason"] == Reason.DriverNotLoaded)
    said = {line["reason"] for line in product.coordinator.logged("policy finding")}
    assert not said & {Reason.AllComponentsReady, Reason.ComponentReady}


@contextmanager
def _kubectl_wait(product: Product) -> Iterator["subprocess.Popen[bytes]"]:
    """`kubectl wait` beside the test."""
    kubectl = str(product.plane.kubectl_path)
    command = [kubectl, "wait", "--timeout=150s"]
    command += ["--for=condition=Ready", f"nicclusterpolicy/{names.POLICY_NAME}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=product.plane.environment) as waiting:
        try:
            yield waiting
        finally:
            waiting.kill()
