"""Peers that have not proved who they are: they are told so, and what they say is not read."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from coordinator.authentication.gate import Unchecked
from coordinator.authentication.rules import NO_AGENT_TOKEN, NO_VIEWER_TOKEN, Agent
from coordinator.fleet import bounds, server, view_guard
from coordinator.fleet.fleet import Connection
from nicfleet.inventory import NodeName
from nicfleet.reasons import Finding
from nicfleet.v1 import fleet_pb2
from tests.integration.coordinator_grpc.conftest import Coordinator, running
from tests.unit.coordinator.inventories import connectx6dx, inventory, kube_node
from tests.unit.coordinator.reports import identity

NAME = NodeName("worker-1")
VALUE = inventory(connectx6dx())
AGENT = Agent(NAME, "", "pod", 1e12)


@dataclass
class Gate:
    """Answers the same to everybody, when it is told to."""

    answer: Agent | Finding | Unchecked = NO_AGENT_TOKEN
    open: asyncio.Event = field(default_factory=asyncio.Event)
    reachable = True

    async def agent(self, token: str, peer: str) -> Agent | Finding:
        await self.open.wait()
        if isinstance(self.answer, Unchecked):
            raise self.answer
        return self.answer

    async def viewer(self, token: str, peer: str) -> Finding:
        await self.open.wait()
        return NO_VIEWER_TOKEN


@pytest.fixture
def gate() -> Gate:
    gate = Gate()
    gate.open.set()
    return gate


@pytest.fixture
async def coordinator(gate: Gate) -> AsyncIterator[Coordinator]:
    async with running(gate) as value:  # type: ignore[arg-type]  # what servers ask of it
        value.fleet.node_seen(kube_node(NAME))
        yield value


def _bytes(coordinator: Coordinator, method: str = "Fleet/Report") -> Any:
    call: Any = coordinator.channel.stream_stream(f"/nicfleet.v1.{method}")
    return call()


@pytest.mark.parametrize("silence", [0.0, 0.3], ids=["at-once", "late"])
async def test_a_stranger_is_told_in_words_when_it_has_spoken(coordinator: Coordinator, silence: float) -> None:
    """gRPC's client takes an answer that comes before its own message for an internal error."""
    agent = coordinator.agent()
    await agent.call.wait_for_connection()
    await asyncio.sleep(silence)
    assert (await agent.say_hello(VALUE, identity())).refused.message == NO_AGENT_TOKEN.message
    assert await agent.end() is grpc.StatusCode.UNAUTHENTICATED


async def test_an_agent_that_cannot_be_checked_hears_why(coordinator: Coordinator, gate: Gate) -> None:
    gate.answer = Unchecked("the token cannot be checked now")
    agent = coordinator.agent()
    await agent.call.wait_for_connection()
    await asyncio.sleep(0.3)
    await agent.send(heartbeat=fleet_pb2.Heartbeat())
    assert await agent.end() is grpc.StatusCode.UNAVAILABLE
    assert await agent.call.details() == "the token cannot be checked now"


async def test_what_a_stranger_says_is_not_read(coordinator: Coordinator) -> None:
    call = _bytes(coordinator)
    await call.write(b"\xff\xff\xff")
    answer = fleet_pb2.ReportResponse.FromString(await call.read())
    assert answer.refused.message == NO_AGENT_TOKEN.message


async def test_what_a_stranger_says_is_not_even_taken_in(coordinator: Coordinator, gate: Gate) -> None:
    """Its gRPC keeps it: of a message of megabytes, the coordinator takes what one asks for."""
    gate.open.clear()
    call = _bytes(coordinator)
    writing = asyncio.create_task(call.write(bytes(bounds.MAX_MESSAGE)))
    done, _ = await asyncio.wait({writing}, timeout=0.5)
    assert not done
    gate.open.set()
    assert fleet_pb2.ReportResponse.FromString(await call.read()).HasField("refused")
    await writing


@pytest.mark.parametrize("method", ["ListNodes", "WatchNodes"])
async def test_nor_is_that_of_a_viewer(
    coordinator: Coordinator, gate: Gate, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(view_guard, "is_loopback", lambda peer: False)
    gate.open.clear()
    call = _bytes(coordinator, f"FleetView/{method}")
    writing = asyncio.create_task(call.write(bytes(bounds.MAX_MESSAGE)))
    done, _ = await asyncio.wait({writing}, timeout=0.5)
    assert not done
    writing.cancel()


async def test_everybody_may_ask_for_health_in_few_words(coordinator: Coordinator) -> None:
    await coordinator.server.health.set(serving=True)
    health: Any = health_pb2_grpc.HealthStub(coordinator.channel)
    small = health_pb2.HealthCheckRequest(service="nicfleet.v1.Fleet")
    assert (await health.Check(small)).status == health_pb2.HealthCheckResponse.SERVING
    watch = health.Watch(small)
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    await coordinator.server.health.set(serving=False)
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    large = health_pb2.HealthCheckRequest(service="x" * 1025)
    for call in (health.Check(large), health.Watch(large).read()):
        with pytest.raises(grpc.aio.AioRpcError, match="ask at once, in at most 1024 bytes"):
            await call
    say: Any = coordinator.channel.unary_unary("/grpc.health.v1.Health/Check")
    with pytest.raises(grpc.aio.AioRpcError, match="the message is not of grpc"):
        await say(b"\xff\xff\xff")
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await health.Check(health_pb2.HealthCheckRequest(service="x"))
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


async def test_who_only_holds_a_connection_loses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(server._OPTIONS, "grpc.server_handshake_timeout_ms", 100)
    async with running() as coordinator:
        reader, writer = await asyncio.open_connection("127.0.0.1", coordinator.server.port)
        async with asyncio.timeout(2):
            while await reader.read(1024):  # its settings
                pass
        writer.close()


async def test_an_agents_first_message_is_small(coordinator: Coordinator, gate: Gate) -> None:
    gate.answer = AGENT
    call = _bytes(coordinator)
    await call.write(bytes(bounds.MAX_MESSAGE))
    refused = fleet_pb2.ReportResponse.FromString(await call.read()).refused
    assert refused.message == "the first message has 4194304 bytes, 262144 are allowed"


async def test_a_greeting_that_waits_for_too_much_ends_in_time_and_changes_nothing(
    coordinator: Coordinator, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check of the token and the probe of the agent that is there share the time."""
    gate.answer = AGENT
    first = await coordinator.connected(VALUE, identity())
    monkeypatch.setattr(server, "GREETING_SECONDS", 1.0)
    gate.open.clear()
    second = coordinator.agent()
    waiting = asyncio.create_task(second.say_hello(VALUE, identity(instance="instance-2")))
    await asyncio.sleep(0.5)
    gate.open.set()
    async with asyncio.timeout(3):  # a probe alone is 5 s
        assert (await first.receive()).HasField("probe")
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await waiting
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "the greeting came to no end in 1 s" in str(late.value.details())
    assert coordinator.connection(NAME) is Connection.CONNECTED
    assert (await first.report(VALUE, [], sequence=2)).ack.sequence == 2
