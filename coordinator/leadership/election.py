"""Election: becomes the leader, stays it as long as it can, and lets go.

look ─┬─ held by another ──> look again
      └─ free ─> claim ─┬─ somebody was quicker ──> look again
                        └─ won ─> renew, renew, … ─┬─ another holds it, or not renewed in time: lost, for ever
                                                   └─ release
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Final

from coordinator.kube.answers import object_in
from coordinator.kube.client import Kube
from coordinator.kube.errors import Conflict, KubeError, NotFound
from coordinator.kube.objects import LEASE, Obj, Ref
from coordinator.leadership.lease import (
    NAME,
    TIMES,
    Candidate,
    Sighting,
    Times,
    claimed,
    released,
    renewed,
    seen,
)
from coordinator.leadership.owner import own_account
from coordinator.leadership.tenure import BOOT_CLOCK, Clock, Tenure

log = logging.getLogger(__name__)

MANAGER: Final = "nicfleet-leadership"

PATIENCE: Final = 8.0
"""Seconds for which an agent waits here when it may soon be known who leads. It waits 10 for an answer."""


class Election:
    """One candidate's. `tenure` is the permit of what the leader writes."""

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        candidate: Candidate,
        tenure: Tenure,
        random: Random,
        clock: Clock = BOOT_CLOCK,
        times: Times = TIMES,
    ) -> None:
        """`kube` must not ask `tenure` for a permit: without it no lease could be had."""
        self._kube = kube
        self._ref = Ref(LEASE.kind, namespace, NAME)
        self._candidate = candidate
        self._random = random
        self._clock = clock
        self._times = times
        self._introduced = False  # the candidate's owner is known
        self._lease: Obj | None = None
        self._sighting: Sighting | None = None
        self._trouble = "the lease has not been looked at yet"
        self._told = ""
        self._elsewhere: str | None = None
        self._news = asyncio.Event()
        self._claimed = False  # or tried to: nobody knows when the answer is lost
        self.tenure = tenure
        self.leads = False

    # The candidate.

    async def win(self) -> None:
        """Return when this one leads."""
        while not self.leads:
            await self._attempt(self._look)
            if self._may_claim():
                await self._attempt(self._claim)
            self._log_trouble()
            self._tell()
            if not self.leads:
                await asyncio.sleep(self._until_next_look())
        log.info("leading", extra={"identity": self._candidate.identity, "address": self._candidate.address})

    async def keep(self) -> str:
        """Renew as long as that can be done; returns why no longer. No write begins after that."""
        due = self._clock() + self._times.renewed_every
        while True:
            await asyncio.sleep(max(0.0, due - self._clock()))
            left = self.tenure.ends_at - self._clock()
            if left <= 0:
                return self._lost(
                    f"not renewed for {self._times.held:g} s: {self._trouble or 'this process stood still'}"
                )
            due = self._clock() + self._times.looked_every
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    if await self._renew():
                        due += self._times.renewed_every - self._times.looked_every
            self._log_trouble()
            if not self._holds:
                return self._lost(f"{self.leader or 'nobody'} holds it")

    async def release(self) -> None:
        """Let others take it at once. To be called when nothing is written any more, also in the middle of a claim."""
        self.leads = False
        self.tenure.end()
        self._tell()
        if self._claimed and not (self._holds and await self._attempt(self._release)):
            await self._attempt(self._look)  # a claim or a renewal was under way
            if self._holds:
                await self._attempt(self._release)

    # Those who ask.

    async def elsewhere(self) -> str | None:
        """The address of the coordinator that leads, empty when none is known; None: it is this one.

        While another may soon lead, the question waits for the answer: who is sent away now comes back in a moment.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                while not self.leads and self._elsewhere is None:
                    await self._news.wait()
        except TimeoutError:
            return ""
        return None if self.leads else self._elsewhere

    @property
    def leader(self) -> str:
        """The Pod that leads, as far as is known; else empty."""
        return self._sighting.record.pod if self._sighting is not None else ""

    @property
    def address(self) -> str:
        """Of another leader's gRPC side, as far as is known; else empty."""
        return self._sighting.record.address if self._sighting is not None and not self._holds else ""

    @property
    def trouble(self) -> str:
        """Why it is not known who leads; empty when it is."""
        return self._trouble

    # Inside.

    @property
    def _holds(self) -> bool:
        """As far as is known."""
        return self._sighting is not None and self._sighting.record.holder == self._candidate.identity

    async def _look(self) -> None:
        if not self._introduced:
            self._candidate = replace(self._candidate, owner=await own_account(self._kube, self._ref.namespace))
            self._introduced = True
        try:
            lease: Obj | None = object_in(await self._kube.get(self._ref), self._ref)
        except NotFound as error:
            if error.kind_unknown or error.namespace_missing:
                raise
            lease = None
        self._saw(lease)

    def _saw(self, lease: Obj | None) -> None:
        self._lease = lease
        self._sighting = seen(self._sighting, lease, self._clock())

    def _may_claim(self) -> bool:
        if self._trouble:
            return False
        return self._sighting is None or self._sighting.is_free(self._candidate, self._clock())

    async def _claim(self) -> None:
        sent = self._clock()
        self._claimed = True
        await self._write(claimed(self._lease, self._ref.namespace, self._candidate, _now(), self._times))
        self.tenure.renewed(sent)
        self.leads = True

    async def _renew(self) -> bool:
        """Whether that is done. If not, whoever holds the Lease instead is known afterwards, or `trouble` is."""
        sent = self._clock()
        if self._lease is None:
            write = claimed(None, self._ref.namespace, self._candidate, _now(), self._times)
        else:
            write = renewed(self._lease, _now())
        if await self._attempt(lambda: self._write(write)):
            self.tenure.renewed(sent)
            return True
        trouble = self._trouble
        await self._attempt(self._look)
        self._trouble = trouble or self._trouble
        return False

    async def _release(self) -> None:
        if self._lease is not None:
            await self._write(released(self._lease, _now()))

    async def _write(self, lease: Obj) -> None:
        """By its resourceVersion: of two that write at once, one gets a Conflict."""
        write = self._kube.replace if "resourceVersion" in lease["metadata"] else self._kube.create
        self._saw(object_in(await write(lease, manager=MANAGER), self._ref))

    async def _attempt(self, act: Callable[[], Awaitable[None]]) -> bool:
        """Whether it was done; else `trouble` tells why, unless somebody was quicker: the next look tells who."""
        done, trouble = False, ""
        try:
            async with asyncio.timeout(self._times.answered):
                await act()
            done = True
        except Conflict:
            pass
        except TimeoutError:
            trouble = f"the API server does not answer (nothing within {self._times.answered:g} s)"
        except KubeError as error:
            trouble = str(error)
        self._trouble = trouble
        return done

    def _log_trouble(self) -> None:
        if self._trouble and self._trouble != self._told:
            log.warning("lease not reached", extra={"error": self._trouble})
        self._told = self._trouble

    def _until_next_look(self) -> float:
        """Seconds. Two that wait must not always come at the same moment."""
        pause = self._times.looked_every * (1 - self._random.random() / 4)
        if self._sighting is None or self._trouble:
            return pause
        return max(0.05, min(pause, self._sighting.ends_at - self._clock()))

    def _lost(self, why: str) -> str:
        self.leads = False
        self.tenure.end()
        self._tell()
        return why

    def _tell(self) -> None:
        """Answer those who wait, when there is something new to say."""
        sighting = self._sighting
        open_yet = not self._trouble and (sighting is None or sighting.in_doubt(self._clock(), self._times))
        self._elsewhere = None if open_yet else self.address
        if self.leads or self._elsewhere is not None:
            self._news.set()
        else:
            self._news.clear()


def _now() -> datetime:
    return datetime.now(UTC)
