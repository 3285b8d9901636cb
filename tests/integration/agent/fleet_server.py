"""A real Fleet server on loopback whose part the test plays by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from nicfleet.transport import LEADER_METADATA
from nicfleet.v1 import fleet_pb2, fleet_pb2_grpc

SECONDS = 60.0
"""Longest wait for anything; reached only when a test fails."""


class Stream:
    """One agent's stream, seen from the coordinator."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self.received: asyncio.Queue[fleet_pb2.ReportRequest] = asyncio.Queue()
        self.closed = asyncio.Event()

    @property
    def token(self) -> str:
        """What the agent shows."""
        return str(dict(self._context.invocation_metadata()).get("authorization", "")).removeprefix("Bearer ")

    async def receive(self) -> fleet_pb2.ReportRequest:
        """The agent's next message."""
        async with asyncio.timeout(SECONDS):
            return await self.received.get()

    async def send(self, **kind: Any) -> None:
        """Answer; for example `send(ack=fleet_pb2.Ack(sequence=1))`."""
        await self._context.write(fleet_pb2.ReportResponse(**kind))

    async def welcome(self, *missing: str, heartbeat_seconds: int = 60) -> None:
        await self.send(welcome=fleet_pb2.Welcome(missing=missing, heartbeat_seconds=heartbeat_seconds))

    async def probe(self) -> None:
        """The agent still speaks on it."""
        await self.send(probe=fleet_pb2.Probe())
        assert (await self.receive()).WhichOneof("kind") == "heartbeat"

    async def refuse(self) -> None:
        """As one whose token nobody believes."""
        await self.receive()
        self.close(grpc.StatusCode.UNAUTHENTICATED, "the token has expired")

    async def name_leader(self, address: str) -> None:
        """As one that does not lead; empty: it knows of no other."""
        await self.receive()
        self.close(grpc.StatusCode.UNAVAILABLE, "this coordinator is on standby", ((LEADER_METADATA, address),))

    def close(
        self, code: grpc.StatusCode = grpc.StatusCode.OK, details: str = "", trailing: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """End the stream."""
        self._context.set_trailing_metadata(trailing)
        self._context.set_code(code)
        self._context.set_details(details)
        self.closed.set()


class Fleet(fleet_pb2_grpc.FleetServicer):
    """Hands every stream to the test."""

    def __init__(self) -> None:
        self._streams: asyncio.Queue[Stream] = asyncio.Queue()
        self.address = ""

    async def stream(self) -> Stream:
        """The next stream that an agent opens."""
        async with asyncio.timeout(SECONDS):
            return await self._streams.get()

    async def Report(  # type: ignore[override]  # noqa: N802  # name of the proto; the stubs know generators only
        self, request_iterator: Any, context: Any
    ) -> None:
        stream = Stream(context)
        self._streams.put_nowait(stream)
        reading = asyncio.ensure_future(_read(request_iterator, stream))
        closed = asyncio.ensure_future(stream.closed.wait())
        await asyncio.wait({reading, closed}, return_when=asyncio.FIRST_COMPLETED)
        reading.cancel()
        closed.cancel()


async def _read(requests: Any, stream: Stream) -> None:
    async for request in requests:
        stream.received.put_nowait(request)


@asynccontextmanager
async def fleet_server(
    address: str = "127.0.0.1:0", credentials: grpc.ServerCredentials | None = None
) -> AsyncIterator[Fleet]:
    """A coordinator on loopback, in plaintext without credentials; `address` of the result is HOST:PORT."""
    fleet = Fleet()
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    fleet_pb2_grpc.add_FleetServicer_to_server(fleet, server)
    port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    fleet.address = f"127.0.0.1:{port}"
    await server.start()
    try:
        yield fleet
    finally:
        await server.stop(None)
