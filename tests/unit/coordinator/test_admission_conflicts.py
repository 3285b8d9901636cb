"""What several policies ask for at once: who is refused, and in which words."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from coordinator.admission.conflicts import SHARED_SECTIONS, by_state, conflicts, conflicts_of
from coordinator.admission.held import held_back
from coordinator.nodes import KubeNode
from coordinator.objects.served import ServedPolicy
from coordinator.policy import NicClusterPolicy, NicNodePolicy
from coordinator.states import STATES
from nicfleet.reasons import Finding, Reason
from tests.unit.coordinator.inventories import kube_node
from tests.unit.coordinator.policies import image, node_policy, policy

NODES = [
    kube_node("n1", labels={"role": "gpu"}),
    kube_node("n2", labels={"role": "gpu", "rack": "7"}),
    kube_node("n3", labels={"role": "store", "rack": "7"}),
]
GPU = {"role": "gpu"}
STORE = {"role": "store"}
RACK = {"rack": "7"}


def served(found: NicClusterPolicy | NicNodePolicy, day: int | None = 1) -> ServedPolicy:
    """Created on that day of November; never, without one."""
    created = None if day is None else datetime(2026, 11, day, tzinfo=UTC)
    metadata = found.metadata.model_copy(update={"creation_timestamp": created})
    return replace(ServedPolicy.of(found), metadata=metadata)


def of_nodes(name: str, selector: dict[str, str] | None, day: int | None = 1, **sections: Any) -> ServedPolicy:
    return served(node_policy(name, selector, **(sections or {"ofedDriver": image()})), day)


def told(*policies: ServedPolicy, nodes: list[KubeNode] = NODES) -> dict[str, list[str]]:
    """Sentences by the name of the policy that is refused."""
    found = conflicts(policies, nodes)
    return {name: [conflict.message for conflict in each] for (_, name), each in found.items()}


def overlap(one: str, other: str, nodes: str) -> str:
    return (
        f"spec.nodeSelector of NicNodePolicy {one} and of NicNodePolicy {other} both choose {nodes}: "
        "change one of them, so that a node has one policy"
    )


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        pytest.param([of_nodes("a", GPU), of_nodes("b", STORE)], {}, id="no-node-in-common"),
        pytest.param(
            [of_nodes("a", GPU, 1), of_nodes("b", RACK, 2)], {"b": [overlap("a", "b", "node n2")]}, id="later-refused"
        ),
        pytest.param(
            [of_nodes("a", GPU, 2), of_nodes("b", RACK, 1)], {"a": [overlap("a", "b", "node n2")]}, id="whatever-name"
        ),
        pytest.param(
            [of_nodes("b", GPU), of_nodes("a", RACK)], {"b": [overlap("a", "b", "node n2")]}, id="at-once-by-name"
        ),
        pytest.param(
            [of_nodes("a", GPU, None), of_nodes("b", RACK, 9)],
            {"a": [overlap("a", "b", "node n2")]},
            id="not-created-yet",
        ),
        pytest.param(
            [of_nodes("a", GPU, 1), of_nodes("b", {}, 2)],
            {"b": [overlap("a", "b", "node n1 and 1 more")]},
            id="empty-selects-all",
        ),
        pytest.param(
            [of_nodes("a", None, 1), of_nodes("b", {}, 2)],
            {"b": [overlap("a", "b", "node n1 and 2 more")]},
            id="two-empty",
        ),
        pytest.param(
            [of_nodes("a", GPU, 1), of_nodes("b", RACK, 2), of_nodes("c", STORE, 3)],
            {"b": [overlap("a", "b", "node n2")], "c": [overlap("b", "c", "node n3")]},
            id="one-that-is-refused-itself-counts",
        ),
        pytest.param(
            [of_nodes("a", GPU, 1, ofedDriver=image()), of_nodes("b", RACK, 2, sriovDevicePlugin=image())],
            {"b": [overlap("a", "b", "node n2")]},
            id="no-section-in-common",
        ),
    ],
)
def test_overlap(policies: list[ServedPolicy], expected: dict[str, list[str]]) -> None:
    assert told(*policies) == expected
    assert told(*reversed(policies)) == expected


def test_without_nodes_nothing_overlaps() -> None:
    assert told(of_nodes("a", {}, 1), of_nodes("b", {}, 2), nodes=[]) == {}


def test_a_node_that_is_labelled_into_an_overlap_makes_one() -> None:
    policies = (of_nodes("a", GPU, 1), of_nodes("b", {"zone": "x"}, 2))
    assert told(*policies) == {}
    relabelled = [kube_node("n9", labels={"role": "gpu", "zone": "x"}), *NODES]
    assert told(*policies, nodes=relabelled) == {"b": [overlap("a", "b", "node n9")]}


CLUSTER = policy(ofedDriver=image(), rdmaSharedDevicePlugin=image(), nvIpam=image())


def both(section: str, where: str = ", which both speak for node n1 and 1 more") -> str:
    return (
        f"spec.{section} is in NicClusterPolicy nic-cluster-policy and in NicNodePolicy gpu{where}: "
        "leave it in one of them"
    )


@pytest.mark.parametrize(
    ("cluster_day", "node_day", "refused"),
    [
        pytest.param(1, 2, "gpu", id="node-policy-later"),
        pytest.param(2, 1, "nic-cluster-policy", id="cluster-policy-later"),
        pytest.param(1, 1, "nic-cluster-policy", id="at-once-by-name"),
    ],
)
def test_a_section_in_both_kinds(cluster_day: int, node_day: int, refused: str) -> None:
    gpu = of_nodes("gpu", GPU, node_day, ofedDriver=image(), sriovDevicePlugin=image())
    assert told(served(CLUSTER, cluster_day), gpu) == {refused: [both("ofedDriver")]}


def test_a_section_counts_whatever_is_in_it_and_wherever_its_nodes_are() -> None:
    nowhere = of_nodes("gpu", {"role": "none"}, 2, ofedDriver={"image": "x"})
    assert told(served(CLUSTER), nowhere) == {"gpu": [both("ofedDriver", "")]}


def test_every_section_is_told_by_itself() -> None:
    gpu = of_nodes("gpu", GPU, 2, ofedDriver=image(), rdmaSharedDevicePlugin=image())
    assert told(served(CLUSTER), gpu) == {"gpu": [both("ofedDriver"), both("rdmaSharedDevicePlugin")]}


def test_a_section_moves_to_whoever_waits_for_it() -> None:
    """The later policy is there already when the earlier one lets go: no time in which neither has it."""
    gpu = of_nodes("gpu", GPU, 2)
    before, after = served(CLUSTER, 1), served(policy(nvIpam=image()), 1)
    assert told(before, gpu) == {"gpu": [both("ofedDriver")]}
    assert told(after, gpu) == {}


def test_whoever_is_being_written_is_refused_in_the_same_words() -> None:
    gpu = of_nodes("gpu", GPU, 2)
    (stored,) = conflicts([served(CLUSTER, 1), gpu], NODES)["NicNodePolicy", "gpu"]
    assert conflicts_of(served(CLUSTER, 1), [gpu], NODES) == conflicts_of(gpu, [served(CLUSTER, 1)], NODES)
    assert conflicts_of(gpu, [gpu, served(CLUSTER, 1)], NODES) == (stored,)


def test_only_the_states_in_question_are_refused() -> None:
    gpu = of_nodes("gpu", GPU, 2, ofedDriver=image(), sriovDevicePlugin=image())
    found = by_state(conflicts([served(CLUSTER, 1), gpu], NODES))
    assert found == {
        ("NicNodePolicy", "gpu"): {"state-OFED": Finding(Reason.PolicyConflict, both("ofedDriver"), ("n1", "n2"))}
    }


def test_an_overlap_stops_all_that_the_later_policy_asks_for() -> None:
    rack = of_nodes("rack", RACK, 2, ofedDriver=image(), sriovDevicePlugin=image())
    finding = Finding(Reason.PolicyConflict, overlap("gpu", "rack", "node n2"), ("n2",))
    assert by_state(conflicts([of_nodes("gpu", GPU, 1), rack], NODES)) == {
        ("NicNodePolicy", "rack"): {"state-OFED": finding, "state-SRIOV-device-plugin": finding}
    }


def test_an_overlap_of_a_policy_that_asks_for_nothing_is_told_all_the_same() -> None:
    empty = served(node_policy("rack", RACK), 2)
    found = by_state(conflicts([of_nodes("gpu", GPU, 1), empty], NODES))
    assert set(found["NicNodePolicy", "rack"]) == set(SHARED_SECTIONS.values())


def test_a_state_with_two_conflicts_has_both_in_its_finding() -> None:
    rack = of_nodes("gpu", RACK, 3, ofedDriver=image())
    found = by_state(conflicts([served(CLUSTER, 1), of_nodes("a", GPU, 2, sriovDevicePlugin=image()), rack], NODES))
    assert found["NicNodePolicy", "gpu"]["state-OFED"] == Finding(
        Reason.PolicyConflict,
        f"{both('ofedDriver', ', which both speak for node n2 and 1 more')}; {overlap('a', 'gpu', 'node n2')}",
        ("n2", "n3"),
    )


def test_a_hundred_policies_that_all_choose_ten_thousand_nodes() -> None:
    """Each two of them compared by sets of names would take the test twelve seconds."""
    nodes = [kube_node(f"n{number:05}", labels={"role": "gpu"}) for number in range(10_000)]
    many = [of_nodes(f"p{number:03}", [GPU, {}][number % 2]) for number in range(100)]

    found = by_state(conflicts(many, nodes))

    last = found["NicNodePolicy", "p099"]["state-OFED"]
    assert last.nodes == tuple(node.name for node in nodes)
    every = [overlap(f"p{number:03}", "p099", "node n00000 and 9999 more") for number in range(5)]
    assert last.message == "; ".join(every) + "; and 94 more conflicts"
    assert len(found) == 99


def test_a_stored_policy_whose_name_is_too_long_is_held_back() -> None:
    found = held_back([of_nodes("n" * 31, GPU), of_nodes("rack", RACK, 2)], NODES)
    assert found["NicNodePolicy", "n" * 31] == {
        "state-OFED": Finding(
            Reason.InvalidSpec, "metadata.name has 31 characters: create a NicNodePolicy with a name of at most 30"
        )
    }
    assert found["NicNodePolicy", "rack"]["state-OFED"].reason is Reason.PolicyConflict


def test_the_shared_sections_are_those_of_node_policies() -> None:
    assert set(SHARED_SECTIONS.values()) == {state.name for state in STATES if state.per_node}


def test_a_section_added_to_an_older_policy_is_the_later_one_where_it_runs_for_another() -> None:
    """The age of an object is not that of its sections: what runs is not taken away for what is new."""
    cluster_wide, some = served(policy(ofedDriver=image())), of_nodes("some", GPU, 2)
    running = {(some.owner, "state-OFED")}
    assert list(conflicts([cluster_wide, some], NODES)) == [some.owner]
    assert list(conflicts([cluster_wide, some], NODES, running)) == [cluster_wide.owner]
    both = running | {(cluster_wide.owner, "state-OFED")}
    assert list(conflicts([cluster_wide, some], NODES, both)) == [some.owner]
