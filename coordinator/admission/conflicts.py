"""What several policies ask for at once: of each two, the later one is not carried out. Pure.

A section may be in the NicClusterPolicy or in NicNodePolicies, and each node may be chosen by one NicNodePolicy, as
with upstream's operator. Only nodes that exist now count, so a node that is labelled into an overlap makes one.
"""

from bisect import insort
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from itertools import compress
from operator import or_
from typing import Final

from coordinator.nodes import KubeNode
from coordinator.objects.served import Owner, ServedPolicy
from coordinator.policy import NicClusterPolicySpec
from nicfleet.reasons import Finding, Reason, first_of

SHARED_SECTIONS: Final[Mapping[str, str]] = {
    "ofedDriver": "state-OFED",
    "rdmaSharedDevicePlugin": "state-RDMA-device-plugin",
    "sriovDevicePlugin": "state-SRIOV-device-plugin",
}
"""The sections that both kinds of policy have, each with its state."""

_CLUSTER_WIDE: Final = "NicClusterPolicy"
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Nodes:
    """Some of the cluster's nodes, each a bit of one number: two choices of ten thousand are compared in a microsecond.

    everyone   all of the cluster's nodes, sorted
    bits       the lowest is the first of them
    """

    everyone: tuple[str, ...]
    bits: int

    def __len__(self) -> int:
        return self.bits.bit_count()

    def __and__(self, other: "Nodes") -> "Nodes":
        return Nodes(self.everyone, self.bits & other.bits)

    def __or__(self, other: "Nodes") -> "Nodes":
        return Nodes(self.everyone, self.bits | other.bits)

    @property
    def first(self) -> str:
        """Of the sorted names; there must be one."""
        return self.everyone[(self.bits & -self.bits).bit_length() - 1]

    @property
    def names(self) -> tuple[str, ...]:
        """Sorted."""
        return tuple(compress(self.everyone, map("1".__eq__, f"{self.bits:b}"[::-1])))


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why a policy is not carried out beside another one.

    message   one sentence that names both, whichever is refused
    states    the refused policy's states that are not carried out
    nodes     all nodes that both speak for
    """

    message: str
    states: tuple[str, ...]
    nodes: Nodes


Holding = Collection[tuple[Owner, str]]
"""Which policies have something running, each with the state."""


def conflicts(
    policies: Sequence[ServedPolicy], nodes: Iterable[KubeNode], holding: Holding = ()
) -> Mapping[Owner, tuple[Conflict, ...]]:
    """The conflicts of each policy with earlier ones; a policy without any is left out.

    Earlier is who was created first and, of two at once, who comes first by name; but a section that is added to a
    policy later than it runs for another one is the later of the two. One that is not carried out itself counts all
    the same: who is to blame must not depend on third parties.
    """
    found: defaultdict[Owner, list[Conflict]] = defaultdict(list)
    chosen = _Chosen(nodes)
    earlier: list[ServedPolicy] = []
    taken: defaultdict[str, int] = defaultdict(int)
    for policy in sorted(policies, key=_age):
        bits = chosen.by(policy).bits
        # Mostly each policy has nodes of its own, and none of its kind is asked.
        others = earlier if bits & taken[policy.kind] else [other for other in earlier if other.kind != policy.kind]
        taken[policy.kind] |= bits
        for other in others:
            for conflict in _between(policy, other, chosen):
                first = policy.kind != other.kind and _is_first(policy, other, conflict, holding)
                found[other.owner if first else policy.owner].append(conflict)
        insort(earlier, policy, key=lambda one: one.owner)
    return {owner: tuple(each) for owner, each in found.items()}


def _is_first(policy: ServedPolicy, other: ServedPolicy, conflict: Conflict, holding: Holding) -> bool:
    """Only this one of the two has the section running."""
    return all((policy.owner, state) in holding and (other.owner, state) not in holding for state in conflict.states)


def conflicts_of(
    policy: ServedPolicy, others: Iterable[ServedPolicy], nodes: Iterable[KubeNode]
) -> tuple[Conflict, ...]:
    """The conflicts of one policy with these others, whatever their age."""
    chosen = _Chosen(nodes)
    found: list[Conflict] = []
    for other in sorted(others, key=lambda other: other.owner):
        if other.owner != policy.owner:
            found += _between(policy, other, chosen)
    return tuple(found)


class _Chosen:
    """The nodes that policies choose. Each policy, and each label that they ask for, is looked at once."""

    def __init__(self, nodes: Iterable[KubeNode]) -> None:
        self._nodes = sorted(nodes, key=lambda node: node.name)
        self._everyone = tuple(node.name for node in self._nodes)
        self._by_label: dict[str, Mapping[str, int]] = {}
        self._found: dict[Owner, Nodes] = {}

    def by(self, policy: ServedPolicy) -> Nodes:
        if policy.owner not in self._found:
            bits = (1 << len(self._nodes)) - 1
            for key, value in policy.scope.node_selector.items():
                bits &= self._labelled(key).get(value, 0)
            self._found[policy.owner] = Nodes(self._everyone, bits)
        return self._found[policy.owner]

    def _labelled(self, key: str) -> Mapping[str, int]:
        """The nodes by their value of a label, as bits."""
        if key not in self._by_label:
            found: defaultdict[str, int] = defaultdict(int)
            for place, node in enumerate(self._nodes):
                if key in node.labels:
                    found[node.labels[key]] |= 1 << place
            self._by_label[key] = found
        return self._by_label[key]


def _between(policy: ServedPolicy, other: ServedPolicy, chosen: _Chosen) -> list[Conflict]:
    """The conflicts of two policies, told of the first of these."""
    one, two = sorted((policy, other), key=lambda each: each.owner)
    if one.kind == two.kind:
        return _overlap(one, two, chosen, policy)
    return _same_sections(one, two, chosen)


def by_state(conflicts: Mapping[Owner, tuple[Conflict, ...]]) -> Mapping[Owner, Mapping[str, Finding]]:
    """The findings of each policy's states, for its status."""
    return {owner: _findings(found) for owner, found in conflicts.items()}


