"""Verdicts into the status of a NicClusterPolicy: `state`, `appliedStates` and standard conditions.

Pure and deterministic: the same verdicts over the same previous status give a byte-equal status, hence no write.
Types, enums and upstream's rules: the fact sheet of the API, sections 2.7, 2.8 and 3.3.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from coordinator.verdicts.readiness import Level, Verdict, overall
from nicfleet.reasons import Finding, Reason, bounded

Status = dict[str, Any]

LONGEST_MESSAGE: Final = 4096
"""Characters of any message. A status has two for each of a dozen states and a few more, and is stored whole in one
object that every reader of it gets: some 120 KB at most. The API itself would have 32,768 in a condition, and no bound
elsewhere."""


def policy_status(
    verdicts: Sequence[Verdict],
    condition_types: Mapping[str, str],
    unverified: Finding | None,
    generation: int,
    previous: Mapping[str, Any],
    now: str,
) -> Status:
    """The whole status.

    `condition_types` maps a state's name to its condition type, for the states that have one; `now` is RFC 3339 and
    used only where a condition's status changes.
    """
    level = overall(verdicts)
    conditions = [
        *(
            _state_condition(condition_types[verdict.name], verdict)
            for verdict in verdicts
            if verdict.name in condition_types and verdict.level is not Level.IGNORE
        ),
        _ready(level, verdicts),
        _verified(level, unverified),
        _whether("Progressing", [verdict for verdict in verdicts if verdict.progressing], level),
        _whether("Degraded", [verdict for verdict in verdicts if verdict.degraded], level),
    ]
    return {
        "state": str(level),
        "appliedStates": [applied_state(verdict) for verdict in verdicts],
        "conditions": _dated(conditions, generation, previous, now),
    }


def ignored_status(reason: str, generation: int, previous: Mapping[str, Any], now: str) -> Status:
    """The status of a policy that is not acted on."""
    condition = _condition("Ready", "False", Reason.PolicyIgnored, reason)
    return {
        "state": str(Level.IGNORE),
        "reason": bounded(reason, LONGEST_MESSAGE),
        "conditions": _dated([condition], generation, previous, now),
    }


def invalid_status(message: str, generation: int, previous: Mapping[str, Any], now: str) -> Status:
    """The status of a policy that cannot be read."""
    condition = _condition("Ready", "False", Reason.InvalidSpec, message)
    return {
        "state": str(Level.ERROR),
        "reason": bounded(message, LONGEST_MESSAGE),
        "conditions": _dated([condition], generation, previous, now),
    }


def judged_generation(status: Mapping[str, Any]) -> int:
    """The generation that a status judges; 0 when there is none, or it only says that the agents are waited for."""
    conditions: Sequence[Mapping[str, Any]] = status.get("conditions") or ()
    if any(condition["reason"] == Reason.FleetSettling for condition in conditions):
        return 0
    return max((int(condition.get("observedGeneration") or 0) for condition in conditions), default=0)


def urgent(status: Mapping[str, Any], previous: Mapping[str, Any]) -> bool:
    """Whether a state or a reason changed, so that the write must not wait."""
    return _essence(status) != _essence(previous)


def _essence(status: Mapping[str, Any]) -> object:
    conditions = status.get("conditions") or ()
    return (
        status.get("state"),
        [(state["name"], state["state"]) for state in status.get("appliedStates") or ()],
        [(c["type"], c["status"], c["reason"], c.get("observedGeneration")) for c in conditions],
    )


def applied_state(verdict: Verdict) -> dict[str, str]:
    """The entry of `appliedStates`."""
    entry = {"name": verdict.name, "state": str(verdict.level)}
    return entry | {"message": bounded(verdict.message, LONGEST_MESSAGE)} if verdict.message else entry


def _state_condition(kind: str, verdict: Verdict) -> dict[str, Any]:
    if verdict.finding is None:
        return _condition(kind, "True", Reason.ComponentReady, verdict.message)
    return _condition(kind, "False", verdict.finding.reason, verdict.message)


def _ready(level: Level, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    if level is Level.READY:
        return _condition("Ready", "True", Reason.AllComponentsReady, _joined(v for v in verdicts if v.notes))
    failing = [verdict for verdict in verdicts if verdict.finding is not None]
    first = next((v for v in failing if v.degraded), failing[0])
    assert first.finding is not None
    others = (verdict for verdict in failing if verdict is not first)
    return _condition("Ready", "False", first.finding.reason, _joined((first, *others)))


def _verified(level: Level, unverified: Finding | None) -> dict[str, Any]:
    if unverified is not None:
        return _condition("Verified", "False", unverified.reason, unverified.message)
    if level is Level.READY:
        return _condition("Verified", "True", Reason.AllComponentsReady, "")
    return _condition("Verified", "False", Reason.NotReady, "the policy is not ready")


def _whether(kind: str, verdicts: Sequence[Verdict], level: Level) -> dict[str, Any]:
    if not verdicts:
        return _condition(kind, "False", Reason.AllComponentsReady if level is Level.READY else Reason.NotReady, "")
    finding = verdicts[0].finding
    assert finding is not None
    return _condition(kind, "True", finding.reason, _joined(verdicts))


def _joined(verdicts: Iterable[Verdict]) -> str:
    return "; ".join(f"{verdict.name}: {verdict.message}" for verdict in verdicts)


def _condition(kind: str, status: str, reason: Reason, message: str) -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": str(reason), "message": bounded(message, LONGEST_MESSAGE)}


def _dated(
    conditions: Iterable[dict[str, Any]], generation: int, previous: Mapping[str, Any], now: str
) -> list[dict[str, Any]]:
    """Stamp conditions; `lastTransitionTime` changes only with `status`."""
    before = {condition["type"]: condition for condition in previous.get("conditions") or ()}
    dated = []
    for condition in conditions:
        old = before.get(condition["type"])
        kept = old is not None and old["status"] == condition["status"]
        since = old["lastTransitionTime"] if old is not None and kept else now
        dated.append(condition | {"observedGeneration": generation, "lastTransitionTime": since})
    return dated
