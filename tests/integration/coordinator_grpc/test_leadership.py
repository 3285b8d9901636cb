"""What agents and viewers hear from a coordinator that does not lead, or only begins to."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from nicfleet.inventory import NodeName
from nicfleet.transport import LEADER_METADATA
from nicfleet.v1 import view_pb2
from tests.integration.coordinator_grpc.conftest import Coordinator, OpenGate, running
from tests.integration.coordinator_grpc.raw_http2 import peer
from tests.unit.coordinator.inventories import connectx6dx, inventory, kube_node, ofed
from tests.unit.coordinator.reports import hello, identity

NAME = NodeName("worker-1")
ONE_NIC = inventory(connectx6dx(), driver=ofed())


class Standby:
    """Knows who leads, until it does so itself."""

    leads = False
    leader = "other-pod"
    address = "10.0.0.2:7444"

    def __init__(self) -> None:
        self.known = asyncio.Event()
        self.known.set()

    async def elsewhere(self) -> str | None:
        await self.known.wait()
        return None if self.leads else self.address


@pytest.fixture
def standby() -> Standby:
    return Standby()


@pytest.fixture(params=[None, OpenGate()], ids=["plaintext", "behind-the-gate"])
async def coordinator(standby: Standby, request: pytest.FixtureRequest) -> AsyncIterator[Coordinator]:
    async with running(request.param, standby) as value:
        value.fleet.node_seen(kube_node(NAME))
        yield value


@pytest.mark.parametrize("address", ["10.0.0.2:7444", ""])
async def test_an_agent_is_told_who_leads_and_the_fleet_hears_nothing(
    coordinator: Coordinator, standby: Standby, address: str
) -> None:
    standby.address = address
    agent = coordinator.agent()
    await agent.send(hello=hello(ONE_NIC, identity()))
    assert await agent.end() is grpc.StatusCode.UNAVAILABLE
    assert dict(await agent.call.trailing_metadata())[LEADER_METADATA] == address
    assert str(await agent.call.details()).startswith("this coordinator is on standby, and ")
    snapshot = coordinator.fleet.snapshot(NAME)
    assert snapshot is not None
    assert snapshot.identity is None


async def test_an_agent_that_came_a_moment_too_early_is_welcome_when_this_one_leads(
    coordinator: Coordinator, standby: Standby
) -> None:
    standby.known.clear()
    waiting = asyncio.create_task(coordinator.agent().say_hello(ONE_NIC, identity()))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    standby.leads = True
    standby.known.set()
    assert (await waiting).HasField("welcome")


async def test_an_agent_that_says_nonsense_is_told_who_leads_all_the_same(coordinator: Coordinator) -> None:
    say: Any = coordinator.channel.stream_stream("/nicfleet.v1.Fleet/Report")  # as bytes
    call = say()
    await call.write(b"\xff\xff\xff")
    assert dict(await call.trailing_metadata())[LEADER_METADATA] == "10.0.0.2:7444"


async def test_an_agent_that_takes_no_message_is_sent_away_all_the_same(coordinator: Coordinator) -> None:
    async with peer(coordinator.server.port, window=0) as agent:
        call = agent.call("/nicfleet.v1.Fleet/Report")
        agent.send(call)
        await agent.until(lambda: call in agent.ended)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        pytest.param(
            "10.0.0.2:7444",
            "this coordinator is on standby, and other-pod at 10.0.0.2:7444 leads: ask that one",
            id="known",
        ),
        pytest.param("", "this coordinator is on standby, and no leader is known: ask again soon", id="unknown"),
    ],
)
async def test_a_viewer_is_told_where_to_ask(
    coordinator: Coordinator, standby: Standby, address: str, sentence: str
) -> None:
    standby.address = address
    watch: Any = coordinator.views.WatchNodes(view_pb2.WatchNodesRequest())
    for call in (coordinator.views.ListNodes(view_pb2.ListNodesRequest()), watch.read()):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call
        assert error.value.code() is grpc.StatusCode.UNAVAILABLE
        assert error.value.details() == sentence
        trailing = dict(error.value.trailing_metadata() or ())
        assert trailing.get(LEADER_METADATA, "") == address


async def test_it_is_healthy_and_views_open_when_it_leads(coordinator: Coordinator, standby: Standby) -> None:
    health = health_pb2_grpc.HealthStub(coordinator.channel)
    await health.Check(health_pb2.HealthCheckRequest())  # answered, whoever leads
    standby.leads = True
    assert len((await coordinator.views.ListNodes(view_pb2.ListNodesRequest())).nodes) == 1
