"""What a user reads of resources: missing, too few, matched by nothing, handed out twice; the whole chain of checks."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from coordinator.fleet.plugin_view import plugin_view
from coordinator.fleet.views import ResourceCount
from coordinator.plugins.prediction import Miss, Overlap, Prediction, Step
from coordinator.plugins.predictions import Predictions
from coordinator.verdicts.checks.resources import resource_counts, short_nodes
from coordinator.verdicts.patience import Patience
from coordinator.verdicts.readiness import Level, judge
from coordinator.verdicts.resources import Plugin, PluginState, resource_views, unpredicted
from coordinator.verdicts.view import NodeView, ResourceView, StateView
from nicfleet.inventory import Function, PciAddress
from nicfleet.reasons import Finding, Reason
from tests.unit.coordinator import inventories as i
from tests.unit.coordinator.views import node, pod, silent, view, workload

T = TypeVar("T")

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
LOST = "the kubelet may have lost the plugin, or the plugin may have started too early; delete its pod there"
STALE = "the plugin may have started before all was there; delete its pod there"
NO_NAME = Miss(Step.INTERFACE, 2, ("ens9",), ("ens1", "ens2"))
NO_UMAD = Miss(Step.CHAR_DEVICES, 2, (), ("umad",))
HCA, VF = "rdma/hca", "nvidia.com/vf"


def offering(name: str, **allocatable: int) -> NodeView:
    """A node that offers units of HCA and VF."""
    units = {{"hca": HCA, "vf": VF}[key]: count for key, count in allocatable.items()}
    usual = node(name)
    return replace(usual, kube=replace(usual.kube, allocatable=units))


def each(nodes: str, value: T) -> dict[str, T]:
    """The same for nodes named by a letter."""
    return dict.fromkeys(nodes, value)


def plugin(
    *nodes: NodeView,
    predicted: Mapping[str, Mapping[str, Prediction | None]],
    overlaps: Mapping[str, tuple[Overlap, ...]] | None = None,
    overdue: str | None = None,
    **changes: Any,
) -> StateView:
    """A plugin's state, rolled out; `overdue` are the letters of nodes, all of them by default."""
    late = frozenset(node_view.kube.name for node_view in nodes) if overdue is None else frozenset(overdue)
    resources = ResourceView(predicted, overlaps or {}, late)
    return view(*nodes, driver=None, name="state-SRIOV-device-plugin", resources=resources, **changes)


@pytest.mark.parametrize(
    ("state", "sentence", "nodes"),
    [
        pytest.param(
            plugin(offering("a"), predicted={"a": {VF: Prediction(8, 8)}}),
            f"{VF}: 0 of 8 units are allocatable on a; {LOST}",
            ("a",),
            id="after a restart of the kubelet",
        ),
        pytest.param(
            plugin(offering("a", vf=2), offering("b", vf=8), predicted=each("ab", {VF: Prediction(8, 8)})),
            f"{VF}: 2 of 8 units are allocatable on a; {STALE}",
            ("a",),
            id="fewer than the evidence shows",
        ),
        pytest.param(
            plugin(*map(offering, "abc"), predicted=each("abc", {HCA: Prediction(2, 63)}), overdue="ac"),
            f"{HCA}: 0 of 63 units are allocatable on a, c; {LOST}",
            ("a", "c"),
            id="only the nodes on which it lasts",
        ),
        pytest.param(
            plugin(
                offering("a", vf=1),
                offering("b"),
                predicted={"a": {VF: Prediction(8, 8), HCA: Prediction(1, 63)}, "b": {HCA: Prediction(miss=NO_UMAD)}},
            ),
            f"{VF}: 1 of 8 units are allocatable on a; {STALE}; {HCA}: 0 of 63 units are allocatable on a; {LOST}; "
            f"{HCA}: no unit is allocatable on b: the 2 functions that match lack the character devices umad; "
            "load ib_umad",
            ("a", "b"),
            id="several resources and causes",
        ),
    ],
)
def test_units_that_are_missing_make_the_state_not_ready(
    state: StateView, sentence: str, nodes: tuple[str, ...]
) -> None:
    verdict = judge(state)

    assert verdict.level is Level.NOT_READY
    assert verdict.degraded
    assert verdict.finding == Finding(Reason.ResourceMissing, sentence, nodes)


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(
            plugin(offering("a", vf=8, hca=63), predicted={"a": {VF: Prediction(8, 8), HCA: Prediction(1, 63)}}),
            id="as predicted",
        ),
        pytest.param(plugin(offering("a", vf=9), predicted={"a": {VF: Prediction(8, 8)}}), id="more than predicted"),
        pytest.param(plugin(offering("a"), predicted={"a": {VF: Prediction(8, 8)}}, overdue=""), id="not for long"),
        pytest.param(plugin(offering("a"), predicted={"a": {VF: None}}), id="not to be predicted"),
        pytest.param(plugin(offering("a"), predicted={"a": {VF: Prediction(uncertain=8)}}), id="not certain"),
        pytest.param(plugin(offering("a"), predicted={}), id="no evidence"),
        pytest.param(plugin(offering("a"), predicted={"a": {HCA: Prediction(2, 0)}}), id="a resource of no units"),
        pytest.param(view(node("a"), driver=None), id="another state"),
    ],
)
def test_nothing_is_said_without_contrary_evidence(state: StateView) -> None:
    verdict = judge(state)

    assert (verdict.level, verdict.findings) == (Level.READY, ())


