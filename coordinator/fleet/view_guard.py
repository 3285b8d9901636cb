"""Who may read the fleet: whoever shows a token with that right, or comes from the coordinator's own loopback.

Agents' streams are checked where their node is known.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any, Final, NoReturn, TypeAlias

import grpc

from coordinator.authentication.gate import Gate, Unchecked
from coordinator.fleet.hearing import Hearing
from coordinator.fleet.methods import service_of
from coordinator.fleet.refusals import Refusals, host_of, is_loopback
from nicfleet.reasons import Finding, Reason

log = logging.getLogger(__name__)

_Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
_ENDED: Final = "the token that this call began with has expired: call again with a new one"


def bearer(context: _Context) -> str:
    """The token that a call shows; empty without one."""
    for key, value in context.invocation_metadata() or ():
        scheme, _, token = str(value).partition(" ") if key == "authorization" else ("", "", "")
        if scheme.lower() == "bearer":
            return token.strip()
    return ""


class ViewGuard(grpc.aio.ServerInterceptor):
    """Guards the methods of these services (full names)."""

    def __init__(
        self, gate: Gate, refusals: Refusals, hearing: Hearing, services: Collection[str], *, trust_loopback: bool
    ) -> None:
        self._gate = gate
        self._trust_loopback = trust_loopback
        self._refusals = refusals
        self._hearing = hearing
        self._services = frozenset(services)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """gRPC's hook."""
        handler: Any = await continuation(handler_call_details)
        if handler is None or service_of(handler_call_details.method) not in self._services:
            return handler
        # Every method becomes one of streams, which is the same on the wire: gRPC reads a single request at once, and
        # one of a stream when it is wanted, which is when it is known whose it is. As bytes: a stranger's is not read.
        return grpc.stream_stream_rpc_method_handler(
            self._guarded(handler), response_serializer=handler.response_serializer
        )

    def _guarded(self, handler: Any) -> Callable[[AsyncIterator[bytes], _Context], AsyncIterator[Any]]:
        method = handler.unary_unary or handler.unary_stream or handler.stream_stream

        async def guarded(messages: AsyncIterator[bytes], context: _Context) -> AsyncIterator[Any]:
            ends_at = await self._admit(context)
            requests = _decoded(messages, handler.request_deserializer)
            request = requests if handler.request_streaming else await anext(requests, None)
            if request is None:
                return  # whoever called has gone
            if not handler.response_streaming:
                yield await method(request, context)
                return
            answers = method(request, context)
            while True:
                try:
                    async with asyncio.timeout(None if ends_at is None else ends_at - time.time()) as rest:
                        answer = await anext(answers)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    if not rest.expired():
                        raise
                    await context.abort(grpc.StatusCode.UNAUTHENTICATED, _ENDED)
                yield answer

        return guarded

    async def _admit(self, context: _Context) -> float | None:
        """Until when the call may last, in seconds since 1970. Whoever may not call is told so, and the call ends."""
        if self._trust_loopback and is_loopback(context.peer()):
            return None
        try:
            viewer = await self._gate.viewer(bearer(context), host_of(context.peer()))
        except Unchecked as error:
            await self._send_away(context, grpc.StatusCode.UNAVAILABLE, str(error))
        if isinstance(viewer, Finding):
            self._tell(context, viewer)
            known = viewer.reason is Reason.ViewForbidden
            code = grpc.StatusCode.PERMISSION_DENIED if known else grpc.StatusCode.UNAUTHENTICATED
            await self._send_away(context, code, viewer.message)
        return viewer.expires

    async def _send_away(self, context: _Context, code: grpc.StatusCode, message: str) -> NoReturn:
        await self._hearing.hear_out(context.read, host_of(context.peer()))
        await context.abort(code, message)

    def _tell(self, context: _Context, finding: Finding) -> None:
        peer = host_of(context.peer())
        if self._refusals.count(finding, peer):
            log.warning("viewer refused", extra={"peer": peer, "reason": finding.reason, "why": finding.message})


async def _decoded(messages: AsyncIterator[bytes], decode: Callable[[bytes], Any] | None) -> AsyncIterator[Any]:
    async for message in messages:
        yield decode(message) if decode is not None else message
