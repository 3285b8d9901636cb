"""Fleet.Report over real sockets: sessions, takeovers, and messages that make no sense."""

import asyncio
import logging
from typing import Any

import grpc
import pytest

from coordinator.fleet import bounds, server, sessions
from coordinator.fleet.fleet import Connection
from nicfleet.inventory import NodeName
from nicfleet.reasons import Reason
from nicfleet.v1 import fleet_pb2, inventory_pb2, view_pb2
from tests.integration.coordinator_grpc.conftest import Coordinator
from tests.unit.coordinator.inventories import connectx6dx, inventory, kube_node, ofed
from tests.unit.coordinator.reports import hello, identity, update

NAME = NodeName("worker-1")
ONE_NIC = inventory(connectx6dx(), driver=ofed())
TWO_NICS = inventory(connectx6dx(), connectx6dx("0000:af:00.0"), driver=ofed())


@pytest.fixture(autouse=True)
def _node(coordinator: Coordinator) -> None:
    coordinator.fleet.node_seen(kube_node(NAME))


async def test_a_first_session(coordinator: Coordinator) -> None:
    agent = coordinator.agent()
    answer = await agent.say_hello(ONE_NIC, identity())
    assert answer.welcome == fleet_pb2.Welcome(
        missing=["node", "driver", "function/0000:3b:00.0"], heartbeat_seconds=15
    )
    assert (await agent.report(ONE_NIC)).ack.sequence == 1
    assert coordinator.connection(NAME) is Connection.CONNECTED
    assert (await agent.report(TWO_NICS, ["function/0000:af:00.0"], sequence=2)).ack.sequence == 2
    await agent.call.done_writing()
    assert await agent.end() is grpc.StatusCode.OK
    await coordinator.until(NAME, Connection.SILENT)


async def test_a_reconnecting_agent_sends_no_section(coordinator: Coordinator) -> None:
    first = await coordinator.connected(ONE_NIC, identity())
    first.call.cancel()
    await coordinator.until(NAME, Connection.SILENT)
    answer = await coordinator.agent().say_hello(ONE_NIC, identity())
    assert answer.welcome.missing == []
    assert coordinator.connection(NAME) is Connection.CONNECTED


async def test_the_same_agent_on_a_new_connection_replaces_its_old_stream_at_once(
    coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "PROBE_SECONDS", 60.0)
    newcomer = identity()
    old = await coordinator.connected(ONE_NIC, identity())
    async with asyncio.timeout(30):
        new = coordinator.agent()
        assert (await new.say_hello(ONE_NIC, newcomer)).welcome.missing == []
        assert await old.end() is grpc.StatusCode.ABORTED
    assert await old.call.details() == f"agent instance {newcomer.instance_id} speaks for this node now"
    assert coordinator.connection(NAME) is Connection.CONNECTED
    assert (await new.report(ONE_NIC, [])).ack.sequence == 1


@pytest.mark.parametrize("boot", ["boot-1", "boot-2"], ids=["of-this-machine", "of-another-machine"])
async def test_a_second_agent_is_refused_while_the_first_answers(
    coordinator: Coordinator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, boot: str
) -> None:
    monkeypatch.setattr(sessions, "PROBE_SECONDS", 60.0)
    monkeypatch.setattr(server, "GREETING_SECONDS", 60.0)
    first = await coordinator.connected(ONE_NIC, identity())
    second = coordinator.agent()
    await second.send(hello=hello(TWO_NICS, identity(instance="instance-2", boot=boot, started=1)))
    assert (await first.receive()).WhichOneof("kind") == "probe"
    await first.send(heartbeat=fleet_pb2.Heartbeat())
    with caplog.at_level(logging.WARNING):
        refused = (await second.receive()).refused
    assert refused.reason == fleet_pb2.REFUSAL_REASON_NODE_TAKEN
    assert refused.message.startswith("another agent reports for node worker-1 and is alive")
    assert await second.end() is grpc.StatusCode.OK
    assert [(r.message, r.node, r.instance) for r in caplog.records] == [  # type: ignore[attr-defined]
        ("agent refused", "worker-1", "instance-2")
    ]
    (listed,) = (await coordinator.views.ListNodes(view_pb2.ListNodesRequest())).nodes
    assert [finding.reason for finding in listed.findings] == [Reason.DuplicateAgent]
    assert "instance-2" in listed.findings[0].message
    assert listed.instance_id == "instance-1"
    assert listed.functions == 1
    assert (await first.report(ONE_NIC, [], sequence=2)).ack.sequence == 2


async def test_a_stream_that_does_not_answer_is_replaced(
    coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "PROBE_SECONDS", 0.1)
    first = await coordinator.connected(ONE_NIC, identity())
    second = coordinator.agent()
    assert (await second.say_hello(ONE_NIC, identity(instance="instance-2"))).HasField("welcome")
    assert await first.end() is grpc.StatusCode.ABORTED


