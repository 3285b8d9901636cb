"""What is remembered while the bundle is made, for its summary: counts, and the few things that are told one by one."""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cli.must_gather.diagnostics import Outcome, Status
from cli.must_gather.facts import AgentFact, EventFact, NodeFact, PodFact, PolicyFact
from cli.must_gather.redaction import redact_text

EVENTS_KEPT: Final = 50


class Failure(NamedTuple):
    """What could not be had, and why."""

    what: str
    why: str


@dataclass(slots=True)
class Digest:
    """Grows by a few hundred bytes for each pod and node. All its text is redacted.

    asked     what was asked for, by flag
    versions  of programs, by what they are
    pods      of the namespace
    nodes     concerned ones; `total_nodes` all that were listed
    agents    what the coordinator says of each node; empty when it was not asked
    chosen    nodes of which everything was taken
    notes     what is left out on purpose
    """

    started: str
    namespace: str
    server: str
    asked: Mapping[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    policies: list[PolicyFact] = field(default_factory=list)
    pods: list[PodFact] = field(default_factory=list)
    nodes: dict[str, NodeFact] = field(default_factory=dict)
    total_nodes: int = 0
    agents: dict[str, AgentFact] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()
    diagnostics: dict[str, Counter[Status]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    done: int = 0
    """Things that were had."""
    under_way: dict[int, str] = field(default_factory=dict)
    """Names of jobs that have begun and not ended."""
    _events: list[EventFact] = field(default_factory=list)

    @property
    def events(self) -> tuple[EventFact, ...]:
        """The last ones, the newest first."""
        return tuple(sorted(self._events, reverse=True))

    def saw_event(self, event: EventFact) -> None:
        heapq.heappush(self._events, event)
        if len(self._events) > EVENTS_KEPT:
            heapq.heappop(self._events)

    def saw_diagnostics(self, node: str, found: Iterable[Outcome]) -> None:
        self.diagnostics[node] = Counter(each.status for each in found)

    def failed(self, what: str, why: str) -> None:
        self.failures.append(Failure(redact_text(what), redact_text(" ".join(why.split()))))
