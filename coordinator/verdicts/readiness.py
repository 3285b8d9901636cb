"""From what was seen to a verdict: is each part of the policy ready, and do the agents confirm it.

Pure. Reads top down: a `StateView` goes through the chains of checks, the verdicts make the whole.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from coordinator.verdicts.checks import CHECKS, NOTES
from coordinator.verdicts.view import StateView
from nicfleet.reasons import Finding, Reason


class Level(StrEnum):
    """Values of `status.state` and of `status.appliedStates[].state`; upstream's words."""

    READY = "ready"
    NOT_READY = "notReady"
    IGNORE = "ignore"
    ERROR = "error"


_ERRORS: Final = frozenset({Reason.InvalidSpec, Reason.ObjectConflict, Reason.PolicyConflict})
"""Findings that waiting does not heal: somebody must change something."""

_IN_PROGRESS: Final = frozenset(
    {Reason.DriverLoading, Reason.FleetSettling, Reason.Removing, Reason.RollingOut, Reason.WaitingForDriver}
)
"""Findings that are expected to pass by themselves."""

_UNHEARD: Final = (
    "no agent has reported at all, so it is not known which nodes have a NIC: see whether the agents' pods run, and in "
    "their logs why they do not reach the coordinator"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One state, judged. `finding` is why it is not ready; `notes` are worth knowing all the same."""

    name: str
    level: Level
    finding: Finding | None = None
    notes: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All there is to say about the state: what is wrong first."""
        return ((self.finding,) if self.finding else ()) + self.notes

    @property
    def message(self) -> str:
        """The same in one text. The reason of what is wrong stands beside it in the condition; notes bring theirs."""
        wrong = (self.finding.message,) if self.finding else ()
        return ". ".join((*wrong, *(f"{note.reason}: {note.message}" for note in self.notes)))

    @property
    def unsettled(self) -> bool:
        """Not ready for want of reports only."""
        return self.finding is not None and self.finding.reason is Reason.FleetSettling

    @property
    def progressing(self) -> bool:
        return self.finding is not None and self.finding.reason in _IN_PROGRESS

    @property
    def degraded(self) -> bool:
        return self.finding is not None and self.finding.reason not in _IN_PROGRESS


def judge(view: StateView) -> Verdict:
    """Walk one state's checks."""
    finding = next((found for check in CHECKS if (found := check(view)) is not None), None)
    notes = tuple(found for check in NOTES if (found := check(view)) is not None)
    if finding is None:
        return Verdict(view.name, Level.READY if view.asked else Level.IGNORE, None, notes)
    return Verdict(view.name, Level.ERROR if finding.reason in _ERRORS else Level.NOT_READY, finding, notes)


def unsettled(verdict: Verdict, waiting_for: tuple[str, ...], settles: str) -> Verdict:
    """The verdict while the fleet is not settled: what is asked for is not ready yet, errors stand as they are.

    `settles` says when the waiting ends, in words.
    """
    if verdict.level in (Level.IGNORE, Level.ERROR):
        return verdict
    # Nobody is left to wait for when the last report came while the pass was under way.
    sentence = (
        f"waiting for the agents of {{nodes}} to report, {settles}" if waiting_for else "the agents just reported"
    )
    return Verdict(
        verdict.name, Level.NOT_READY, Finding.about(Reason.FleetSettling, sentence, waiting_for), verdict.notes
    )


def overall(verdicts: Iterable[Verdict]) -> Level:
    """The logical AND: ready when no state is notReady or error; never `error` itself (upstream's rule)."""
    bad = (Level.NOT_READY, Level.ERROR)
    return Level.NOT_READY if any(verdict.level in bad for verdict in verdicts) else Level.READY


def unverified(views: Iterable[StateView]) -> Finding | None:
    """Nodes that a ready state counts on and whose agent does not confirm it now.

    A node without a NIC has nothing to confirm. A node that is silent, or away, is no contrary evidence: it makes
    `Verified` False, not `Ready`. Where no agent has ever reported, nobody has said that a node has no NIC.
    """
    views = tuple(views)
    never: set[str] = set()
    silent: set[str] = set()
    away: set[str] = set()
    for view in views:
        for workload in view.workloads:
            if not workload.needs_nic:
                continue
            away.update(workload.placement.away)
            for name in workload.placement.chosen:
                node = view.nodes[name]
                if node.facts is None:
                    never.add(name)
                elif not node.live:
                    silent.add(name)
    if never:
        return Finding.about(Reason.NodeNotReported, "no agent has reported for {nodes}", never | silent)
    if silent:
        return Finding.about(Reason.NodeSilent, "the agents of {nodes} are silent", silent)
    if away:
        return Finding.about(Reason.NodeNotReady, "Kubernetes calls {nodes} not ready; the agents there report", away)
    if any(_for_nics(view) and not _heard(view) for view in views):
        return Finding(Reason.NodeNotReported, _UNHEARD)
    return None


def _for_nics(view: StateView) -> bool:
    return view.driver_placement is not None or any(workload.needs_nic for workload in view.workloads)


def _heard(view: StateView) -> bool:
    """Of any node, if there are nodes."""
    return not view.nodes or any(node.facts is not None for node in view.nodes.values())
