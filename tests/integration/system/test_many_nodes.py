"""Two thousand labelled nodes, and a coordinator that cannot list them at first."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from nicfleet import names
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.components import APISERVER, ETCD
from tests.integration.coordinator.proxy import Answer
from tests.integration.system.api import NODES, Api
from tests.integration.system.audit import Write
from tests.integration.system.conftest import Behind
from tests.integration.system.faults import faulty
from tests.integration.system.fleet import NO_NIC
from tests.integration.system.product import Product, account, install
from tests.integration.system.waiting import eventually

NAMES = [f"node-{number:04}" for number in range(2000)]
OURS = {names.NIC_LABEL: "true", names.WAIT_LABEL: "false", f"{names.GENERATION_PREFIX}connectx-6": "true"}
HANDS = 4


@pytest.fixture
def labelled(tmp_path: Path) -> Iterator[Behind]:
    """Bare Nodes with labels of an earlier coordinator, where no controller does anything with a Node."""
    with ControlPlane(components=(ETCD, APISERVER)) as plane:
        install(plane)
        with ThreadPoolExecutor(HANDS) as hands:
            list(hands.map(lambda hand: _label(plane, NAMES[hand::HANDS]), range(HANDS)))
        with faulty(account(plane), tmp_path) as (network, kubeconfig):
            product = Product(plane, tmp_path, kubeconfig=kubeconfig)
            yield Behind(product, network)
            product.stop()


def test_no_label_goes_when_the_coordinator_restarts_and_lists_fail(labelled: Behind) -> None:
    """Behaviour 1: no agent is heard yet, and absence in a broken list means nothing."""
    product, network = labelled.product, labelled.network
    failures = iter([Answer(504, "the list took too long"), Answer(429, "too many requests"), None, None])
    network.answer = lambda request: next(failures, None) if request.path == NODES else None
    network.delay = lambda request: 1.0 * (request.path == NODES)
    product.audit.mark()

    product.coordinator.start()
    network.cut()
    product.coordinator.restart()
    product.simulated.report(NAMES[0], NO_NIC)

    eventually(lambda: names.NIC_LABEL not in product.api.labels(NAMES[0]))
    assert eventually(lambda: product.audit.labels() == [Write("patch", "nodes", NAMES[0])])
    left = [node["metadata"]["labels"] for node in product.api.items(NODES)]
    assert sum(labels.items() >= OURS.items() for labels in left) == len(NAMES) - 1


def _label(plane: ControlPlane, nodes: list[str]) -> None:
    with closing(Api(plane)) as api:
        for node in nodes:
            api.apply_labels(node, OURS, names.LABELS_MANAGER)
