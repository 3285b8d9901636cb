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
from coordinator.fleet import bounds, hearing, server, sessions, view_guard
from coordinator.fleet.fleet import Connection
from coordinator.fleet.views import FleetView
from nicfleet.inventory import NodeName
from nicfleet.reasons import Finding
from nicfleet.v1 import fleet_pb2, view_pb2
from tests.integration.coordinator_grpc.conftest import Coordinator, OpenGate, running
from tests.integration.coordinator_grpc.raw_http2 import peer
from tests.unit.coordinator.inventories import connectx6dx, inventory, kube_node
from tests.unit.coordinator.reports import hello, identity

NAME = NodeName("worker-1")
VALUE = inventory(connectx6dx())
AGENT = Agent(NAME, "", "pod", 1e12)


@dataclass
class Gate:
    """Answers the same to everybody, when it is told to."""

    answer: Agent | Finding | Unchecked = NO_AGENT_TOKEN
    open: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    shown: list[str] = field(default_factory=list)
    reachable = True

    async def agent(self, token: str, peer: str) -> Agent | Finding:
        self.shown.append(token)
        self.asked.set()
        await self.open.wait()
        if isinstance(self.answer, Unchecked):
            raise self.answer
        return self.answer

    async def viewer(self, token: str, peer: str) -> Finding:
        self.asked.set()
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
    await agent.send(hello=hello(VALUE, identity()))
    assert await agent.end() is grpc.StatusCode.UNAUTHENTICATED
    assert await agent.call.details() == NO_AGENT_TOKEN.message


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
    assert await call.code() is grpc.StatusCode.UNAUTHENTICATED
    assert await call.details() == NO_AGENT_TOKEN.message


