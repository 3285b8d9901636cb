"""The states of stored policies that must stay as they are, whatever their sections say. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from coordinator.admission.conflicts import by_state, conflicts, states_asked
from coordinator.admission.rules import name_problems
from coordinator.nodes import KubeNode
from coordinator.objects.served import Owner, ServedPolicy
from nicfleet.reasons import Finding, Reason


def held_back(policies: Sequence[ServedPolicy], nodes: Iterable[KubeNode]) -> Mapping[Owner, Mapping[str, Finding]]:
    """By policy and state, why it is not carried out: another policy came first, or no object can have its name."""
    found = dict(by_state(conflicts(policies, nodes)))
    for policy in policies:
        for problem in name_problems(policy):
            finding = Finding(Reason.InvalidSpec, problem.sentence)
            found[policy.owner] = dict.fromkeys(states_asked(policy), finding)
    return found