@pytest.mark.parametrize(
    ("state", "reason", "sentence", "nodes"),
    [
        pytest.param(
            plugin(*map(offering, "ab"), predicted=each("ab", {HCA: Prediction(miss=NO_NAME)})),
            Reason.ResourceUnmatched,
            f"{HCA} gets nothing on a, b: the 2 functions that come nearest have interface ens1, ens2, not ens9",
            ("a", "b"),
            id="on all nodes",
        ),
        pytest.param(
            plugin(
                offering("a"),
                offering("b", hca=63),
                offering("c"),
                offering("d"),
                predicted={
                    "a": {HCA: Prediction(miss=NO_NAME)},
                    "b": {HCA: Prediction(1, 63)},
                    "c": {HCA: Prediction(miss=Miss(Step.VENDOR, 0))},
                    "d": {HCA: Prediction(miss=NO_NAME)},
                },
            ),
            Reason.ResourceUnmatched,
            f"{HCA} gets nothing on c, unlike 1 other node: no NVIDIA network function is there; {HCA} gets nothing "
            "on a, d, unlike 1 other node: the 2 functions that come nearest have interface ens1, ens2, not ens9",
            ("a", "c", "d"),
            id="on some nodes",
        ),
        pytest.param(
            plugin(
                offering("a", vf=1),
                predicted={"a": {VF: Prediction(1, 1)}},
                overlaps={"a": (Overlap(HCA, VF, 1, "0000:3b:00.2"),)},
            ),
            Reason.ResourceOverlap,
            f"{HCA} and {VF} both offer 0000:3b:00.2 on a; keep them apart by selectors",
            ("a",),
            id="one function of both plugins",
        ),
        pytest.param(
            plugin(
                *(offering(name, vf=8) for name in "ab"),
                predicted=each("ab", {VF: Prediction(8, 8)}),
                overlaps=each("ab", (Overlap(HCA, VF, 8, "0000:3b:00.2"),)),
            ),
            Reason.ResourceOverlap,
            f"{HCA} and {VF} both offer 8 functions, 0000:3b:00.2 first, on a, b; keep them apart by selectors",
            ("a", "b"),
            id="many functions of both plugins",
        ),
        pytest.param(
            plugin(
                *(offering(name, vf=8) for name in "abcdefg"),
                predicted={name: {VF: Prediction(8, 8, zero_guids=count)} for count, name in enumerate("abcdefg")},
            ),
            Reason.VfGuidZero,
            f"{VF} has InfiniBand VFs whose GUID is zero: 1 on b, 2 on c, 3 on d, 4 on e, 5 on f and on 1 more; "
            "give each a GUID before a pod gets it",
            tuple("bcdefg"),
            id="infiniband VFs without a GUID",
        ),
    ],
)
def test_what_is_worth_knowing_is_a_note(
    state: StateView, reason: Reason, sentence: str, nodes: tuple[str, ...]
) -> None:
    verdict = judge(state)

    assert verdict.level is Level.READY
    assert verdict.notes == (Finding(reason, sentence, nodes),)


