"""Which labels of nodes a plan names: those that move, and those that change hands."""

from dataclasses import replace
from typing import Any

import pytest

from cli.plan.labels import label_plans
from cli.plan.report import LabelPlan
from cli.plan.seen import Seen
from coordinator.labels.rules import Mode
from nicfleet import names
from tests.unit.cli.plan.clusters import applied, called, document, driver, of_nodes, outlooks
from tests.unit.coordinator.inventories import connectx6dx, inventory, ofed

POLICY = document(ofedDriver=driver())
SETTLED = applied(of_nodes(called("one", inventory(connectx6dx(), driver=ofed()))), POLICY)
NIC, KERNEL, VENDOR = names.NIC_LABEL, names.KERNEL_LABEL, f"{names.NFD}cpu-model.vendor_id"
NFDS = ("nfd-master",)


def with_node(**changed: Any) -> Seen:
    """The cluster with all in step, but for this of its node."""
    return replace(SETTLED, nodes=(replace(SETTLED.nodes[0], **changed),))


def without(*keys: str) -> dict[str, str]:
    return {key: value for key, value in SETTLED.nodes[0].labels.items() if key not in keys}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(SETTLED, [], id="all-in-step"),
        pytest.param(
            with_node(labels=without(NIC), owned=frozenset(without(NIC))),
            [LabelPlan(NIC, "", "true", ("one",))],
            id="lacking",
        ),
        pytest.param(
            with_node(labels={**SETTLED.nodes[0].labels, KERNEL: "4.18.0"}, others={KERNEL: NFDS}),
            [LabelPlan(KERNEL, "4.18.0", "5.15.0-78-generic", ("one",), NFDS)],
            id="stale",
        ),
        pytest.param(
            with_node(labels={**SETTLED.nodes[0].labels, names.INFINIBAND_LABEL: "true"}),
            [LabelPlan(names.INFINIBAND_LABEL, "true", "", ("one",))],
            id="untrue",
        ),
        pytest.param(
            with_node(owned=SETTLED.nodes[0].owned - {NIC}, others={NIC: NFDS}),
            [LabelPlan(NIC, "true", "true", ("one",), NFDS)],
            id="taken-over",
        ),
        pytest.param(with_node(others={NIC: NFDS}), [], id="already-of-both"),
        pytest.param(
            with_node(labels={**SETTLED.nodes[0].labels, VENDOR: "Intel"}, others={VENDOR: NFDS}), [], id="only-nfds"
        ),
        pytest.param(
            replace(with_node(owned=frozenset(), others={NIC: NFDS}, nfd_keys={NIC}), mode=Mode.SUPPLEMENT),
            [],
            id="nfds-beside-nfd",
        ),
        pytest.param(replace(with_node(labels=without(NIC)), inventories={}), [], id="without-an-agent"),
        pytest.param(replace(with_node(labels=without(NIC)), server=""), [], id="without-a-cluster"),
    ],
)
def test_label_plans(seen: Seen, expected: list[LabelPlan]) -> None:
    assert list(label_plans(seen, outlooks(seen, POLICY)[1])) == expected