GUARDED = pytest.mark.parametrize(
    "method",
    [
        "nicfleet.v1.Fleet/Report",
        "nicfleet.v1.FleetView/ListNodes",
        "nicfleet.v1.FleetView/WatchNodes",
        "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ],
)


@pytest.fixture
def from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Viewers on this machine are taken for ones on another."""
    monkeypatch.setattr(view_guard, "is_loopback", lambda peer: False)


@GUARDED
@pytest.mark.usefixtures("from_elsewhere")
async def test_what_a_stranger_says_is_not_even_taken_in(coordinator: Coordinator, gate: Gate, method: str) -> None:
    """Of a message of megabytes, the coordinator takes what nobody has to ask for."""
    gate.open.clear()
    async with peer(coordinator.server.port) as stranger:
        call = stranger.call(f"/{method}")
        stranger.send(call, bounds.MAX_MESSAGE)
        await gate.asked.wait()
        await stranger.in_step()
        assert stranger.wanted[call] == 0
        gate.open.set()
        await stranger.until(lambda: stranger.wanted[call] > 0)  # it is heard out, and so this can be seen


@GUARDED
@pytest.mark.usefixtures("from_elsewhere")
async def test_a_stranger_that_takes_no_message_is_sent_away_all_the_same(
    coordinator: Coordinator, method: str
) -> None:
    async with peer(coordinator.server.port, window=0) as stranger:
        calls = {stranger.call(f"/{method}") for _ in range(10)}
        for call in calls:
            stranger.send(call)
        await stranger.until(lambda: stranger.ended == calls)


@GUARDED
@pytest.mark.usefixtures("from_elsewhere")
async def test_nobody_is_sent_away_before_his_first_word(coordinator: Coordinator, gate: Gate, method: str) -> None:
    """gRPC's client takes an answer that comes before its own message for an internal error."""
    async with peer(coordinator.server.port) as stranger:
        call = stranger.call(f"/{method}")
        await gate.asked.wait()
        await stranger.in_step()
        assert call not in stranger.ended
        stranger.send(call)
        await stranger.until(lambda: call in stranger.ended)


async def test_calls_of_one_connection_are_few_at_a_time(coordinator: Coordinator, gate: Gate) -> None:
    gate.open.clear()
    async with peer(coordinator.server.port) as stranger:
        calls = [stranger.call("/nicfleet.v1.Fleet/Report") for _ in range(100)]
        await stranger.until(lambda: stranger.ended == set(calls[16:]))
        assert len(gate.shown) <= 16


async def test_a_long_token_arrives(coordinator: Coordinator, gate: Gate) -> None:
    """gRPC refuses some calls with more than 8 KiB of metadata by itself, and all with more than 16."""
    token = "t" * (12 << 10)
    say: Any = coordinator.channel.stream_stream("/nicfleet.v1.Fleet/Report")
    for _ in range(20):
        call = say(metadata=(("authorization", f"Bearer {token}"),))
        await call.write(b"")
        assert await call.code() is grpc.StatusCode.UNAUTHENTICATED
    assert gate.shown == [token] * 20


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


async def test_who_takes_no_word_of_health_keeps_nobody_else_from_it(coordinator: Coordinator) -> None:
    port = coordinator.server.port
    async with peer(port, 0, "127.0.0.9") as first, peer(port, 0, "127.0.0.9") as second:
        for stranger in [first] * 16 + [second]:
            stranger.send(stranger.call("/grpc.health.v1.Health/Watch"))
        waits = first.until(lambda: bool(first.ended)), second.until(lambda: bool(second.ended))
        ends = [asyncio.ensure_future(each) for each in waits]
        done, (still,) = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 1  # too many of one address: so all others are being answered by now
        still.cancel()
        async with asyncio.timeout(60):
            await coordinator.server.health.set(serving=True)
        stub: Any = health_pb2_grpc.HealthStub(coordinator.channel)
        assert (await stub.Check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.SERVING
        assert len(first.ended) + len(second.ended) == 1


async def test_who_finds_no_room_to_ask_for_health_is_told_so(
    coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    listened_to = asyncio.Semaphore(0)

    async def listen(_: object) -> None:
        listened_to.release()
        await asyncio.Event().wait()

    monkeypatch.setattr(hearing, "_first", listen)
    stub: Any = health_pb2_grpc.HealthStub(coordinator.channel)
    silent = [stub.Check(health_pb2.HealthCheckRequest()) for _ in range(4)]
    for _ in silent:
        await listened_to.acquire()
    monkeypatch.setattr(hearing, "_PATIENCE", 0.1)
    with pytest.raises(grpc.aio.AioRpcError, match="too many ask") as refused:
        await stub.Check(health_pb2.HealthCheckRequest())
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_view_that_has_no_time_is_no_token_that_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    async def watch(*_: object) -> AsyncIterator[object]:
        raise TimeoutError
        yield

    monkeypatch.setattr(FleetView, "WatchNodes", watch)
    monkeypatch.setattr(view_guard, "is_loopback", lambda peer: False)
    async with running(OpenGate()) as coordinator:
        call: Any = coordinator.views.WatchNodes(view_pb2.WatchNodesRequest())
        assert await call.code() is grpc.StatusCode.UNKNOWN


async def test_who_only_holds_a_connection_loses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(server._OPTIONS, "grpc.server_handshake_timeout_ms", 100)
    async with running() as coordinator:
        reader, writer = await asyncio.open_connection("127.0.0.1", coordinator.server.port)
        async with asyncio.timeout(60):  # gRPC's own limit is two minutes
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
    """Here for the agent that is there, which could take a minute to answer."""
    gate.answer = AGENT
    first = await coordinator.connected(VALUE, identity())
    monkeypatch.setattr(sessions, "PROBE_SECONDS", 60.0)
    monkeypatch.setattr(server, "GREETING_SECONDS", 5.0)
    second = coordinator.agent()
    await second.send(hello=hello(VALUE, identity(instance="instance-2")))
    assert (await first.receive()).HasField("probe")
    async with asyncio.timeout(50):
        assert await second.end() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "the greeting came to no end in 5 s" in await second.call.details()
    assert coordinator.connection(NAME) is Connection.CONNECTED
    assert (await first.report(VALUE, [], sequence=2)).ack.sequence == 2


async def test_the_check_of_the_token_is_a_part_of_the_greeting(
    coordinator: Coordinator, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "GREETING_SECONDS", 5.0)  # in which the agent says its word
    gate.open.clear()
    agent = coordinator.agent()
    await agent.send(hello=hello(VALUE, identity()))
    assert await agent.end() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "the greeting came to no end in 5 s" in await agent.call.details()