def test_a_resource_that_is_there_all_the_same_is_not_called_unmatched() -> None:
    state = plugin(offering("a", hca=63), predicted={"a": {HCA: Prediction(miss=NO_NAME)}})

    assert judge(state).findings == ()


def test_the_missing_registration_directory_is_told_first() -> None:
    kubelet = {"volumes": [{"hostPath": {"path": "/var/lib/kubelet/device-plugins"}}]}
    bare = node("a", plugin_directories=())
    state = plugin(
        bare, predicted={"a": {VF: Prediction(8, 8)}}, workloads=(workload("a", name="dp", pod_spec=kubelet),)
    )

    finding = judge(state).finding

    assert finding is not None
    assert finding.reason is Reason.RegistrationDirectoryMissing


@pytest.mark.parametrize(
    ("changes", "short"),
    [
        pytest.param({}, ("a", "b"), id="rolled-out"),
        pytest.param({"just_applied": True}, (), id="just-applied"),
        pytest.param({"live": None}, (), id="not-there"),
        pytest.param({"pods": (pod("b", ready=True),), "count": 1}, ("b",), id="where-its-pod-is-ready"),
    ],
)
def test_time_runs_only_where_the_plugin_is_ready(changes: dict[str, Any], short: tuple[str, ...]) -> None:
    count = changes.pop("count", 2)
    running = workload("a", "b", live={"desired": 2, "updated": count, "ready": count})
    state = plugin(
        *map(offering, "ab"),
        predicted=each("ab", {VF: Prediction(8, 8)}),
        workloads=(replace(running, **changes),),
    )

    assert short_nodes(state) == short


def test_what_each_node_has_is_told_together_for_those_that_have_the_same() -> None:
    state = plugin(
        offering("a", vf=8),
        offering("b", vf=8),
        offering("c", vf=2),
        predicted={
            "a": {VF: Prediction(8, 8), HCA: None},
            "b": {VF: Prediction(8, 8), HCA: Prediction(miss=NO_NAME)},
            "c": {VF: Prediction(8, 8, uncertain=1), HCA: None},
        },
    )
    why = "the 2 functions that come nearest have interface ens1, ens2, not ens9"

    assert resource_counts(state) == (
        ResourceCount(VF, 8, 0, 8, 8, "", ("a", "b")),
        ResourceCount(VF, 8, 1, 8, 2, "", ("c",)),
        ResourceCount(HCA, None, 0, 0, 0, "", ("a", "c")),
        ResourceCount(HCA, 0, 0, 0, 0, why, ("b",)),
    )
    assert resource_counts(view(node("a"))) == ()


# From configurations and evidence to views.

RDMA_CONFIG = json.dumps({"configList": [{"resourceName": "hca", "rdmaHcaMax": 63, "devices": ["ens1f0np0"]}]})
SRIOV_CONFIG = json.dumps(
    {"resourceList": [{"resourceName": "nic", "resourcePrefix": "a.example", "selectors": {"vendors": ["15b3"]}}]}
)


def seen(name: str, *functions: Function, **facts: Any) -> NodeView:
    return node(name, plugin_view=plugin_view(i.inventory(*functions, driver=i.ofed())), **facts)


PORT = i.connectx6dx()
BOTH = (
    PluginState("rdma", Plugin.RDMA, RDMA_CONFIG, ("a", "b", "quiet", "partial")),
    PluginState("sriov", Plugin.SRIOV, SRIOV_CONFIG, ("a", "c")),
)


