"""What is new in a policy's verdicts: worth a log line, and mostly an Event. Not every pass, and not every figure.

The status that stands on the API server is the memory across restarts; within a process the reasons last told are.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from coordinator.verdicts.readiness import Level, Verdict
from coordinator.verdicts.status import applied_state
from nicfleet.reasons import Reason

_SUMMARIES: Final = ("Ready", "Verified")
"""Of the conditions over all states; `Progressing` and `Degraded` repeat what the states say."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """One thing to tell. `subject` is a state's name or a condition's type."""

    subject: str
    reason: str
    message: str
    warning: bool = False

    @property
    def eventful(self) -> bool:
        """Worth an Event too: that one component became ready is not, that all are is."""
        return self.reason != Reason.ComponentReady


class Announcer:
    """Finds what is new, for one policy."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[Reason, ...]] = {}

    def news(
        self, verdicts: Iterable[Verdict], status: Mapping[str, Any], previous: Mapping[str, Any]
    ) -> list[Announcement]:
        """`status` is what the verdicts come to, `previous` what the API server had before."""
        stood = {entry["name"]: entry for entry in previous.get("appliedStates") or ()}
        news: list[Announcement] = []
        judged = tuple(verdicts)
        for verdict in judged:
            if self._is_new(verdict, stood.get(verdict.name)):
                told = self._told.get(verdict.name, ())
                news += [each for each in _of_state(verdict) if each.reason not in told]
            self._told[verdict.name] = tuple(finding.reason for finding in verdict.findings)
        return news + list(_of_summaries(status, previous, by_states=bool(judged)))

    def _is_new(self, verdict: Verdict, stood: Mapping[str, str] | None) -> bool:
        told = self._told.get(verdict.name)
        if told is None:
            return applied_state(verdict) != stood
        return told != tuple(finding.reason for finding in verdict.findings)


def _of_state(verdict: Verdict) -> Iterator[Announcement]:
    if not verdict.findings and verdict.level is Level.READY:
        yield Announcement(verdict.name, Reason.ComponentReady, f"{verdict.name} is ready")
    for finding in verdict.findings:
        warning = verdict.degraded if finding is verdict.finding else finding.reason != Reason.NoMatchingNodes
        yield Announcement(verdict.name, finding.reason, finding.message, warning)


def _of_summaries(status: Mapping[str, Any], previous: Mapping[str, Any], *, by_states: bool) -> Iterator[Announcement]:
    """A `Ready` that is False is told by the states, where there are any."""
    before = {c["type"]: (c["status"], c["reason"]) for c in previous.get("conditions") or ()}
    for condition in status["conditions"]:
        kind, true, reason = condition["type"], condition["status"] == "True", condition["reason"]
        changed = before.get(kind) != (condition["status"], reason)
        repeats = not true and (reason == Reason.NotReady or (kind == "Ready" and by_states))
        if kind in _SUMMARIES and changed and not repeats:
            yield Announcement(kind, reason, condition["message"] or f"{kind} is {condition['status']}", not true)
