"""One stream to the coordinator, from Hello to whatever ends it."""

import asyncio
from asyncio import FIRST_COMPLETED, Future, ensure_future
from collections.abc import Callable
from time import monotonic
from typing import Any, Final, Never

import grpc

from agent.latest import Latest
from agent.outbox import Identity, Outbox, hello
from nicfleet.transport import ANSWER_SECONDS, LEADER_METADATA
from nicfleet.v1 import fleet_pb2

_DEFAULT_HEARTBEAT_SECONDS: Final = 10
_UNIDENTIFIED: Final = {
    grpc.StatusCode.UNAUTHENTICATED: "IDENTITY_UNPROVEN",
    grpc.StatusCode.PERMISSION_DENIED: "IDENTITY_FOREIGN",
}
"""Status of a greeting → the RefusalReason. Who has not proved his identity hears no message."""
_HEARTBEAT: Final = fleet_pb2.ReportRequest(heartbeat=fleet_pb2.Heartbeat())


class SessionEnded(Exception):
    """The stream is over; the text says why."""


class Refused(SessionEnded):
    """The coordinator will not have this agent. `reason` is the name of the RefusalReason."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NotLeader(SessionEnded):
    """Another coordinator leads: `address`, empty when it is not known."""

    def __init__(self, address: str) -> None:
        super().__init__(f"this coordinator does not lead; it names {address or 'no other'}")
        self.address = address


async def hold(
    call: Any,
    identity: Identity,
    latest: Latest,
    welcomed: Callable[[fleet_pb2.Welcome], None],
    renewal_due: Callable[[], None],
) -> Never:
    """Speak on the stream `call` (of Fleet.Report) until it ends.

    `welcomed` is called once it is accepted, `renewal_due` when its token ends soon, so that another stream shall
    follow. Raises SessionEnded or one of its kinds, and grpc.RpcError.
    """
    greeted = await latest.newer_than(0)
    try:
        await _send(call, hello(identity, greeted))
        welcome = await _welcome(call)
    except grpc.aio.AioRpcError as error:
        raise _meaning(error) from error
    welcomed(welcome)
    outbox = Outbox(greeted, welcome.missing)
    pause = welcome.heartbeat_seconds or _DEFAULT_HEARTBEAT_SECONDS
    snapshot = greeted
    answer: Future[Any] = ensure_future(call.read())
    change = ensure_future(latest.newer_than(snapshot.version))
    due = monotonic() + pause
    try:
        while True:
            if (update := outbox.update(snapshot)) is not None:
                await _send(call, update)
                due = monotonic() + pause
            await asyncio.wait({answer, change}, timeout=due - monotonic(), return_when=FIRST_COMPLETED)
            probed = False
            if answer.done():
                probed = _obey(answer.result(), outbox, renewal_due)
                answer = ensure_future(call.read())
            if change.done():
                snapshot = change.result()
                change = ensure_future(latest.newer_than(snapshot.version))
            if probed or monotonic() >= due:
                await _send(call, _HEARTBEAT)
                due = monotonic() + pause
    finally:
        answer.cancel()
        change.cancel()


def _obey(answer: Any, outbox: Outbox, renewal_due: Callable[[], None]) -> bool:
    """Take a message from the coordinator; True when it wants a sign of life. Raises SessionEnded on the last one."""
    _raise_if_last(answer)
    if answer.WhichOneof("kind") == "renew":
        renewal_due()
    if answer.WhichOneof("kind") == "resend":
        outbox.forget(answer.resend.sections)
    return bool(answer.WhichOneof("kind") == "probe")


async def _welcome(call: Any) -> fleet_pb2.Welcome:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await call.read()
    except TimeoutError:
        raise SessionEnded(f"no answer to the greeting in {ANSWER_SECONDS:g} s") from None
    _raise_if_last(answer)
    if answer.WhichOneof("kind") != "welcome":
        raise SessionEnded("the greeting was not answered with a welcome")
    welcome: fleet_pb2.Welcome = answer.welcome
    return welcome


def _meaning(error: grpc.aio.AioRpcError) -> Exception:
    """Of a greeting that was answered by a status, perhaps that of the network."""
    for key, leader in error.trailing_metadata() or ():
        if key == LEADER_METADATA:
            return NotLeader(str(leader))
    reason = _UNIDENTIFIED.get(error.code())
    return Refused(reason, error.details() or "") if reason else error


def _raise_if_last(answer: Any) -> None:
    if answer is grpc.aio.EOF:
        raise SessionEnded("the coordinator closed the stream")
    match answer.WhichOneof("kind"):
        case "refused":
            reason = answer.refused.reason
            known = reason in fleet_pb2.RefusalReason.values()
            name = fleet_pb2.RefusalReason.Name(reason) if known else str(reason)
            raise Refused(name.removeprefix("REFUSAL_REASON_"), answer.refused.message)
        case "not_leader":
            raise NotLeader(answer.not_leader.address)


async def _send(call: Any, message: fleet_pb2.ReportRequest) -> None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await call.write(message)
    except TimeoutError:
        raise SessionEnded(f"a message could not be sent in {ANSWER_SECONDS:g} s") from None
    except asyncio.InvalidStateError:
        # The stream ended under our hands. What was said last, a refusal for example, may still be unread.
        _raise_if_last(await call.read())
        raise SessionEnded("the coordinator closed the stream") from None
