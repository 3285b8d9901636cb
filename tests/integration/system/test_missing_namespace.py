"""A namespace that does not exist."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nicfleet import names
from nicfleet.reasons import Reason
from tests.controlplane.cluster import ControlPlane
from tests.integration.system.fleet import WITH_DRIVER
from tests.integration.system.product import Product, sections
from tests.integration.system.waiting import eventually

NAMESPACE = "elsewhere"
RIGHTS = f"--serviceaccount={names.DEFAULT_NAMESPACE}:nicfleet-coordinator"


@pytest.fixture
def elsewhere(plane: ControlPlane, tmp_path: Path) -> Iterator[Product]:
    """A coordinator outside of the namespace that it deploys into. Rights there can only be given once it is there."""
    product = Product(plane, tmp_path, f"--namespace={NAMESPACE}")
    yield product
    product.remove()
    plane.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")


def test_the_status_names_it_and_heals_when_it_is_created(elsewhere: Product) -> None:
    elsewhere.register("node")
    elsewhere.coordinator.start()
    elsewhere.simulated.report("node", WITH_DRIVER)

    elsewhere.apply(**sections("rdmaSharedDevicePlugin"))

    condition = eventually(lambda: (c := elsewhere.api.condition("Ready"))["reason"] == Reason.NamespaceMissing and c)
    assert f"kubectl create namespace {NAMESPACE}" in condition["message"]

    elsewhere.plane.kubectl("create", "namespace", NAMESPACE)
    elsewhere.plane.kubectl("create", "rolebinding", "x", "--clusterrole=admin", RIGHTS, f"--namespace={NAMESPACE}")
    elsewhere.wait_ready()
