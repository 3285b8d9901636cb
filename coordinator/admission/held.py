"""The states of stored policies that must stay as they are, whatever their sections say. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from coordinator.admission.cautions import misplacing
from coordinator.admission.conflicts import Holding, by_state, conflicts, states_asked
from coordinator.admission.rules import name_problems, states_of
from coordinator.nodes import KubeNode
from coordinator.objects.desired import section
from coordinator.objects.live import LiveObject
from coordinator.objects.served import Owner, ServedPolicy
from nicfleet.reasons import Finding, Reason

_DEPLOYMENTS_ONLY: Final = frozenset({"state-ib-kubernetes"})
"""States without a DaemonSet."""


def held_back(
    policies: Sequence[ServedPolicy], nodes: Iterable[KubeNode], running: Holding = ()
) -> Mapping[Owner, Mapping[str, Finding]]:
    """By policy and state, why it is not carried out: another policy came first, no object can have its name, or no
    pods can be where it wants them.

    The last would be found by the API server too, but for the driver: a choice of nodes that means nothing chooses
    none, and where no node is chosen, no DaemonSet is sent, and the running drivers go.
    """
    found = dict(by_state(conflicts(policies, nodes, running)))
    for policy in policies:
        if sentences := misplacing(policy):
            finding = Finding(Reason.InvalidSpec, "; ".join(sentences))
            found[policy.owner] = dict.fromkeys(_with_daemonset(policy), finding) | dict(found.get(policy.owner, {}))
        for problem in name_problems(policy):
            finding = Finding(Reason.InvalidSpec, problem.sentence)
            found[policy.owner] = dict.fromkeys(states_asked(policy), finding)
    return found


def holding(live: Iterable[LiveObject]) -> set[tuple[Owner, str]]:
    """Which policies have a workload of which state."""
    return {((owner.kind, owner.name), item.state) for item in live if item.workload for owner in item.policies}


def _with_daemonset(policy: ServedPolicy) -> Iterator[str]:
    """The states that a policy asks for and whose pods run where it says."""
    for state in states_of(policy):
        if state.name not in _DEPLOYMENTS_ONLY and section(policy.spec, state.field.removeprefix("spec.")) is not None:
            yield state.name
