"""A coordinator's gRPC server on a loopback port, and an agent's end of its streams."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import grpc
import pytest

from coordinator.authentication.gate import Gate
from coordinator.authentication.rules import Agent, Viewer
from coordinator.fleet import hearing
from coordinator.fleet.fleet import Connection, Fleet
from coordinator.fleet.identity import Identity
from coordinator.fleet.leadership import ALONE, Leadership
from coordinator.fleet.refusals import Refusals
from coordinator.fleet.server import Server, serve
from coordinator.fleet.views import FleetView, LabelStatus, PolicyStatus
from nicfleet.inventory import Inventory, NodeName
from nicfleet.v1 import fleet_pb2, fleet_pb2_grpc, view_pb2_grpc
from tests.unit.coordinator.reports import hello, update


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer's first word is waited for, however slow this machine is: a test that means an end of it says so."""
    monkeypatch.setattr(hearing, "_SECONDS", 60.0)
    monkeypatch.setattr(hearing, "_PATIENCE", 60.0)


class AgentStream:
    """One Report stream, spoken by hand."""

    def __init__(self, call: Any) -> None:
        self.call = call

    async def send(self, **kind: Any) -> None:
        await self.call.write(fleet_pb2.ReportRequest(**kind))

    async def receive(self) -> fleet_pb2.ReportResponse:
        response = await self.call.read()
        assert response is not grpc.aio.EOF, await self.call.code()
        return response  # type: ignore[no-any-return]

    async def say_hello(self, value: Inventory, who: Identity) -> fleet_pb2.ReportResponse:
        await self.send(hello=hello(value, who))
        return await self.receive()

    async def report(self, value: Inventory, names: Iterable[str] | None = None, sequence: int = 1) -> Any:
        """Send an update and return the answer."""
        await self.send(update=update(value, names, sequence))
        return await self.receive()

    async def end(self) -> grpc.StatusCode:
        """Read to the end; the status the server gave."""
        with suppress(grpc.aio.AioRpcError):
            while await self.call.read() is not grpc.aio.EOF:
                pass
        return await self.call.code()  # type: ignore[no-any-return]


@dataclass
class Coordinator:
    """The running server, what stands behind it, and a client's channel."""

    fleet: Fleet
    view: FleetView
    server: Server
    channel: grpc.aio.Channel
    labels: dict[NodeName, LabelStatus]
    policies: dict[str, PolicyStatus]
    changed: asyncio.Event
    """Set with every change of the fleet."""

    @property
    def views(self) -> "view_pb2_grpc.FleetViewAsyncStub":
        return view_pb2_grpc.FleetViewStub(self.channel)

    def connection(self, name: NodeName) -> Connection:
        snapshot = self.fleet.snapshot(name)
        assert snapshot is not None
        return snapshot.connection

    async def until(self, name: NodeName, connection: Connection) -> None:
        async with asyncio.timeout(60):
            while self.connection(name) is not connection:
                self.changed.clear()
                await self.changed.wait()

    def agent(self) -> AgentStream:
        return AgentStream(fleet_pb2_grpc.FleetStub(self.channel).Report())

    async def connected(self, value: Inventory, who: Identity) -> AgentStream:
        """An agent that has said hello and sent all that was asked for."""
        agent = self.agent()
        welcome = (await agent.say_hello(value, who)).welcome
        if welcome.missing:
            assert (await agent.report(value, welcome.missing)).ack.sequence == 1
        return agent


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class OpenGate:
    """Lets everybody in: viewers, and as worker-1's the agents, whose token ends so many seconds after its check."""

    reachable: bool = True
    seconds: float = 3600.0

    async def agent(self, token: str, peer: str) -> Agent:
        return Agent(NodeName("worker-1"), "", "pod", time.time() + self.seconds)

    async def viewer(self, token: str, peer: str) -> Viewer:
        return Viewer("somebody", None)


@asynccontextmanager
async def running(gate: Gate | OpenGate | None = None, leadership: Leadership = ALONE) -> AsyncIterator[Coordinator]:
    """A coordinator whose list of Nodes is complete and empty."""
    labels: dict[NodeName, LabelStatus] = {}
    policies: dict[str, PolicyStatus] = {}
    changed = asyncio.Event()

    def on_change(name: NodeName, hardware: bool) -> None:
        view.changed(name)
        changed.set()

    fleet = Fleet(now, on_change)
    view = FleetView(fleet, now, labels.get, lambda _, name: policies.get(name))
    fleet.nodes_synced()
    asked: Any = gate
    server = await serve("127.0.0.1:0", fleet, view, Refusals(monotonic), gate=asked, leadership=leadership)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield Coordinator(fleet, view, server, channel, labels, policies, changed)
    await server.stop(grace=0)


@pytest.fixture
async def coordinator() -> AsyncIterator[Coordinator]:
    async with running() as value:
        yield value
