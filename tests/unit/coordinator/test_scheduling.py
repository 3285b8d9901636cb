"""Node selector, affinity, taints and tolerations, one rule a row."""

from datetime import UTC, datetime
from typing import Any

import pytest

from coordinator.nodes import KubeNode, Taint
from coordinator.objects.scheduling import matches, place, untolerated


def node(name: str = "n1", taints: tuple[Taint, ...] = (), **labels: str) -> KubeNode:
    return KubeNode(name, f"uid-{name}", "1", datetime(2026, 1, 1, tzinfo=UTC), labels, taints=taints)


def affinity(*expressions: dict[str, Any], fields: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    term = {"matchExpressions": list(expressions), "matchFields": list(fields)}
    required = {"nodeSelectorTerms": [term]}
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, True, id="no-rule-matches-all"),
        pytest.param({"nodeSelector": {"a": "1"}}, True, id="selector-equal"),
        pytest.param({"nodeSelector": {"a": "2"}}, False, id="selector-other-value"),
        pytest.param({"nodeSelector": {"b": "1"}}, False, id="selector-absent-key"),
        pytest.param(affinity(expression("a", "In", "1", "2")), True, id="in"),
        pytest.param(affinity(expression("a", "NotIn", "1")), False, id="not-in"),
        pytest.param(affinity(expression("b", "NotIn", "1")), True, id="not-in-absent-key"),
        pytest.param(affinity(expression("a", "Exists")), True, id="exists"),
        pytest.param(affinity(expression("a", "DoesNotExist")), False, id="does-not-exist"),
        pytest.param(affinity(expression("a", "Gt", "0")), True, id="greater"),
        pytest.param(affinity(expression("a", "Lt", "1")), False, id="not-less"),
        pytest.param(affinity(expression("name", "Gt", "x")), False, id="greater-than-no-number"),
        pytest.param(affinity(expression("a", "Near", "1")), False, id="unknown-operator"),
        pytest.param(affinity(fields=(expression("metadata.name", "In", "n1"),)), True, id="by-node-name"),
        pytest.param(affinity(), False, id="empty-term-matches-nothing"),
    ],
)
def test_choice_of_nodes(spec: dict[str, Any], expected: bool) -> None:
    assert matches(spec, node(a="1")) is expected


@pytest.mark.parametrize(
    ("spec", "taint", "kept_out"),
    [
        pytest.param({}, Taint("k", "v", "NoSchedule"), True, id="no-toleration"),
        pytest.param({}, Taint("k", "v", "PreferNoSchedule"), False, id="prefer-never-keeps-out"),
        pytest.param({}, Taint("node.kubernetes.io/unschedulable", "", "NoSchedule"), False, id="cordon-is-tolerated"),
        pytest.param({}, Taint("node.kubernetes.io/not-ready", "", "NoSchedule"), True, id="not-ready-noschedule"),
        pytest.param({}, Taint("node.kubernetes.io/network-unavailable", "", "NoSchedule"), True, id="no-network"),
        pytest.param(
            {"hostNetwork": True},
            Taint("node.kubernetes.io/network-unavailable", "", "NoSchedule"),
            False,
            id="no-network-on-host-network",
        ),
        pytest.param({"tolerations": [{"operator": "Exists"}]}, Taint("k", "v", "NoExecute"), False, id="all"),
        pytest.param({"tolerations": [{"key": "k", "value": "v"}]}, Taint("k", "v", "NoSchedule"), False, id="equal"),
        pytest.param({"tolerations": [{"key": "k", "value": "w"}]}, Taint("k", "v", "NoSchedule"), True, id="unequal"),
        pytest.param(
            {"tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute"}]},
            Taint("k", "v", "NoSchedule"),
            True,
            id="other-effect",
        ),
    ],
)
def test_taints(spec: dict[str, Any], taint: Taint, kept_out: bool) -> None:
    assert untolerated(spec, (taint,)) == (taint if kept_out else None)


def test_place_tells_admitted_from_tainted_and_from_not_chosen() -> None:
    bad = Taint("dedicated", "infra", "NoSchedule")
    nodes = [node("c", nic="true"), node("a", nic="true"), node("b", (bad,), nic="true"), node("d")]

    placement = place({"nodeSelector": {"nic": "true"}}, nodes)

    assert placement.admitted == ("a", "c")
    assert placement.tainted == {"b": bad}


CORDON = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")
GONE = Taint("node.kubernetes.io/unreachable", "", "NoSchedule")
GONE_TOO = Taint("node.kubernetes.io/unreachable", "", "NoExecute")
UNREADY = Taint("node.kubernetes.io/not-ready", "", "NoExecute")
NO_NETWORK = Taint("node.kubernetes.io/network-unavailable", "", "NoSchedule")
SHUT_DOWN = Taint("node.cloudprovider.kubernetes.io/shutdown", "", "NoSchedule")
PRESSED = Taint("node.kubernetes.io/disk-pressure", "", "NoSchedule")
OUT_OF_SERVICE = Taint("node.kubernetes.io/out-of-service", "nodeshutdown", "NoExecute")
OWN = Taint("dedicated", "infra", "NoSchedule")
EVERYTHING = {"tolerations": [{"operator": "Exists"}]}


@pytest.mark.parametrize(
    ("spec", "taints", "where"),
    [
        pytest.param({}, (CORDON,), "admitted", id="cordoned"),
        pytest.param({}, (PRESSED,), "admitted", id="short-of-disk"),
        pytest.param({}, (GONE, GONE_TOO), "away", id="unreachable"),
        pytest.param({}, (CORDON, GONE, GONE_TOO), "away", id="unreachable-and-cordoned"),
        pytest.param({}, (UNREADY,), "away", id="not-ready"),
        pytest.param(EVERYTHING, (GONE, GONE_TOO), "away", id="unreachable-and-tolerated"),
        pytest.param({}, (SHUT_DOWN,), "away", id="shut-down"),
        pytest.param({}, (NO_NETWORK,), "away", id="no-network"),
        pytest.param({"hostNetwork": True}, (NO_NETWORK,), "admitted", id="no-network-and-no-need-of-it"),
        pytest.param({}, (OWN,), "tainted", id="by-a-person"),
        pytest.param({}, (GONE, GONE_TOO, OWN), "tainted", id="by-a-person-and-unreachable"),
        pytest.param({}, (GONE, GONE_TOO, OUT_OF_SERVICE), "tainted", id="out-of-service"),
        pytest.param(EVERYTHING, (OWN,), "admitted", id="by-a-person-and-tolerated"),
    ],
)
def test_only_a_persons_taint_leaves_a_node_out(spec: dict[str, Any], taints: tuple[Taint, ...], where: str) -> None:
    found = place(spec, [node("n1", taints)])
    assert {part: tuple(getattr(found, part)) for part in ("admitted", "tainted", "away") if getattr(found, part)} == {
        where: ("n1",)
    }
    assert found.chosen == (() if where == "tainted" else ("n1",))
