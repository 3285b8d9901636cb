"""What the gRPC side of a coordinator that does not lead tells whoever calls: it knows no fleet, and says who does."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any, Final, Never, NoReturn, Protocol, TypeAlias

import grpc

from coordinator.fleet.methods import service_of
from nicfleet.transport import LEADER_METADATA

_Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class Leadership(Protocol):
    """Whether this coordinator leads, and who does if not."""

    @property
    def leads(self) -> bool: ...

    @property
    def leader(self) -> str:
        """The leader's Pod; empty when none is known."""

    @property
    def address(self) -> str:
        """HOST:PORT of another leader; empty when none is known."""

    async def elsewhere(self) -> str | None:
        """The address of another leader, empty when none is known; None: this one leads. May wait for seconds."""


class _Alone:
    leads = True
    leader = ""
    address = ""

    async def elsewhere(self) -> str | None:
        return None


ALONE: Final[Leadership] = _Alone()
"""There is no other coordinator."""


def who_leads(leader: str, address: str) -> str:
    """What whoever calls a coordinator on standby is told."""
    who = f"{leader} at {address} leads: ask that one" if address else "no leader is known: ask again soon"
    return f"this coordinator is on standby, and {who}"


class OnlyTheLeader(grpc.aio.ServerInterceptor):
    """Sends calls of these services (full names) away while another coordinator leads."""

    def __init__(self, leadership: Leadership, views: Collection[str]) -> None:
        self._leadership = leadership
        self._views = frozenset(views)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """gRPC's hook."""
        handler = await continuation(handler_call_details)
        if handler is None or self._leadership.leads or service_of(handler_call_details.method) not in self._views:
            return handler
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._refuse_stream)
        return grpc.unary_unary_rpc_method_handler(self._refuse)

    async def _refuse_stream(self, request: object, context: _Context) -> AsyncIterator[Never]:
        """As a generator, which is what the interceptors around this one take a stream's handler for."""
        await self._refuse(request, context)
        yield

    async def _refuse(self, request: object, context: _Context) -> NoReturn:
        address = self._leadership.address
        told = who_leads(self._leadership.leader, address)
        await context.abort(grpc.StatusCode.UNAVAILABLE, told, ((LEADER_METADATA, address),) if address else ())
