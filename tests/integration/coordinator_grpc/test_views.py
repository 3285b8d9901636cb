"""FleetView, health and reflection over real sockets."""

import asyncio
import socket
from time import monotonic
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from coordinator.fleet.refusals import Refusals
from coordinator.fleet.server import CannotListen, serve
from coordinator.fleet.views import LabelStatus, PolicyStatus, StateStatus
from nicfleet.inventory import NodeName
from nicfleet.reasons import Finding, Reason
from nicfleet.v1 import inventory_pb2, view_pb2
from nicfleet.wire import to_wire
from tests.integration.coordinator_grpc.conftest import Coordinator
from tests.unit.coordinator.inventories import connectx6dx, connectx6lx, inventory, kube_node, ofed
from tests.unit.coordinator.reports import identity

NAME = NodeName("worker-1")
VALUE = inventory(connectx6dx(), connectx6lx(), driver=ofed())


async def test_a_node_in_a_list(coordinator: Coordinator) -> None:
    coordinator.fleet.node_seen(kube_node(NAME))
    before = await coordinator.views.ListNodes(view_pb2.ListNodesRequest())
    assert before.nodes[0].connection == view_pb2.CONNECTION_NOT_REPORTED
    assert not before.settled
    await coordinator.connected(VALUE, identity())
    invalid = Finding(Reason.InvalidLabel, "a label is left out")
    coordinator.labels[NAME] = LabelStatus({"a": "b"}, in_step=True, findings=(invalid,))
    answer = await coordinator.views.ListNodes(view_pb2.ListNodesRequest())
    (node,) = answer.nodes
    assert answer.settled
    assert node.HasField("since")
    assert node.HasField("reported")
    node.ClearField("since")
    node.ClearField("reported")
    assert node == view_pb2.NodeSummary(
        name=NAME,
        connection=view_pb2.CONNECTION_CONNECTED,
        agent_version="0.1.0",
        instance_id="instance-1",
        functions=2,
        models=["ConnectX-6 Dx", "ConnectX-6 Lx"],
        driver_flavour=inventory_pb2.FLAVOUR_OFED,
        driver_version="24.10-0.7.0",
        labels={"a": "b"},
        labels_in_step=True,
        findings=[
            view_pb2.Finding(reason="InvalidLabel", message="a label is left out"),
            view_pb2.Finding(
                reason="UnsupportedDevice",
                message="ConnectX-6 Lx is not supported: use another (0000:5e:00.0)",
            ),
        ],
    )


@pytest.mark.parametrize(
    ("asked", "pages"),
    [
        pytest.param(2, [["n0", "n1"], ["n2", "n3"], ["n4"]], id="rest"),
        pytest.param(5, [["n0", "n1", "n2", "n3", "n4"]], id="exact"),
        pytest.param(0, [["n0", "n1", "n2", "n3", "n4"]], id="default"),
    ],
)
async def test_pages(coordinator: Coordinator, asked: int, pages: list[list[str]]) -> None:
    for name in ("n3", "n1", "n0", "n4", "n2"):
        coordinator.fleet.node_seen(kube_node(name))
    token, seen = "", []
    while True:
        page = await coordinator.views.ListNodes(view_pb2.ListNodesRequest(page_size=asked, page_token=token))
        seen.append([node.name for node in page.nodes])
        token = page.next_page_token
        if not token:
            break
    assert seen == pages


@pytest.mark.parametrize(("asked", "given"), [(0, 200), (999, 999), (5000, 1000)])
async def test_page_sizes(coordinator: Coordinator, asked: int, given: int) -> None:
    for number in range(1001):
        coordinator.fleet.node_seen(kube_node(f"n{number:04}"))
    page = await coordinator.views.ListNodes(view_pb2.ListNodesRequest(page_size=asked))
    assert len(page.nodes) == given
    assert page.next_page_token == f"n{given - 1:04}"


async def test_one_node_with_its_inventory(coordinator: Coordinator) -> None:
    await coordinator.connected(VALUE, identity())
    answer = await coordinator.views.GetNode(view_pb2.GetNodeRequest(name=NAME))
    assert answer.inventory == to_wire(VALUE)
    assert answer.summary.connection == view_pb2.CONNECTION_GONE
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await coordinator.views.GetNode(view_pb2.GetNodeRequest(name="worker-9"))
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    assert raised.value.details() == (
        "node 'worker-9' is not known: no Node of this name exists and no agent reports for it"
    )


