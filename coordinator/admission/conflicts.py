"""What several policies ask for at once: of each two, the later one is not carried out. Pure.

A section may be in the NicClusterPolicy or in NicNodePolicies, and each node may be chosen by one NicNodePolicy, as
with upstream's operator. Only nodes that exist now count, so a node that is labelled into an overlap makes one.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from coordinator.nodes import KubeNode
from coordinator.objects.served import Owner, ServedPolicy
from coordinator.policy import NicClusterPolicySpec
from nicfleet.reasons import Finding, Reason

SHARED_SECTIONS: Final[Mapping[str, str]] = {
    "ofedDriver": "state-OFED",
    "rdmaSharedDevicePlugin": "state-RDMA-device-plugin",
    "sriovDevicePlugin": "state-SRIOV-device-plugin",
}
"""The sections that both kinds of policy have, each with its state."""

_CLUSTER_WIDE: Final = "NicClusterPolicy"
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why a policy is not carried out beside another one.

    message   one sentence that names both, whichever is refused
    states    the refused policy's states that are not carried out
    nodes     all nodes that both speak for, sorted
    """

    message: str
    states: tuple[str, ...]
    nodes: tuple[str, ...]


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
    found: defaultdict[Owner, tuple[Conflict, ...]] = defaultdict(tuple)
    chosen = _Chosen(nodes)
    in_order = sorted(policies, key=_age)
    for index, policy in enumerate(in_order):
        for other in sorted(in_order[:index], key=lambda other: other.owner):
            for conflict in _conflicts_of(policy, [other], chosen):
                first = policy.kind != other.kind and _is_first(policy, other, conflict, holding)
                later = other if first else policy
                found[later.owner] = (*found[later.owner], conflict)
    return dict(found)


def _is_first(policy: ServedPolicy, other: ServedPolicy, conflict: Conflict, holding: Holding) -> bool:
    """Only this one of the two has the section running."""
    return all((policy.owner, state) in holding and (other.owner, state) not in holding for state in conflict.states)


def conflicts_of(
    policy: ServedPolicy, others: Iterable[ServedPolicy], nodes: Iterable[KubeNode]
) -> tuple[Conflict, ...]:
    """The conflicts of one policy with these others, whatever their age."""
    return _conflicts_of(policy, others, _Chosen(nodes))


class _Chosen:
    """The nodes that policies choose. Ten thousand nodes for every two policies: each policy asks them once."""

    def __init__(self, nodes: Iterable[KubeNode]) -> None:
        self._nodes = tuple(nodes)
        self._found: dict[Owner, frozenset[str]] = {}

    def by(self, policy: ServedPolicy) -> frozenset[str]:
        if policy.owner not in self._found:
            wanted = policy.scope.node_selector.items()
            self._found[policy.owner] = frozenset(node.name for node in self._nodes if wanted <= node.labels.items())
        return self._found[policy.owner]

    def by_both(self, one: ServedPolicy, other: ServedPolicy) -> tuple[str, ...]:
        """Sorted. Most policies cannot meet, as they ask for two values of one label; then no node is asked."""
        wanted = one.scope.node_selector
        if any(wanted.get(key, value) != value for key, value in other.scope.node_selector.items()):
            return ()
        return tuple(sorted(self.by(one) & self.by(other)))


def _conflicts_of(policy: ServedPolicy, others: Iterable[ServedPolicy], chosen: _Chosen) -> tuple[Conflict, ...]:
    found: list[Conflict] = []
    for other in sorted(others, key=lambda other: other.owner):
        if other.owner == policy.owner:
            continue
        first, second = sorted((policy, other), key=lambda one: one.owner)
        if first.kind == second.kind:
            found += _overlap(first, second, chosen, states_asked(policy))
        else:
            found += _same_sections(first, second, chosen)
    return tuple(found)


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
            "; ".join(conflict.message for conflict in found),
            tuple(sorted({node for conflict in found for node in conflict.nodes})),
        )
        for state, found in of_state.items()
    }


def _same_sections(cluster_wide: ServedPolicy, node_policy: ServedPolicy, chosen: _Chosen) -> list[Conflict]:
    sections = [section for section in sections_of(node_policy.spec) if section in sections_of(cluster_wide.spec)]
    if not sections:
        return []
    shared = chosen.by_both(cluster_wide, node_policy)
    both = f"{_title(cluster_wide)} and in {_title(node_policy)}"
    where = f", which both speak for {_some(shared)}" if shared else ""
    return [
        Conflict(f"spec.{section} is in {both}{where}: leave it in one of them", (SHARED_SECTIONS[section],), shared)
        for section in sections
    ]


def _overlap(one: ServedPolicy, other: ServedPolicy, chosen: _Chosen, states: tuple[str, ...]) -> list[Conflict]:
    if one.kind == _CLUSTER_WIDE:
        return []  # only one of them is acted on
    shared = chosen.by_both(one, other)
    if not shared:
        return []
    message = (
        f"spec.nodeSelector of {_title(one)} and of {_title(other)} both choose {_some(shared)}: "
        "change one of them, so that a node has one policy"
    )
    return [Conflict(message, states, shared)]


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


def _some(nodes: Sequence[str]) -> str:
    more = len(nodes) - 1
    return f"node {nodes[0]}" + (f" and {more} more" if more else "")


def _title(policy: ServedPolicy) -> str:
    return f"{policy.kind} {policy.metadata.name}"


def _age(policy: ServedPolicy) -> tuple[datetime, str, str]:
    return policy.metadata.creation_timestamp or _NEVER, policy.metadata.name, policy.kind
