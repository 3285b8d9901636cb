"""Keeps the coordinator informed, for ever: when a stream ends, the next one is dialled.

The pause before that grows with every failure, and has jitter, so that a fleet does not come back as one. Nothing that
the coordinator does or fails to do ends the agent.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, Final, Never

import grpc

from agent.channel import Dialler
from agent.latest import Latest
from agent.outbox import Identity
from agent.session import NotLeader, Refused, hold
from agent.succession import ENDS, Stream, succession
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
            return Attempt(coordinator, _refused_pause())
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
        """Hold one connection for as long as it lasts; returns what ended it."""
        connected = False

        def welcomed(welcome: fleet_pb2.Welcome) -> None:
            nonlocal connected
            routine = connected and not self._told  # every hour
            message = "stream renewed" if connected else "coordinator connected"
            extra = {"coordinator": address, "missing": len(welcome.missing)}
            _log.log(logging.DEBUG if routine else logging.INFO, message, extra=extra)
            connected = True
            self._told.clear()

        def not_renewed(reason: Exception) -> float:
            _, why = self._explained(reason)
            self._tell("stream not renewed", address, why, logging.WARNING)
            return _refused_pause()

        try:
            async with self._dialler.dial(address) as channel:
                await succession(partial(self._speak, fleet_pb2_grpc.FleetStub(channel), welcomed), not_renewed)
        except ENDS as reason:
            return reason

    async def _speak(self, stub: Any, welcomed: Callable[[fleet_pb2.Welcome], None], stream: Stream) -> Never:
        """One stream, with the token as it is when it begins."""

        def accepted(welcome: fleet_pb2.Welcome) -> None:
            welcomed(welcome)
            stream.accept()

        call = stub.Report(metadata=self._dialler.shown())
        await hold(call, self._identity, self._latest, accepted, stream.renew)

    def _explain(self, address: str, reason: Exception) -> None:
        message, why = self._explained(reason)
        usual = isinstance(reason, NotLeader)  # of two coordinators, one is not
        self._tell(message, address, why, logging.INFO if usual else logging.WARNING)

    def _tell(self, message: str, address: str, why: Mapping[str, object], level: int) -> None:
        """One line for each distinct reason, until the coordinator accepts a stream again."""
        # The wording of a network error changes with ports and times; its code and what it means do not.
        meaning = f"{why['code']} {why.get('why')}" if "code" in why else why
        key = f"{message} {address} {meaning}"
        if key not in self._told:
            self._told.add(key)
            _log.log(level, message, extra={"coordinator": address, **why})

    def _explained(self, reason: Exception) -> tuple[str, dict[str, object]]:
        """What ended a stream, or had none begin: in general, and the fields that say more."""
        match reason:
            case Refused():
                return "refused by the coordinator", {"reason": reason.reason, "error": str(reason)}
            case NotLeader():
                return "coordinator is not the leader", {"leader": reason.address}
            case grpc.aio.AioRpcError() if reason.code() in _REFUSALS:
                return "refused by the coordinator", {"reason": reason.code().name, "error": reason.details()}
            case grpc.aio.AioRpcError():
                error = reason.details() or ""
                why = {"code": reason.code().name, "error": error}
                hint = self._dialler.why_unreachable(error)
                return "coordinator not reachable", {**why, "why": hint} if hint else {**why}
            case NotDialled():
                return "coordinator not dialled", {"error": str(reason)}
            case _:
                return "stream to the coordinator ended", {"error": str(reason)}


def _refused_pause() -> float:
    return REFUSED_PAUSE * (1 - random.random() / 2)
