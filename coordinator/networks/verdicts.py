"""What became of a network, and its status. Pure: the same verdict gives the same status, hence no write."""

from typing import Any, Final

from coordinator.kube.objects import Ref
from coordinator.networks.kinds import NetworkKind
from coordinator.objects.outcome import Action, Outcome
from coordinator.verdicts.readiness import Level, Verdict
from coordinator.verdicts.status import LONGEST_MESSAGE, applied_state
from nicfleet.reasons import Finding, Reason, bounded

Status = dict[str, Any]

_ERRORS: Final = frozenset({Reason.InvalidSpec, Reason.NetworkConflict, Reason.ObjectConflict})
"""Findings that waiting does not heal: somebody must change something."""


def not_ready(kind: NetworkKind, finding: Finding) -> Verdict:
    return Verdict(kind.state, Level.ERROR if finding.reason in _ERRORS else Level.NOT_READY, finding)


def problem_of(outcome: Outcome) -> Finding | None:
    """Why the NAD is not as desired; None when it is."""
    if outcome.action in (Action.REFUSED, Action.WAITING):
        return outcome.finding or Finding(Reason.Removing, f"{outcome.ref} is being deleted, and is made anew then")
    return None


def network_status(kind: NetworkKind, verdict: Verdict, nad: Ref) -> Status:
    """The whole status. The NAD's path stands in it while the network is ready."""
    status: Status = {"state": str(verdict.level)}
    if verdict.message:
        status["reason"] = bounded(verdict.message, LONGEST_MESSAGE)
    if verdict.level is Level.READY:
        status[kind.link] = path_of(nad)
    if kind.applied_states:
        status["appliedStates"] = [applied_state(verdict)]
    return status


def path_of(nad: Ref) -> str:
    """As upstream writes it: with the kind, not with the plural that the API server has in its URL."""
    return f"{nad.resource.api_version}/namespaces/{nad.namespace}/{nad.kind}/{nad.name}"
