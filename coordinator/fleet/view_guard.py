"""Who may read the fleet: whoever shows a token with that right, or comes from the coordinator's own loopback.

Health is for all; agents' streams are checked where their node is known.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any, Final, TypeAlias

import grpc

from coordinator.authentication.gate import Gate, Unchecked
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

    def __init__(self, gate: Gate, refusals: Refusals, services: Collection[str], *, trust_loopback: bool) -> None:
        self._gate = gate
        self._trust_loopback = trust_loopback
        self._refusals = refusals
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
        # A stream's messages are read when the method asks for them. A single one would be read before it is known
        # whose it is.
        read = handler.request_deserializer or bytes
        if handler.request_streaming:
            stream = self._stream(handler.stream_stream, lambda requests: requests)
            return grpc.stream_stream_rpc_method_handler(stream, read, handler.response_serializer)
        if handler.response_streaming:
            stream = self._stream(handler.unary_stream, read)
            return grpc.unary_stream_rpc_method_handler(stream, response_serializer=handler.response_serializer)
        answer = self._answer(handler.unary_unary, read)
        return grpc.unary_unary_rpc_method_handler(answer, response_serializer=handler.response_serializer)

    def _answer(self, method: Callable[[Any, _Context], Awaitable[Any]], read: Callable[[Any], Any]) -> Any:
        async def guarded(request: Any, context: _Context) -> Any:
            await self._admit(context)
            return await method(read(request), context)

        return guarded

    def _stream(self, method: Callable[[Any, _Context], AsyncIterator[Any]], read: Callable[[Any], Any]) -> Any:
        async def guarded(request: Any, context: _Context) -> AsyncIterator[Any]:
            ends_at = await self._admit(context)
            answers = method(read(request), context)
            while True:
                try:
                    async with asyncio.timeout(None if ends_at is None else ends_at - time.time()):
                        answer = await anext(answers)
                except StopAsyncIteration:
                    return
                except TimeoutError:
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
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        if isinstance(viewer, Finding):
            self._tell(context, viewer)
            known = viewer.reason is Reason.ViewForbidden
            code = grpc.StatusCode.PERMISSION_DENIED if known else grpc.StatusCode.UNAUTHENTICATED
            await context.abort(code, viewer.message)
        return viewer.expires

    def _tell(self, context: _Context, finding: Finding) -> None:
        peer = host_of(context.peer())
        if self._refusals.count(finding.reason, peer):
            log.warning("viewer refused", extra={"peer": peer, "reason": finding.reason, "why": finding.message})