def fleet() -> dict[str, NodeView]:
    quiet = replace(silent("quiet"), facts=seen("quiet", PORT).facts)
    nodes = (seen("a", PORT), seen("b", PORT), seen("c", PORT), quiet, seen("partial", PORT, partial=True))
    return {node_view.kube.name: node_view for node_view in nodes}


def test_each_plugin_is_predicted_where_it_runs_and_an_agent_sees_all() -> None:
    views = resource_views(BOTH, fleet(), Predictions())

    hca, nic = {HCA: Prediction(1, 63)}, {"a.example/nic": Prediction(1, 1)}
    assert views["rdma"] == ResourceView({"a": hca, "b": hca})
    overlap = Overlap(HCA, "a.example/nic", 1, PciAddress("0000:3b:00.0"))
    assert views["sriov"] == ResourceView({"a": nic, "c": nic}, {"a": (overlap,)})


def test_predictions_can_be_made_step_by_step_before() -> None:
    predictions = Predictions()

    assert len(list(unpredicted(BOTH, fleet(), predictions))) == 3  # a with both plugins, b and c with one each
    assert list(unpredicted(BOTH, fleet(), predictions)) == []


# Patience.

GRACE = timedelta(seconds=30)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_only_what_lasts_is_told() -> None:
    patience = Patience()

    assert patience.lasting("x", {"a"}, NOW, GRACE) == set()
    assert patience.next(NOW) == after(30)
    assert patience.lasting("x", {"a", "b"}, after(20), GRACE) == set()
    assert patience.lasting("x", {"a", "b"}, after(30), GRACE) == {"a"}
    assert patience.next(after(30)) == after(50)
    assert patience.lasting("x", {"a", "b"}, after(50), GRACE) == {"a", "b"}
    assert patience.next(after(50)) is None


def test_what_was_over_for_a_while_starts_anew() -> None:
    patience = Patience()

    patience.lasting("x", {"a"}, NOW, GRACE)
    patience.lasting("x", (), after(20), GRACE)

    assert patience.lasting("x", {"a"}, after(40), GRACE) == set()
    assert patience.next(after(40)) == after(70)


def test_subjects_are_apart_and_can_be_forgotten() -> None:
    patience = Patience()
    for subject in "xy":
        patience.lasting(subject, {"a"}, NOW, GRACE)

    patience.keep("x")

    assert patience.lasting("x", {"a"}, after(40), GRACE) == {"a"}
    assert patience.lasting("y", {"a"}, after(40), GRACE) == set()


def test_what_stood_in_the_status_before_a_restart_still_stands() -> None:
    patience = Patience()

    assert patience.lasting("x", {"a"}, NOW, GRACE, told=True) == {"a"}
    assert patience.lasting("x", {"a", "b"}, after(1), GRACE, told=True) == {"a"}


def test_the_first_look_after_a_restart_lasts_until_every_agent_had_its_time() -> None:
    """The usual first pass comes before the first agent: that nobody is short by then means nothing."""
    patience = Patience()

    assert patience.lasting("x", (), NOW, GRACE, told=True, settled=False) == set()
    assert patience.lasting("x", {"a"}, after(2), GRACE, told=True, settled=False) == {"a"}
    assert patience.lasting("x", {"a", "b"}, after(4), GRACE, told=True) == {"a", "b"}
    assert patience.lasting("x", {"a", "b", "c"}, after(5), GRACE, told=True) == {"a", "b"}


def test_a_node_that_appears_later_has_its_grace_whatever_was_told() -> None:
    patience = Patience()

    patience.lasting("x", {"a"}, NOW, GRACE, told=True)

    assert patience.lasting("x", {"a", "b"}, after(5), GRACE, told=True, settled=False) == {"a"}
    assert patience.lasting("x", {"a", "b"}, after(35), GRACE, told=True) == {"a", "b"}


def test_what_was_not_told_needs_no_settled_fleet_for_its_grace() -> None:
    patience = Patience()

    patience.lasting("x", {"a"}, NOW, GRACE, settled=False)

    assert patience.lasting("x", {"a"}, after(30), GRACE) == {"a"}