async def test_of_many_claims_at_once_one_stream_remains(
    coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "PROBE_SECONDS", 0.1)
    streams = [await coordinator.connected(ONE_NIC, identity())]
    streams += [coordinator.agent() for _ in range(3)]
    claims = [stream.say_hello(ONE_NIC, identity(instance=f"new-{n}")) for n, stream in enumerate(streams[1:])]
    await asyncio.gather(*claims)  # none of them ever answers a probe
    alive = {asyncio.create_task(stream.end()) for stream in streams}
    while len(alive) > 1:
        ended, alive = await asyncio.wait(alive, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        assert {task.result() for task in ended} == {grpc.StatusCode.ABORTED}
    _, alive = await asyncio.wait(alive, timeout=0.5)
    assert len(alive) == 1
    assert coordinator.connection(NAME) is Connection.CONNECTED
    for task in alive:
        task.cancel()


async def test_a_silent_agent_is_seen(coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "SILENT_SECONDS", 5.0)
    agent = await coordinator.connected(ONE_NIC, identity())
    monkeypatch.setattr(sessions, "SILENT_SECONDS", 600.0)
    await agent.send(heartbeat=fleet_pb2.Heartbeat())
    await asyncio.sleep(5.5)
    assert coordinator.connection(NAME) is Connection.CONNECTED  # its heartbeat counts for as long as one does by now
    monkeypatch.setattr(sessions, "SILENT_SECONDS", 0.1)
    await agent.send(heartbeat=fleet_pb2.Heartbeat())
    assert await agent.end() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert coordinator.connection(NAME) is Connection.SILENT


async def test_hello_must_come_soon(coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "GREETING_SECONDS", 0.1)
    agent = coordinator.agent()
    assert await agent.end() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert await agent.call.details() == (
        "the greeting came to no end in 0.1 s: Hello, check of the token, probe of another agent"
    )


def _oversized() -> fleet_pb2.Update:
    message = update(ONE_NIC)
    message.sections[2].function.unread.extend([inventory_pb2.Unread(path="x" * 1024)] * 4096)
    return message


@pytest.mark.parametrize(
    ("first", "reason", "sentence"),
    [
        pytest.param(
            fleet_pb2.ReportRequest(heartbeat=fleet_pb2.Heartbeat()),
            fleet_pb2.REFUSAL_REASON_MALFORMED,
            "the first message of a stream must be hello",
            id="no-hello",
        ),
        pytest.param(
            fleet_pb2.ReportRequest(hello=fleet_pb2.Hello(protocol=2)),
            fleet_pb2.REFUSAL_REASON_PROTOCOL,
            "protocol version 2 is not spoken here, 1 is: run agents and coordinator of the same release",
            id="protocol",
        ),
        pytest.param(
            fleet_pb2.ReportRequest(hello=fleet_pb2.Hello(protocol=1, node_name="../etc")),
            fleet_pb2.REFUSAL_REASON_MALFORMED,
            "hello.node_name '../etc' is not the name of a Kubernetes Node",
            id="node-name",
        ),
    ],
)
async def test_a_bad_beginning(
    coordinator: Coordinator,
    first: fleet_pb2.ReportRequest,
    reason: fleet_pb2.RefusalReason.ValueType,
    sentence: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    agent = coordinator.agent()
    await agent.call.write(first)
    assert (await agent.receive()).refused == fleet_pb2.Refused(reason=reason, message=sentence)
    assert await agent.end() is grpc.StatusCode.OK
    assert coordinator.connection(NAME) is Connection.NOT_REPORTED
    (told,) = [vars(record) for record in caplog.records if record.message == "agent refused"]
    unknown = reason == fleet_pb2.REFUSAL_REASON_PROTOCOL
    assert told["reason"] == (Reason.ProtocolUnknown if unknown else Reason.MalformedReport)


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        pytest.param(
            fleet_pb2.ReportRequest(hello=hello(ONE_NIC, identity())),
            "after hello comes update or heartbeat, not hello",
            id="second-hello",
        ),
        pytest.param(fleet_pb2.ReportRequest(), "after hello comes update or heartbeat, not None", id="empty"),
        pytest.param(
            fleet_pb2.ReportRequest(update=update(ONE_NIC, sequence=1)), "update.sequence 1 follows 1", id="sequence"
        ),
        pytest.param(
            fleet_pb2.ReportRequest(update=fleet_pb2.Update(sequence=2)),
            "the manifest has no section 'node'",
            id="empty-manifest",
        ),
    ],
)
async def test_a_malformed_message_ends_its_own_stream_only(
    coordinator: Coordinator, message: fleet_pb2.ReportRequest, sentence: str
) -> None:
    other = await coordinator.connected(ONE_NIC, identity("worker-2"))
    agent = await coordinator.connected(ONE_NIC, identity())
    await agent.call.write(message)
    refused = fleet_pb2.Refused(reason=fleet_pb2.REFUSAL_REASON_MALFORMED, message=sentence)
    assert (await agent.receive()).refused == refused
    assert await agent.end() is grpc.StatusCode.OK
    assert coordinator.connection(NAME) is Connection.SILENT
    assert (await other.report(ONE_NIC, [], sequence=2)).ack.sequence == 2


async def test_an_oversized_message_is_answered_in_words(coordinator: Coordinator) -> None:
    agent = coordinator.agent()
    await agent.say_hello(ONE_NIC, identity())
    message = _oversized()
    assert message.ByteSize() > bounds.MAX_MESSAGE
    await agent.send(update=message)
    assert (await agent.receive()).refused.message == f"update has {message.ByteSize()} bytes, 4194304 are allowed"


async def test_bytes_that_are_no_message(coordinator: Coordinator) -> None:
    call: Any = coordinator.channel.stream_stream("/nicfleet.v1.Fleet/Report")()
    await call.write(b"\xff\xff\xff")
    answer = fleet_pb2.ReportResponse.FromString(await call.read())
    assert answer.refused.message == "the message is not of nicfleet.v1"


async def test_a_section_that_never_comes(coordinator: Coordinator) -> None:
    agent = coordinator.agent()
    await agent.say_hello(ONE_NIC, identity())
    assert list((await agent.report(ONE_NIC, ["node"])).resend.sections) == ["driver", "function/0000:3b:00.0"]
    refused = (await agent.report(ONE_NIC, ["driver"], sequence=2)).refused
    assert refused.message == "section function/0000:3b:00.0 was asked for twice and did not come"
