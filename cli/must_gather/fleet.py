"""What the coordinator says of its nodes and policies, by its FleetView."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message

from cli.access import ToCoordinator
from nicfleet.channel import NotDialled, Tls, TokenUnusable, open_channel, shown
from nicfleet.v1 import view_pb2, view_pb2_grpc

SECONDS: Final = 15.0
"""For one answer, the first one too."""

_PAGE: Final = 500


class Unheard(Exception):
    """The coordinator does not answer, or not as asked; the text says why."""


class FleetReader:
    """The views, in JSON with the proto's field names. Every method raises Unheard."""

    def __init__(self, view: Any, tls: Tls | None) -> None:
        self._view = view
        self._tls = tls

    async def pages(self) -> AsyncIterator[list[dict[str, Any]]]:
        """NodeSummaries, in name order."""
        token = ""
        while True:
            request = view_pb2.ListNodesRequest(page_size=_PAGE, page_token=token)
            page = await self._ask(self._view.ListNodes, request)
            yield [_json(node) for node in page.nodes]
            token = page.next_page_token
            if not token:
                return

    async def inventory(self, node: str) -> dict[str, Any] | None:
        """As `nicfleet inspect -o json` has it; None when its agent has not reported."""
        request = view_pb2.GetNodeRequest(name=node)
        answer = await self._ask(self._view.GetNode, request)
        return _json(answer.inventory) if answer.HasField("inventory") else None

    async def policy(self, kind: str, name: str) -> dict[str, Any]:
        """The coordinator's verdict, with every node behind each finding."""
        request = view_pb2.GetPolicyStatusRequest(kind=kind, name=name)
        return _json(await self._ask(self._view.GetPolicyStatus, request))

    async def _ask(self, view: Callable[..., Awaitable[Any]], request: Message) -> Any:
        try:
            return await view(request, metadata=shown(self._tls), timeout=SECONDS)
        except TokenUnusable as error:
            raise Unheard(str(error)) from error
        except grpc.aio.AioRpcError as error:
            raise Unheard(error.details() or error.code().name) from error


@asynccontextmanager
async def connected(coordinator: ToCoordinator) -> AsyncIterator[FleetReader]:
    """It is dialled with the first request. Raises Unheard when what is needed to dial is not there."""
    try:
        channel = open_channel(coordinator.address, coordinator.tls)
    except NotDialled as error:
        raise Unheard(str(error)) from error
    async with channel:
        yield FleetReader(view_pb2_grpc.FleetViewStub(channel), coordinator.tls)


def _json(message: Message) -> dict[str, Any]:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)
