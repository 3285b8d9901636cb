"""The fleet: who has reported, who is silent, what is kept, and who hears of a change."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from coordinator.fleet import bounds
from coordinator.fleet.fleet import REFUSAL_SHOWN, SETTLE_TIME, Connection, Fleet
from nicfleet.inventory import Inventory, ModuleUse, NodeName
from nicfleet.names import NIC_LABEL
from nicfleet.reasons import Reason
from nicfleet.wire import from_wire
from tests.unit.coordinator.inventories import connectx6dx, inventory, kube_node, node, ofed, virtual_function
from tests.unit.coordinator.reports import hello, identity, manifest, update

START = datetime(2026, 1, 1, tzinfo=UTC)
NAME = NodeName("worker-1")
ONE_NIC = inventory(connectx6dx(), driver=ofed())
TWO_NICS = inventory(connectx6dx(), connectx6dx("0000:af:00.0"), driver=ofed())


class World:
    """A fleet with a clock to turn and a record of who heard what."""

    def __init__(self) -> None:
        self.now = START
        self.heard: list[tuple[str, bool]] = []
        self.fleet = Fleet(lambda: self.now, lambda name, hardware: self.heard.append((name, hardware)))

    def passes(self, **time: float) -> None:
        self.now += timedelta(**time)

    def changes(self) -> list[tuple[str, bool]]:
        heard, self.heard = self.heard, []
        return heard

    def report(self, value: Inventory = ONE_NIC, name: str = NAME, instance: str = "instance-1") -> None:
        """A whole session's beginning: Hello, and the sections asked for."""
        missing = self.fleet.connected(identity(name, instance), manifest(value))
        if missing:
            assert self.fleet.updated(NodeName(name), update(value, missing)) == ()

    def connection(self) -> Connection | None:
        snapshot = self.fleet.snapshot(NAME)
        return snapshot.connection if snapshot else None


@pytest.fixture
def world() -> World:
    world = World()
    world.fleet.node_seen(kube_node(NAME))
    world.fleet.nodes_synced()
    world.changes()
    return world


def test_a_node_from_first_sight_to_its_end(world: World) -> None:
    assert world.connection() is Connection.NOT_REPORTED
    world.report()
    assert world.connection() is Connection.CONNECTED
    world.passes(seconds=90)
    world.changes()
    world.fleet.lost(NAME)
    assert world.changes() == [(NAME, False)]
    assert world.connection() is Connection.SILENT
    snapshot = world.fleet.snapshot(NAME)
    assert snapshot is not None
    assert snapshot.since == START + timedelta(seconds=90)
    assert snapshot.reported == START
    assert snapshot.facts is not None
    assert not snapshot.live
    world.fleet.node_gone(NAME)
    assert world.connection() is None
    assert world.fleet.names() == []


def test_a_deleted_node_keeps_its_facts_while_its_agent_stays(world: World) -> None:
    world.report()
    world.changes()
    world.fleet.node_gone(NAME)
    assert world.connection() is Connection.GONE
    assert world.changes() == [(NAME, False)]
    world.passes(seconds=5)
    world.fleet.node_seen(kube_node(NAME, uid="uid-2"))
    assert world.connection() is Connection.CONNECTED
    world.passes(seconds=5)
    world.fleet.node_seen(kube_node(NAME, uid="uid-2", resource_version="2"))
    snapshot = world.fleet.snapshot(NAME)
    assert snapshot is not None
    assert snapshot.since == START + timedelta(seconds=5)
    assert world.changes() == [(NAME, False)]
    assert world.fleet.settled(world.now)
    world.fleet.node_gone(NAME)
    world.fleet.lost(NAME)
    assert world.connection() is None


def test_an_agent_without_a_node_is_no_intruder_before_the_nodes_are_listed() -> None:
    world = World()
    world.report()
    assert world.connection() is Connection.CONNECTED
    world.report(name="worker-2")
    world.fleet.lost(NodeName("worker-2"))
    world.changes()
    world.fleet.nodes_synced()
    assert world.connection() is Connection.GONE
    assert world.fleet.names() == [NAME]
    assert sorted(world.changes()) == [(NAME, False), ("worker-2", False)]


def test_nothing_is_kept_of_agents_and_nodes_that_come_and_go(world: World) -> None:
    world.report()
    for number in range(3):
        name = NodeName(f"stray-{number}")
        world.report(name=name)
        world.fleet.refused(identity(name, "instance-2"))
        world.fleet.lost(name)
        world.fleet.connected(identity(name), manifest(ONE_NIC))  # and no report follows
        world.fleet.updated(name, update(ONE_NIC, ["node"]))
        world.fleet.node_seen(kube_node(name))
        world.fleet.node_gone(name)
        world.fleet.lost(name)
    assert world.fleet.names() == [NAME]
    assert world.fleet.awaited(world.now) == ()


