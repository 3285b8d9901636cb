"""Keeps the coordinator informed, for ever: when a stream ends, the next one is dialled.

The pause before that grows with every failure, and has jitter, so that a fleet does not come back as one. Nothing that
the coordinator does or fails to do ends the agent.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, Never

import grpc

from agent.channel import Dialler
from agent.latest import Latest
from agent.outbox import Identity
from agent.session import NotLeader, Refused, RenewalDue, SessionEnded, hold
from nicfleet.channel import NotDialled
from nicfleet.flags import is_host_port
from nicfleet.v1 import fleet_pb2, fleet_pb2_grpc

_log: Final = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 10.0
REFUSED_PAUSE: Final = 30.0
_STEADY_SECONDS: Final = 10.0
"""A stream that lived as long was a good one: the pauses begin anew."""

_REFUSALS: Final = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Where to dial, and how many seconds from now."""

    address: str
    pause: float


def pauses(jitter: Callable[[], float] = random.random) -> Iterator[float]:
    """Seconds between attempts: doubling from FIRST_PAUSE to LONGEST_PAUSE, each shortened by up to a half."""
    longest = FIRST_PAUSE
    while True:
        yield longest * (1 - jitter() / 2)
        longest = min(longest * 2, LONGEST_PAUSE)


def next_attempt(coordinator: str, address: str, reason: Exception, pause: Iterator[float]) -> Attempt:
    """What to do after the stream to `address` ended for this reason. `coordinator` is the address configured."""
    match reason:
        case Refused():
            return Attempt(coordinator, REFUSED_PAUSE * (1 - random.random() / 2))
        case NotLeader(address=leader) if is_host_port(leader):
            # One hop at once; coordinators that name each other are asked at the usual pace.
            return Attempt(leader, 0.0 if address == coordinator != leader else next(pause))
        case _:
            return Attempt(coordinator, next(pause))


class Reporter:
    """Tells the coordinator of the latest inventory."""

    def __init__(self, identity: Identity, coordinator: str, latest: Latest, dialler: Dialler) -> None:
        """`coordinator` is HOST:PORT."""
        self._identity = identity
        self._coordinator = coordinator
        self._latest = latest
        self._dialler = dialler
        self._told: set[str] = set()

    async def run(self) -> None:
        """Report until cancelled. Begins when there is a complete inventory."""
        await self._latest.newer_than(0)
        pause = pauses()
        address = self._coordinator
        while True:
            began = monotonic()
            reason = await self._session(address)
            self._explain(address, reason)
            if monotonic() - began >= _STEADY_SECONDS:
                pause = pauses()
            attempt = next_attempt(self._coordinator, address, reason, pause)
            await asyncio.sleep(attempt.pause)
            address = attempt.address

    async def _session(self, address: str) -> Exception:
        """Hold one stream for as long as it lasts; returns what ended it."""

        def welcomed(welcome: fleet_pb2.Welcome) -> None:
            self._told.clear()
            _log.info("coordinator connected", extra={"coordinator": address, "missing": len(welcome.missing)})

        try:
            async with self._dialler.dial(address) as channel:
                await self._hold(fleet_pb2_grpc.FleetStub(channel), welcomed)
        except (SessionEnded, NotDialled, grpc.RpcError, grpc.aio.BaseError) as reason:
            return reason

    async def _hold(self, stub: Any, welcomed: Callable[[fleet_pb2.Welcome], None]) -> Never:
        """One stream after the other, on one connection, each with the token of its time.

        A stream stays open until the next one is accepted, so that the coordinator never finds the node silent.
        """
        # gRPC cancels a call that nobody holds any longer.
        calls = deque([stub.Report(metadata=self._dialler.shown())], maxlen=2)
        while True:
            try:
                await hold(calls[-1], self._identity, self._latest, welcomed)
            except RenewalDue:
                calls.append(stub.Report(metadata=self._dialler.shown()))
                welcomed = _renewed

    def _explain(self, address: str, reason: Exception) -> None:
        """One line for each distinct reason, until the coordinator is connected again."""
        why: dict[str, object]
        match reason:
            case Refused():
                message, why = "refused by the coordinator", {"reason": reason.reason, "error": str(reason)}
            case NotLeader():
                message, why = "coordinator is not the leader", {"leader": reason.address}
            case grpc.aio.AioRpcError() if reason.code() in _REFUSALS:
                message = "refused by the coordinator"
                why = {"reason": reason.code().name, "error": reason.details()}
            case grpc.aio.AioRpcError():
                error = reason.details() or ""
                message, why = "coordinator not reachable", {"code": reason.code().name, "error": error}
                if hint := self._dialler.why_unreachable(error):
                    why["why"] = hint
            case NotDialled():
                message, why = "coordinator not dialled", {"error": str(reason)}
            case _:
                message, why = "stream to the coordinator ended", {"error": str(reason)}
        # The wording of a network error changes with ports and times; its code and what it means do not.
        meaning = f"{why['code']} {why.get('why')}" if "code" in why else why
        key = f"{message} {address} {meaning}"
        if key not in self._told:
            self._told.add(key)
            usual = isinstance(reason, NotLeader)  # of two coordinators, one is not
            _log.log(logging.INFO if usual else logging.WARNING, message, extra={"coordinator": address, **why})


def _renewed(_: fleet_pb2.Welcome) -> None:
    """Every hour, and no news."""
    _log.debug("stream renewed")
