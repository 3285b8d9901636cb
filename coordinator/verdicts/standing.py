"""What a status goes on saying while agents are still to report: whoever wrote it knew more than is known now.

Pure. The verdicts read back from a status make its very words again.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from coordinator.verdicts.readiness import Level, Verdict
from nicfleet.reasons import Finding, Reason

_REASONS: Final = {str(reason): reason for reason in Reason}


def standing(
    verdicts: Sequence[Verdict], condition_types: Mapping[str, str], status: Mapping[str, Any]
) -> list[Verdict]:
    """Of each state what `status` says, unless it is worse by now.

    What looks as it was or better may do so only because nobody has spoken against it yet. A state that is not asked
    for waits for no agent, nor does one without a condition.
    """
    reasons = {condition["type"]: condition["reason"] for condition in status.get("conditions") or ()}
    told = {
        entry["name"]: _told(entry, reasons.get(condition_types.get(entry["name"], ""), ""))
        for entry in status.get("appliedStates") or ()
    }
    return [_no_better(verdict, told.get(verdict.name)) for verdict in verdicts]


def standing_unverified(status: Mapping[str, Any]) -> Finding | None:
    """Why `status` does not call the policy verified, but for its not being ready."""
    for condition in status.get("conditions") or ():
        if condition["type"] == "Verified" and condition["status"] == "False":
            reason = _REASONS.get(condition["reason"], Reason.NotReady)
            return None if reason is Reason.NotReady else Finding(reason, condition["message"])
    return None


def _no_better(verdict: Verdict, told: Verdict | None) -> Verdict:
    if told is None or verdict.level is Level.IGNORE or _gravity(verdict) > _gravity(told):
        return verdict
    return told


def _gravity(verdict: Verdict) -> tuple[bool, bool, bool]:
    return verdict.level is Level.ERROR, verdict.degraded, verdict.progressing


def _told(entry: Mapping[str, str], reason: str) -> Verdict | None:
    """The verdict behind an entry of `appliedStates`, with all its message in one finding; None when it has words that
    are not ours."""
    name, level, message = entry["name"], Level(entry["state"]), entry.get("message", "")
    if level in (Level.NOT_READY, Level.ERROR):
        return Verdict(name, level, Finding(_REASONS[reason], message)) if reason in _REASONS else None
    if not message:
        return Verdict(name, level)
    note, _, said = message.partition(": ")
    return Verdict(name, level, None, (Finding(_REASONS[note], said),)) if note in _REASONS else None