def test_a_reconnecting_agent_has_nothing_to_send(world: World) -> None:
    world.report()
    world.fleet.lost(NAME)
    world.changes()
    assert world.fleet.connected(identity(), manifest(ONE_NIC)) == ()
    assert world.connection() is Connection.CONNECTED
    assert world.changes() == [(NAME, False)]


def test_only_what_is_not_held_is_missing(world: World) -> None:
    assert world.fleet.connected(identity(), manifest(ONE_NIC)) == ("node", "driver", "function/0000:3b:00.0")
    world.fleet.updated(NAME, update(ONE_NIC))
    assert world.fleet.connected(identity(), manifest(TWO_NICS)) == ("function/0000:af:00.0",)


def test_old_facts_are_no_live_evidence_while_newer_ones_are_on_their_way(world: World) -> None:
    world.report()
    world.fleet.connected(identity(boot="boot-2", started=1), manifest(TWO_NICS))
    assert world.connection() is Connection.SILENT
    assert world.fleet.updated(NAME, update(TWO_NICS, ["function/0000:af:00.0"])) == ()
    assert world.connection() is Connection.CONNECTED


def test_a_section_that_does_not_come_is_asked_for_again(world: World) -> None:
    world.fleet.connected(identity(), manifest(ONE_NIC))
    assert world.fleet.updated(NAME, update(ONE_NIC, ["node", "driver"])) == ("function/0000:3b:00.0",)
    assert world.connection() is Connection.NOT_REPORTED
    assert world.fleet.updated(NAME, update(ONE_NIC, ["function/0000:3b:00.0"])) == ()
    assert world.connection() is Connection.CONNECTED


def test_what_the_manifest_does_not_name_is_gone(world: World) -> None:
    world.report(TWO_NICS)
    world.changes()
    assert world.fleet.updated(NAME, update(ONE_NIC, [])) == ()
    snapshot = world.fleet.snapshot(NAME)
    assert snapshot is not None
    assert snapshot.facts is not None
    assert snapshot.facts.functions == 1
    assert world.changes() == [(NAME, True)]


def test_the_inventory_comes_back_as_it_was_sent(world: World) -> None:
    pf = connectx6dx(virtual_functions=(virtual_function(), virtual_function("0000:3b:00.3")))
    sent = inventory(pf, driver=ofed(), module_use=(ModuleUse("mlx5_core", 3, ("mlx5_ib",)),))
    assert world.fleet.inventory(NAME) is None
    world.report(sent)
    held = world.fleet.inventory(NAME)
    assert held is not None
    assert from_wire(held) == sent
    assert world.fleet.inventory(NodeName("worker-9")) is None


def test_a_change_that_means_nothing_is_not_heard(world: World) -> None:
    world.report()
    world.changes()
    other_mtu = replace(ONE_NIC.functions[0].netdevs[0], mtu=9000)
    world.report(inventory(connectx6dx(netdevs=(other_mtu,)), driver=ofed()))
    assert world.changes() == [(NAME, False), (NAME, False)]  # the Hello, and live again
    world.fleet.updated(NAME, update(ONE_NIC))
    assert world.changes() == []


def test_a_first_report_is_news_of_hardware(world: World) -> None:
    world.report()
    assert world.changes() == [(NAME, False), (NAME, True)]


def test_a_node_object_that_only_got_a_new_version_is_not_heard(world: World) -> None:
    world.fleet.node_seen(kube_node(NAME, resource_version="2"))
    assert world.changes() == []
    world.fleet.node_seen(kube_node(NAME, resource_version="3", labels={"a": "b"}))
    assert world.changes() == [(NAME, False)]
    world.fleet.node_gone(NodeName("worker-9"))
    assert world.changes() == []


def test_a_refused_claim_is_shown_for_a_while(world: World) -> None:
    world.report()
    world.changes()
    world.fleet.refused(identity(instance="instance-2"))
    assert world.changes() == [(NAME, False)]
    snapshot = world.fleet.snapshot(NAME)
    assert snapshot is not None
    assert snapshot.refused is not None
    assert snapshot.refused.reason is Reason.DuplicateAgent
    assert "instance-2" in snapshot.refused.message
    world.passes(seconds=REFUSAL_SHOWN.total_seconds() + 1)
    snapshot = world.fleet.snapshot(NAME)
    assert snapshot is not None
    assert snapshot.refused is None


