"""What agents and viewers hear from a coordinator that does not lead, or only begins to."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from coordinator.fleet.leadership import LEADER_METADATA
from nicfleet.inventory import NodeName
from nicfleet.v1 import fleet_pb2, view_pb2
from tests.integration.coordinator_grpc.conftest import Coordinator, OpenGate, running
from tests.unit.coordinator.inventories import connectx6dx, inventory, kube_node, ofed
from tests.unit.coordinator.reports import identity

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
    answer = await agent.say_hello(ONE_NIC, identity())
    assert answer == fleet_pb2.ReportResponse(not_leader=fleet_pb2.NotLeader(address=address))
    assert await agent.end() is grpc.StatusCode.OK
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
    assert fleet_pb2.ReportResponse.FromString(await call.read()).not_leader.address == "10.0.0.2:7444"


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
