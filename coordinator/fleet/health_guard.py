"""Health is for all: in few words, in turns, and for few at a time, as strangers ask for it, too.

They get a message, which nobody has to take, and a watch that never ends: so their calls may stay for ever.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from coordinator.fleet.hearing import Hearing
from coordinator.fleet.methods import service_of
from coordinator.fleet.refusals import host_of
from coordinator.turns import TooManyWait
from nicfleet.introspection import HEALTH

_Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"

_LONGEST: Final = 1024
"""Bytes in which to ask for the health of a service."""
_MOST: Final = 256
"""Calls at a time."""
_OF_ONE: Final = 16
"""Of them from one address."""


class HealthGuard(grpc.aio.ServerInterceptor):
    def __init__(self, hearing: Hearing) -> None:
        self._hearing = hearing
        self._answered = Counter[str]()
        """Calls that are being answered, by address."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """gRPC's hook."""
        handler: Any = await continuation(handler_call_details)
        if handler is None or service_of(handler_call_details.method) != HEALTH:
            return handler
        # As one of streams, which is the same on the wire, a method itself says when it wants its request.
        return grpc.stream_stream_rpc_method_handler(
            self._guarded(handler), response_serializer=handler.response_serializer
        )

    def _guarded(self, handler: Any) -> Callable[[AsyncIterator[bytes], _Context], Awaitable[None]]:
        async def guarded(_: AsyncIterator[bytes], context: _Context) -> None:
            request = await self._request(context, handler.request_deserializer)
            peer = host_of(context.peer())
            if self._answered[peer] >= _OF_ONE or self._answered.total() >= _MOST:
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many ask: end other calls, or ask later")
            self._answered[peer] += 1
            try:
                if handler.response_streaming:
                    await handler.unary_stream(request, context)
                else:
                    await context.write(await handler.unary_unary(request, context))
            finally:
                self._answered[peer] -= 1
                self._answered += Counter()  # without those of whom none is left

        return guarded

    async def _request(self, context: _Context, decode: Callable[[bytes], Any]) -> Any:
        try:
            message = await self._hearing.hear(context.read, host_of(context.peer()))
        except TooManyWait:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many ask: ask later")
        if message is None or len(message) > _LONGEST:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"ask at once, in at most {_LONGEST} bytes")
        try:
            return decode(message)
        except DecodeError:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the message is not of grpc.health.v1")
