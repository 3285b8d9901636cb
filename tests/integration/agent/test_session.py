"""The agent's session with a coordinator, over real gRPC."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

import grpc
import pytest

from agent import report
from agent.channel import Dialler
from agent.latest import Latest
from agent.outbox import Identity
from agent.report import Reporter
from nicfleet.inventory import Function, Inventory, Node, NodeName, PciAddress
from nicfleet.v1 import fleet_pb2
from tests.controlplane.loopback import free_ports
from tests.integration.agent.fleet_server import SECONDS, Fleet, fleet_server

IDENTITY = Identity(NodeName("worker-1"), "instance-1", datetime(2026, 1, 1, tzinfo=UTC), "0.1.0")
OBSERVED = datetime(2026, 1, 2, tzinfo=UTC)
EMPTY = Inventory(Node(NodeName("worker-1"), boot_id="boot-1"))
WITH_NIC = replace(EMPTY, functions=(Function(PciAddress("0000:3b:00.0")),))


@pytest.fixture
def latest() -> Latest:
    holder = Latest("0.1.0")
    holder.put(EMPTY, OBSERVED)
    return holder


@asynccontextmanager
async def reporting(coordinator: str, latest: Latest) -> AsyncIterator[None]:
    task = asyncio.create_task(Reporter(IDENTITY, coordinator, latest, Dialler(None)).run())
    try:
        yield
        assert not task.done(), "the reporter ended"
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def said(caplog: pytest.LogCaptureFixture, message: str) -> logging.LogRecord:
    """The first line of the log with this message, once it is there."""
    async with asyncio.timeout(SECONDS):
        while True:
            for record in caplog.records:
                if record.message == message:
                    return record
            await asyncio.sleep(0.01)


def names(request: fleet_pb2.ReportRequest) -> list[str]:
    return [section.name for section in request.update.sections]


async def test_hello_then_what_is_missing_then_what_changes(latest: Latest) -> None:
    async with fleet_server() as fleet, reporting(fleet.address, latest):
        stream = await fleet.stream()
        hello = (await stream.receive()).hello
        assert (hello.protocol, hello.node_name, hello.boot_id) == (1, "worker-1", "boot-1")
        assert (hello.instance_id, hello.agent_version) == ("instance-1", "0.1.0")
        assert [entry.name for entry in hello.manifest.sections] == ["node", "driver"]

        await stream.welcome("driver")
        first = await stream.receive()
        assert (first.update.sequence, names(first)) == (1, ["driver"])
        assert first.update.observed.ToDatetime(UTC) == OBSERVED

        latest.put(WITH_NIC, OBSERVED)
        second = await stream.receive()
        assert (second.update.sequence, names(second)) == (2, ["function/0000:3b:00.0"])


async def test_a_reconnecting_agent_sends_no_section_that_the_coordinator_holds(latest: Latest) -> None:
    async with fleet_server() as fleet, reporting(fleet.address, latest):
        stream = await fleet.stream()
        held = (await stream.receive()).hello.manifest
        await stream.welcome("node", "driver")
        await stream.receive()
        stream.close()

        stream = await fleet.stream()
        assert (await stream.receive()).hello.manifest == held
        await stream.welcome()
        await stream.probe()


async def test_heartbeats_at_the_interval_given_and_sections_again_when_asked(latest: Latest) -> None:
    async with fleet_server() as fleet, reporting(fleet.address, latest):
        stream = await fleet.stream()
        await stream.receive()
        await stream.welcome(heartbeat_seconds=1)
        assert (await stream.receive()).WhichOneof("kind") == "heartbeat"
        await stream.send(resend=fleet_pb2.Resend(sections=["node"]))
        while (message := await stream.receive()).WhichOneof("kind") == "heartbeat":
            pass  # of a second that went by meanwhile
        assert names(message) == ["node"]


async def test_changes_during_an_outage_arrive_after_it_and_the_log_has_one_line(
    latest: Latest, caplog: pytest.LogCaptureFixture
) -> None:
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    caplog.set_level(logging.INFO)
    async with reporting(address, latest):
        await said(caplog, "coordinator not reachable")
        await asyncio.sleep(1.0)  # in which it is tried again
        latest.put(WITH_NIC, OBSERVED)
        assert [record.message for record in caplog.records] == ["coordinator not reachable"]
        async with fleet_server(address) as fleet:
            stream = await fleet.stream()
            assert len((await stream.receive()).hello.manifest.sections) == 3
            await stream.welcome()
            await stream.send(probe=fleet_pb2.Probe())
            await stream.receive()
        assert [record.message for record in caplog.records][:2] == [
            "coordinator not reachable",
            "coordinator connected",
        ]


async def test_the_leader_named_is_called_at_once(latest: Latest) -> None:
    async with fleet_server() as standby, fleet_server() as leader, reporting(standby.address, latest):
        await (await standby.stream()).name_leader(leader.address)
        assert (await (await leader.stream()).receive()).HasField("hello")


async def test_one_that_names_the_leader_in_a_message_is_understood_too(latest: Latest) -> None:
    """As coordinators of earlier releases do."""
    async with fleet_server() as standby, fleet_server() as leader, reporting(standby.address, latest):
        stream = await standby.stream()
        await stream.receive()
        await stream.send(not_leader=fleet_pb2.NotLeader(address=leader.address))
        assert (await (await leader.stream()).receive()).HasField("hello")


async def test_a_coordinator_on_standby_is_no_trouble(latest: Latest, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with fleet_server() as standby, reporting(standby.address, latest):
        for _ in range(3):
            await (await standby.stream()).name_leader("")
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("INFO", "coordinator is not the leader")
    ]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        pytest.param(grpc.StatusCode.UNAUTHENTICATED, "IDENTITY_UNPROVEN", id="unproven"),
        pytest.param(grpc.StatusCode.PERMISSION_DENIED, "IDENTITY_FOREIGN", id="foreign"),
    ],
)
async def test_an_identity_that_is_refused_is_the_same_clear_line_and_pause(
    latest: Latest,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    code: grpc.StatusCode,
    reason: str,
) -> None:
    monkeypatch.setattr(report, "FIRST_PAUSE", 3600.0)
    monkeypatch.setattr(report, "REFUSED_PAUSE", 0.01)
    async with fleet_server() as fleet, reporting(fleet.address, latest):
        for _ in range(2):
            stream = await fleet.stream()
            await stream.receive()
            stream.close(code, "mount another token")
    (record,) = caplog.records
    assert record.message == "refused by the coordinator"
    assert (vars(record)["reason"], vars(record)["error"]) == (reason, "mount another token")


async def test_a_refusal_is_one_clear_line_and_the_agent_lives_on(
    latest: Latest, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "REFUSED_PAUSE", 0.01)
    refused = fleet_pb2.Refused(
        reason=fleet_pb2.REFUSAL_REASON_NODE_TAKEN, message="agent instance-0 reports for worker-1"
    )
    async with fleet_server() as fleet, reporting(fleet.address, latest):
        for _ in range(2):
            stream = await fleet.stream()
            await stream.receive()
            await stream.send(refused=refused)
            stream.close()
        await (await fleet.stream()).receive()
    (record,) = caplog.records
    assert record.message == "refused by the coordinator"
    fields = vars(record)
    assert (fields["reason"], fields["error"]) == ("NODE_TAKEN", "agent instance-0 reports for worker-1")


async def test_a_stream_to_be_renewed_goes_on_until_the_next_one_is_accepted(
    latest: Latest, caplog: pytest.LogCaptureFixture
) -> None:
    inventories = itertools.cycle((WITH_NIC, EMPTY))
    async with fleet_server() as fleet, reporting(fleet.address, latest):
        stream = await fleet.stream()
        await stream.receive()
        await stream.welcome()
        for _ in range(3):
            await stream.send(renew=fleet_pb2.Renew())
            following = await fleet.stream()
            assert (await following.receive()).hello.instance_id == "instance-1"
            await stream.probe()
            latest.put(next(inventories), OBSERVED)
            assert (await stream.receive()).HasField("update")
            await following.welcome()
            stream.close()  # as the coordinator does with the one that was taken over
            assert (await following.receive()).HasField("update"), "it was greeted with what was so before"
            stream = following
        await stream.probe()
        assert caplog.records == []


async def test_a_renewal_that_is_refused_ends_nothing_and_is_tried_again(
    latest: Latest, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "REFUSED_PAUSE", 0.1)
    caplog.set_level(logging.INFO)
    async with fleet_server() as fleet, reporting(fleet.address, latest):
        stream = await fleet.stream()
        await stream.receive()
        await stream.welcome()
        await stream.send(renew=fleet_pb2.Renew())
        for _ in range(3):
            await (await fleet.stream()).refuse()
            await stream.probe()
        following = await fleet.stream()
        await following.receive()
        await following.welcome()
        await following.probe()
    told = [(record.message, vars(record).get("reason")) for record in caplog.records]
    assert told[:3] == [("coordinator connected", None), ("stream not renewed", "IDENTITY_UNPROVEN"),
        ("stream renewed", None)]  # fmt: skip


async def test_a_stream_whose_renewals_are_all_refused_ends_with_its_token(
    latest: Latest, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "REFUSED_PAUSE", 0.1)
    async with fleet_server() as fleet, reporting(fleet.address, latest):
        stream = await fleet.stream()
        await stream.receive()
        await stream.welcome()
        await stream.send(renew=fleet_pb2.Renew())
        await (await fleet.stream()).refuse()
        stream.close(grpc.StatusCode.UNAUTHENTICATED, "the token has expired")
        for _ in range(3):  # one may have been under way
            await (await fleet.stream()).refuse()
    told = [(record.message, vars(record)["reason"]) for record in caplog.records]
    assert told == [
        ("stream not renewed", "IDENTITY_UNPROVEN"),
        ("refused by the coordinator", "UNAUTHENTICATED"),
        ("refused by the coordinator", "IDENTITY_UNPROVEN"),
    ]


async def test_a_reason_that_the_agent_does_not_know_is_its_number(
    latest: Latest, caplog: pytest.LogCaptureFixture
) -> None:
    """As to an agent of an earlier release."""
    unknown = fleet_pb2.Refused(reason=1000, message="not today")  # type: ignore[arg-type]  # an enum of proto3 is open
    async with fleet_server() as fleet, reporting(fleet.address, latest):
        stream = await fleet.stream()
        await stream.receive()
        await stream.send(refused=unknown)
        stream.close()
        await said(caplog, "refused by the coordinator")
    (record,) = caplog.records
    assert (record.message, vars(record)["reason"], vars(record)["error"]) == (
        "refused by the coordinator",
        "1000",
        "not today",
    )


async def test_of_a_name_with_several_addresses_every_one_is_tried(
    latest: Latest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A standby that knows no leader is asked, left, and the other one found, whichever comes first.

    Which one that is, chance decides anew each time.
    """
    monkeypatch.setattr(report, "LONGEST_PAUSE", report.FIRST_PAUSE)
    async with fleet_server() as standby, fleet_server() as leader:
        both = f"ipv4:{standby.address},{leader.address}"
        refusing = asyncio.create_task(_know_no_leader(standby))
        async with reporting(both, latest):
            assert (await (await leader.stream()).receive()).HasField("hello")
        refusing.cancel()


async def test_a_leader_that_is_gone_costs_one_hop(latest: Latest) -> None:
    async with fleet_server() as standby, fleet_server() as leader, reporting(standby.address, latest):
        await (await standby.stream()).name_leader("127.0.0.1:9")
        await (await standby.stream()).name_leader(leader.address)
        assert (await (await leader.stream()).receive()).HasField("hello")


async def _know_no_leader(standby: Fleet) -> None:
    while True:
        await (await standby.stream()).name_leader("")
