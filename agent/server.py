"""The agent's own gRPC server: the node's inventory for people and tools, with or without a coordinator."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc

from agent.latest import Latest
from nicfleet import wire
from nicfleet.introspection import Health, add_introspection
from nicfleet.transport import SERVER_OPTIONS
from nicfleet.v1 import view_pb2, view_pb2_grpc

SERVICE: Final = "nicfleet.v1.NodeView"
_GRACE_SECONDS: Final = 1.0


class CannotListen(Exception):
    """The address cannot be served on; the text is one sentence."""


class NodeView(view_pb2_grpc.NodeViewServicer):
    """Answers from the latest inventory. A watcher that is slow skips what came between."""

    def __init__(self, latest: Latest) -> None:
        self._latest = latest

    async def GetInventory(self, request: view_pb2.GetInventoryRequest, context: Any) -> view_pb2.GetInventoryResponse:  # noqa: N802  # name given by the proto
        snapshot = self._latest.snapshot
        if snapshot is None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the first look at this node is not over; ask again")
            raise AssertionError("abort returned")
        return view_pb2.GetInventoryResponse(inventory=wire.to_wire(snapshot.inventory))

    async def WatchInventory(  # noqa: N802  # named in the proto
        self, request: view_pb2.WatchInventoryRequest, context: Any
    ) -> AsyncIterator[view_pb2.WatchInventoryResponse]:
        version = 0
        while True:
            snapshot = await self._latest.newer_than(version)
            version = snapshot.version
            yield view_pb2.WatchInventoryResponse(inventory=wire.to_wire(snapshot.inventory))


@asynccontextmanager
async def serving(address: str, latest: Latest) -> AsyncIterator[int]:
    """Serve NodeView, health and reflection on HOST:PORT for as long as the context lasts; gives the port.

    Health is SERVING after the first complete inventory. Raises CannotListen.
    """
    server = grpc.aio.server(options=SERVER_OPTIONS)
    view_pb2_grpc.add_NodeViewServicer_to_server(NodeView(latest), server)
    health = await add_introspection(server, [SERVICE])
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise CannotListen(f"--grpc-listen {address}: the address is in use or not of this machine") from error
    await server.start()
    ready = asyncio.create_task(_serve_when_known(health, latest))
    try:
        yield port
    finally:
        ready.cancel()
        await health.set(serving=False)
        await server.stop(_GRACE_SECONDS)


async def _serve_when_known(health: Health, latest: Latest) -> None:
    await latest.newer_than(0)
    await health.set(serving=True)
