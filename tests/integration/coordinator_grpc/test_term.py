"""A token's end while the API server is away: no new one could be checked, so the stream that there is goes on."""

import grpc
import pytest

from coordinator.fleet.fleet import Connection
from nicfleet.inventory import NodeName
from nicfleet.v1 import fleet_pb2
from tests.integration.coordinator_grpc.conftest import OpenGate, running
from tests.unit.coordinator.inventories import connectx6dx, inventory, kube_node
from tests.unit.coordinator.reports import hello, identity

NAME = NodeName("worker-1")
VALUE = inventory(connectx6dx())


async def test_a_stream_outlives_its_token_while_the_api_server_is_away_and_no_longer() -> None:
    gate = OpenGate(reachable=False, seconds=0.0)
    async with running(gate) as coordinator:
        coordinator.fleet.node_seen(kube_node(NAME))
        agent = coordinator.agent()
        await agent.say_hello(VALUE, identity())
        for sequence in (1, 2, 3):
            assert (await agent.report(VALUE, sequence=sequence)).ack.sequence == sequence
        gate.reachable = True
        await agent.send(heartbeat=fleet_pb2.Heartbeat())
        assert await agent.end() is grpc.StatusCode.UNAUTHENTICATED
        await coordinator.until(NAME, Connection.SILENT)


@pytest.mark.parametrize("reachable", [True, False])
async def test_whose_agent_it_is_counts_whether_or_not_the_api_server_is_there(reachable: bool) -> None:
    async with running(OpenGate(reachable)) as coordinator:
        agent = coordinator.agent()
        await agent.send(hello=hello(VALUE, identity("worker-2")))
        assert await agent.end() is grpc.StatusCode.PERMISSION_DENIED
        assert coordinator.fleet.snapshot(NodeName("worker-2")) is None