async def test_a_watch_tells_all_once_and_then_changes(coordinator: Coordinator) -> None:
    coordinator.fleet.node_seen(kube_node("worker-2"))
    coordinator.fleet.node_seen(kube_node(NAME))
    watch: Any = coordinator.views.WatchNodes(view_pb2.WatchNodesRequest())
    assert [(await watch.read()).node.name for _ in range(2)] == ["worker-1", "worker-2"]
    coordinator.view.changed(NAME)  # nothing new
    await coordinator.connected(VALUE, identity("worker-2"))
    news = await watch.read()
    assert news.node.name == "worker-2"
    coordinator.labels[NAME] = LabelStatus({"a": "b"})
    coordinator.view.changed(NAME)
    while (news := await watch.read()).node.name != NAME:
        pass
    assert news.node.labels == {"a": "b"}
    coordinator.fleet.node_gone(NAME)
    assert await watch.read() == view_pb2.WatchNodesResponse(node=view_pb2.NodeSummary(name=NAME), removed=True)
    watch.cancel()


async def test_a_slow_watcher_gets_the_latest_and_not_every_step(coordinator: Coordinator) -> None:
    for number in range(400):
        coordinator.fleet.node_seen(kube_node(f"n{number:03}"))
    watch: Any = coordinator.views.WatchNodes(view_pb2.WatchNodesRequest())
    for _ in range(400):
        await watch.read()
    # All in one turn of the loop: nothing can be sent in between.
    for step in range(1000):
        coordinator.labels[NodeName("n000")] = LabelStatus({"step": str(step)})
        coordinator.view.changed(NodeName("n000"))
    coordinator.labels[NodeName("n001")] = LabelStatus({"step": "last"})
    coordinator.view.changed(NodeName("n001"))
    async with asyncio.timeout(60):
        first, second = await watch.read(), await watch.read()
    assert first.node.labels == {"step": "999"}
    assert second.node.labels == {"step": "last"}
    watch.cancel()


async def test_policy_status(coordinator: Coordinator) -> None:
    finding = Finding(Reason.DriverNotLoaded, "driver x is not loaded", ("worker-1", "worker-2"))
    states = (StateStatus("state-OFED", "notReady", finding), StateStatus("state-multus-cni", "ready"))
    coordinator.policies["nic-cluster-policy"] = PolicyStatus("nic-cluster-policy", "notReady", 3, states)
    assert await coordinator.views.GetPolicyStatus(
        view_pb2.GetPolicyStatusRequest()
    ) == view_pb2.GetPolicyStatusResponse(
        name="nic-cluster-policy",
        state="notReady",
        observed_generation=3,
        states=[
            view_pb2.StateStatus(
                name="state-OFED",
                state="notReady",
                finding=view_pb2.Finding(
                    reason="DriverNotLoaded", message="driver x is not loaded", nodes=["worker-1", "worker-2"]
                ),
                nodes=["worker-1", "worker-2"],
            ),
            view_pb2.StateStatus(name="state-multus-cni", state="ready"),
        ],
    )
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await coordinator.views.GetPolicyStatus(view_pb2.GetPolicyStatusRequest(name="other"))
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("service", ["", "nicfleet.v1.Fleet", "nicfleet.v1.FleetView"])
async def test_health_is_what_it_was_set_to(coordinator: Coordinator, service: str) -> None:
    health = health_pb2_grpc.HealthStub(coordinator.channel)
    request = health_pb2.HealthCheckRequest(service=service)
    assert (await health.Check(request)).status == health_pb2.HealthCheckResponse.NOT_SERVING
    await coordinator.server.health.set(serving=True)
    assert (await health.Check(request)).status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection_lists_the_services(coordinator: Coordinator) -> None:
    call = reflection_pb2_grpc.ServerReflectionStub(coordinator.channel).ServerReflectionInfo()
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    answer = await call.read()
    call.cancel()
    names = {service.name for service in answer.list_services_response.service}
    assert names >= {"nicfleet.v1.Fleet", "nicfleet.v1.FleetView", "grpc.health.v1.Health"}


async def test_an_address_that_is_taken(coordinator: Coordinator) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(CannotListen, match=f"^cannot listen on {address}: give --grpc-listen a free HOST:PORT"):
            await serve(address, coordinator.fleet, coordinator.view, Refusals(monotonic))