def _findings(conflicts: Iterable[Conflict]) -> dict[str, Finding]:
    of_state: defaultdict[str, list[Conflict]] = defaultdict(list)
    for conflict in conflicts:
        for state in conflict.states:
            of_state[state].append(conflict)
    return {
        state: Finding(
            Reason.PolicyConflict,
            first_of([conflict.message for conflict in found], "conflicts"),
            reduce(or_, (conflict.nodes for conflict in found)).names,
        )
        for state, found in of_state.items()
    }


def _same_sections(cluster_wide: ServedPolicy, node_policy: ServedPolicy, chosen: _Chosen) -> list[Conflict]:
    sections = [section for section in sections_of(node_policy.spec) if section in sections_of(cluster_wide.spec)]
    if not sections:
        return []
    shared = chosen.by(cluster_wide) & chosen.by(node_policy)
    both = f"{_title(cluster_wide)} and in {_title(node_policy)}"
    where = f", which both speak for {_some(shared)}" if shared else ""
    return [
        Conflict(f"spec.{section} is in {both}{where}: leave it in one of them", (SHARED_SECTIONS[section],), shared)
        for section in sections
    ]


def _overlap(one: ServedPolicy, other: ServedPolicy, chosen: _Chosen, refused: ServedPolicy) -> list[Conflict]:
    if one.kind == _CLUSTER_WIDE:
        return []  # only one of them is acted on
    shared = chosen.by(one) & chosen.by(other)
    if not shared:
        return []
    message = (
        f"spec.nodeSelector of {_title(one)} and of {_title(other)} both choose {_some(shared)}: "
        "change one of them, so that a node has one policy"
    )
    return [Conflict(message, states_asked(refused), shared)]


def sections_of(spec: NicClusterPolicySpec) -> tuple[str, ...]:
    """Which of the shared sections a policy has; an empty one counts."""
    sections = {
        "ofedDriver": spec.ofed_driver,
        "rdmaSharedDevicePlugin": spec.rdma_shared_device_plugin,
        "sriovDevicePlugin": spec.sriov_device_plugin,
    }
    return tuple(name for name, section in sections.items() if section is not None)


def states_asked(policy: ServedPolicy) -> tuple[str, ...]:
    """Those that it asks for; all, when it asks for none, so that there is somewhere to tell it."""
    return tuple(SHARED_SECTIONS[name] for name in sections_of(policy.spec)) or tuple(SHARED_SECTIONS.values())


def _some(nodes: Nodes) -> str:
    more = len(nodes) - 1
    return f"node {nodes.first}" + (f" and {more} more" if more else "")


def _title(policy: ServedPolicy) -> str:
    return f"{policy.kind} {policy.metadata.name}"


def _age(policy: ServedPolicy) -> tuple[datetime, str, str]:
    return policy.metadata.creation_timestamp or _NEVER, policy.metadata.name, policy.kind
