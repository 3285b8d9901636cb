"""Writes the policies' status, seldom enough, and tells what is new in it by log lines and Events."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, Literal

from coordinator.intake import Policy, owner_of
from coordinator.kube.client import Kube
from coordinator.kube.recorder import EventRecorder, Regarding
from coordinator.objects.outcome import Action, Outcome
from coordinator.objects.served import Owner
from coordinator.verdicts.announcements import Announcement, Announcer
from coordinator.verdicts.readiness import Verdict
from coordinator.verdicts.status import Status, urgent
from nicfleet.names import STATUS_MANAGER

log = logging.getLogger(__name__)

STATUS_SECONDS: Final = 2.0
"""Between two status writes of one policy that only refine a message."""


class PolicyStatusWriter:
    """Remembers what each policy was told last. `learn(kind, answer)` takes in the API server's answer to a write."""

    def __init__(self, kube: Kube, events: EventRecorder, learn: Callable[[str, bytes], object]) -> None:
        self._kube = kube
        self._events = events
        self._learn = learn
        self._announcers: defaultdict[Owner, Announcer] = defaultdict(Announcer)
        self._written_at: dict[Owner, float] = {}

    def forget_all_but(self, owners: Collection[Owner]) -> None:
        for gone in self._announcers.keys() - set(owners):
            del self._announcers[gone]
        for gone in self._written_at.keys() - set(owners):
            del self._written_at[gone]

    async def write(self, policy: Policy, status: Status, verdicts: Sequence[Verdict] = ()) -> float | None:
        """PUT the status unless it stands there already. Returns when to come back with one that can wait."""
        owner, previous = owner_of(policy), policy.get("status") or {}
        if status == previous:
            return None
        since = time.monotonic() - self._written_at.get(owner, float("-inf"))
        if since < STATUS_SECONDS and not urgent(status, previous):
            return STATUS_SECONDS - since
        answer = await self._kube.replace_status({**policy, "status": status}, manager=STATUS_MANAGER)
        self._written_at[owner] = time.monotonic()
        self._learn(owner[0], answer)
        for news in self._announcers[owner].news(verdicts, status, previous):
            await self._announce(policy, news)
        return None

    async def tell_repairs(self, policy: Policy, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.finding is not None and outcome.action is Action.REPAIRED:
                finding = outcome.finding
                await self._announce(policy, Announcement(str(outcome.ref), finding.reason, finding.message, True))

    async def _announce(self, policy: Policy, news: Announcement) -> None:
        metadata = policy["metadata"]
        said = {"policy": metadata["name"], "subject": news.subject, "reason": news.reason, "why": news.message}
        log.log(logging.WARNING if news.warning else logging.INFO, "policy finding", extra=said)
        if news.eventful:
            regarding = Regarding(
                policy["apiVersion"], policy["kind"], metadata["name"], metadata["uid"], metadata["generation"]
            )
            kind: Literal["Normal", "Warning"] = "Warning" if news.warning else "Normal"
            await self._events.record(regarding, news.subject, news.reason, news.message, kind)
