"""Supplement mode: Node Feature Discovery is there and labels what it knows of."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nicfleet import names
from nicfleet.reasons import Reason
from tests.controlplane.cluster import ControlPlane
from tests.integration.system.fleet import NO_NIC, WITH_DRIVER
from tests.integration.system.product import Product
from tests.integration.system.waiting import eventually

NFDS = {names.KERNEL_LABEL: "5.15.0-78-generic", names.OS_ID_LABEL: "ubuntu"}
"""What NFD provides here: the system, and by its configuration no network card."""


@pytest.fixture
def supplement(plane: ControlPlane, tmp_path: Path) -> Iterator[Product]:
    product = Product(plane, tmp_path, "--labels=supplement")
    yield product
    product.remove()


def test_only_what_nfd_does_not_provide_is_added(supplement: Product) -> None:
    """Behaviour 5: and the log of the node says that NFD did not provide it."""
    supplement.register("node")
    supplement.api.apply_labels("node", NFDS, "nfd-master")
    claimed = ",".join(key.removeprefix(names.NFD) for key in NFDS)
    supplement.plane.kubectl("annotate", "node", "node", f"{names.NFD_OWNED_ANNOTATION}={claimed}")
    supplement.coordinator.start()

    supplement.simulated.report("node", WITH_DRIVER)

    eventually(lambda: supplement.api.labels("node").keys() >= {names.NIC_LABEL, names.ETHERNET_LABEL})
    assert not _ours(supplement) & NFDS.keys()
    line = eventually(lambda: _said(supplement, Reason.LabelNotProvidedByNfd)[0])
    assert line["node"] == "node"
    assert names.NIC_LABEL in line["why"]

    supplement.plane.kubectl("annotate", "node", "node", f"{names.NFD_OWNED_ANNOTATION}=", "--overwrite")
    supplement.api.apply_labels("node", {}, "nfd-master")
    eventually(lambda: _ours(supplement) >= NFDS.keys())  # put back: the system is as it was
    assert supplement.api.labels("node").items() >= NFDS.items()

    supplement.simulated.report("node", NO_NIC)
    eventually(lambda: names.NIC_LABEL not in supplement.api.labels("node"))
    assert supplement.api.labels("node").items() >= NFDS.items()


def _said(product: Product, reason: Reason) -> list[dict[str, Any]]:
    return [line for line in product.coordinator.logged("node finding") if line["reason"] == reason]


def _ours(product: Product) -> set[str]:
    """The label keys that nicfleet's field manager owns."""
    managed = product.api.get("/api/v1/nodes/node")["metadata"]["managedFields"]
    (entry,) = [each for each in managed if each["manager"] == names.LABELS_MANAGER]
    return {key.removeprefix("f:") for key in entry["fieldsV1"]["f:metadata"]["f:labels"]}
