"""Networks in the whole product: what the agents see of a master reaches the network that builds on it."""

from typing import Any

import pytest

from nicfleet.names import API_GROUP, API_VERSION
from tests import hosts
from tests.integration.system.product import Product
from tests.integration.system.waiting import eventually

KINDS = "macvlannetworks,ipoibnetworks"


@pytest.fixture(scope="module", autouse=True)
def _running(product: Product) -> Any:
    product.coordinator.start()
    product.agent("ib", hosts.connectx6_infiniband)
    yield
    product.plane.kubectl("delete", KINDS, "--all")


def network(product: Product, kind: str, name: str, **spec: Any) -> None:
    product.plane.apply(
        {"apiVersion": f"{API_GROUP}/{API_VERSION}", "kind": kind, "metadata": {"name": name}, "spec": spec}
    )


def status(product: Product, kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = product.plane.get(kind, name).get("status", {})
    return found


def test_a_master_that_does_not_fit_is_told_with_its_node(product: Product) -> None:
    network(product, "MacvlanNetwork", "over-infiniband", master="ibs3f1")
    network(product, "IPoIBNetwork", "ipoib", master="ibs3f1")

    eventually(lambda: "InfiniBand" in status(product, "macvlannetwork", "over-infiniband")["reason"])
    eventually(lambda: status(product, "macvlannetwork", "over-infiniband")["state"] == "ready")
    eventually(lambda: status(product, "ipoibnetwork", "ipoib")["state"] == "ready")
    link = status(product, "ipoibnetwork", "ipoib")["ipoibNetworkAttachmentDef"]
    assert link == "k8s.cni.cncf.io/v1/namespaces/default/NetworkAttachmentDefinition/ipoib"


def test_a_restarted_coordinator_writes_nothing_to_a_network(product: Product) -> None:
    times = len(product.coordinator.logged("watches in sync"))
    product.audit.mark()
    product.coordinator.restart()
    eventually(lambda: len(product.coordinator.logged("watches in sync")) > times)
    network(product, "IPoIBNetwork", "another", master="ibs3f0")
    eventually(lambda: status(product, "ipoibnetwork", "another")["state"] == "ready")
    assert eventually(lambda: _written(product) == {"another"})


def _written(product: Product) -> set[str]:
    return {write.name for write in product.audit.writes() if "network" in write.resource}


def test_a_mistake_is_refused_in_the_status_and_what_exists_stays(product: Product) -> None:
    network(product, "IPoIBNetwork", "ipoib", master="ibs3f1", ipam='{"type": "static",}')

    eventually(lambda: status(product, "ipoibnetwork", "ipoib")["state"] == "error")
    assert "spec.ipam is not valid JSON at line 1, column" in status(product, "ipoibnetwork", "ipoib")["reason"]
    assert product.plane.get("network-attachment-definition", "ipoib")