@pytest.mark.parametrize("functions", [pytest.param(2, id="functions"), pytest.param(1, id="bytes")])
def test_many_sections_that_are_too_much_together_change_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, functions: int
) -> None:
    world.report()
    monkeypatch.setattr(bounds, "MAX_FUNCTIONS" if functions == 2 else "MAX_INVENTORY", functions)
    world.fleet.connected(identity(), manifest(TWO_NICS))
    with pytest.raises(bounds.OutOfBounds):
        world.fleet.updated(NAME, update(inventory(*TWO_NICS.functions, connectx6dx("0000:b0:00.0"), driver=ofed())))
    held = world.fleet.inventory(NAME)
    assert held is not None
    assert from_wire(held) == ONE_NIC


class TestSettled:
    def test_not_before_the_nodes_are_listed(self) -> None:
        world = World()
        assert not world.fleet.settled(world.now)
        world.fleet.nodes_synced()
        assert world.fleet.settled(world.now)

    def test_when_every_node_has_reported(self, world: World) -> None:
        world.fleet.node_seen(kube_node("worker-2"))
        world.report()
        assert not world.fleet.settled(world.now)
        assert world.fleet.awaited(world.now) == ("worker-2",)
        world.report(name="worker-2")
        assert world.fleet.settled(world.now)
        assert world.fleet.next_settle(world.now) is None
        assert world.fleet.awaited(world.now) == ()

    def test_when_their_time_has_passed(self, world: World) -> None:
        world.passes(seconds=10)
        world.fleet.node_seen(kube_node("worker-2"))
        until = START + timedelta(seconds=10) + SETTLE_TIME
        assert world.fleet.next_settle(world.now) == until
        assert not world.fleet.settled(until - timedelta(seconds=1))
        assert world.fleet.settled(until)
        assert world.fleet.awaited(START + SETTLE_TIME) == ("worker-2",)

    def test_after_the_start_only_nodes_with_a_nic_hold_up_the_fleet(self, world: World) -> None:
        """One virtual node per minute shall not keep it unsettled for ever, and each has its own time all the same."""
        world.passes(seconds=SETTLE_TIME.total_seconds())
        world.fleet.node_seen(kube_node("virtual"))
        assert world.fleet.settled(world.now)
        assert world.fleet.awaited(world.now) == ()
        assert world.fleet.node_settles(NodeName("virtual"), world.now) == world.now + SETTLE_TIME
        world.fleet.node_seen(kube_node("worker-2", labels={NIC_LABEL: "true"}))
        assert not world.fleet.settled(world.now)
        assert world.fleet.awaited(world.now) == ("worker-2",)
        world.report(name="worker-2")
        assert world.fleet.settled(world.now)

    def test_new_nodes_without_agents_do_not_prolong_the_start_for_ever(self) -> None:
        world = World()
        world.fleet.nodes_synced()
        for number in range(10):
            world.fleet.node_seen(kube_node(f"virtual-{number}"))
            world.passes(seconds=SETTLE_TIME.total_seconds() / 2)
        assert world.fleet.settled(world.now)

    def test_a_deleted_node_is_not_waited_for(self, world: World) -> None:
        world.fleet.node_gone(NAME)
        assert world.fleet.settled(world.now)

    def test_a_hello_is_not_a_report(self, world: World) -> None:
        world.fleet.connected(identity(), manifest(ONE_NIC))
        assert not world.fleet.settled(world.now)

    def test_one_node_by_itself(self, world: World) -> None:
        assert world.fleet.node_settles(NAME, world.now) == START + SETTLE_TIME
        assert world.fleet.node_settles(NAME, START + SETTLE_TIME) is None
        assert world.fleet.node_settles(NodeName("worker-9"), world.now) is None
        world.report()
        assert world.fleet.node_settles(NAME, world.now) is None

    def test_a_silent_agent_gets_the_same_time_to_come_back_but_holds_up_nobody(self, world: World) -> None:
        world.report()
        world.passes(hours=1)
        world.fleet.lost(NAME)
        assert world.fleet.node_settles(NAME, world.now) == world.now + SETTLE_TIME
        assert world.fleet.settled(world.now)
        world.passes(seconds=SETTLE_TIME.total_seconds())
        assert world.fleet.node_settles(NAME, world.now) is None


def test_hello_has_what_identity_says() -> None:
    message = hello(ONE_NIC, identity(started=5))
    bounds.check_hello(message)
    assert message.started.ToDatetime(UTC) == identity(started=5).started


def test_memory_of_a_large_node(world: World) -> None:
    """8 PFs of 8 VFs stay far below the 24 KiB that a node may cost."""
    ports = []
    for slot in range(8):
        vfs = tuple(virtual_function(f"0000:{slot:02x}:00.{number}") for number in range(8))
        ports.append(connectx6dx(f"0000:{slot:02x}:01.0", virtual_functions=vfs))
    world.report(inventory(*ports, driver=ofed(), node=node()))
    entry = world.fleet._entries[NAME]
    assert entry.report is not None
    assert sum(len(section.packed) for section in entry.report.sections.values()) < 6_000
