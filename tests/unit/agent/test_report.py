"""Where the agent dials next and when; what a stream still has to tell."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

import pytest

from agent.latest import Latest, Snapshot
from agent.outbox import Outbox
from agent.report import LONGEST_PAUSE, REFUSED_PAUSE, next_attempt, pauses
from agent.session import NotLeader, Refused, SessionEnded
from nicfleet.inventory import Driver, DriverContainer, Function, Inventory, ModuleUse, Node, NodeName, PciAddress

HOME = "coordinator:7444"
LEADER = "10.0.0.2:7444"
PAUSE = 7.5

EMPTY = Inventory(Node(NodeName("n")))
USE = (ModuleUse("mlx5_core", 3, ("mlx5_ib",)),)


def test_pauses_double_up_to_the_longest() -> None:
    assert list(islice(pauses(lambda: 0.0), 8)) == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, LONGEST_PAUSE, LONGEST_PAUSE]


def test_jitter_takes_up_to_half_of_a_pause() -> None:
    assert next(pauses(lambda: 1.0)) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("address", "reason", "target", "pause"),
    [
        pytest.param(HOME, SessionEnded("closed"), HOME, PAUSE, id="ended"),
        pytest.param(LEADER, SessionEnded("closed"), HOME, PAUSE, id="leader-lost"),
        pytest.param(HOME, NotLeader(LEADER), LEADER, 0.0, id="first-hop-at-once"),
        pytest.param(LEADER, NotLeader("10.0.0.3:7444"), "10.0.0.3:7444", PAUSE, id="second-hop-waits"),
        pytest.param(HOME, NotLeader(HOME), HOME, PAUSE, id="names-itself"),
        pytest.param(HOME, NotLeader(""), HOME, PAUSE, id="no-leader-known"),
        pytest.param(LEADER, NotLeader("nonsense"), HOME, PAUSE, id="no-address"),
    ],
)
def test_next_attempt(address: str, reason: Exception, target: str, pause: float) -> None:
    attempt = next_attempt(HOME, address, reason, iter([PAUSE]))
    assert (attempt.address, attempt.pause) == (target, pause)


def test_a_refused_agent_waits_long() -> None:
    attempt = next_attempt(HOME, HOME, Refused("NODE_TAKEN", "taken"), iter(()))
    assert REFUSED_PAUSE / 2 <= attempt.pause <= REFUSED_PAUSE


def snapshots(*inventories: Inventory) -> list[Snapshot]:
    latest = Latest("1")
    made: list[Snapshot] = []
    for inventory in inventories:
        latest.put(inventory, datetime.now(UTC))
        assert latest.snapshot is not None
        made.append(latest.snapshot)
    return made


def sent(outbox: Outbox, snapshot: Snapshot) -> list[str] | None:
    message = outbox.update(snapshot)
    return None if message is None else [section.name for section in message.update.sections]


def test_nothing_is_sent_that_the_coordinator_holds() -> None:
    (greeted,) = snapshots(EMPTY)
    assert sent(Outbox(greeted, ()), greeted) is None


def test_only_what_changed_is_sent() -> None:
    added = replace(EMPTY, functions=(Function(PciAddress("0000:03:00.0")),))
    greeted, with_function = snapshots(EMPTY, added)
    outbox = Outbox(greeted, ["driver"])
    assert sent(outbox, with_function) == ["driver", "function/0000:03:00.0"]
    assert sent(outbox, with_function) is None
    outbox.forget(["node", "never-heard-of"])
    assert sent(outbox, with_function) == ["node"]


def test_a_removal_sends_a_manifest_without_sections() -> None:
    with_function, without = snapshots(replace(EMPTY, functions=(Function(PciAddress("0000:03:00.0")),)), EMPTY)
    message = Outbox(with_function, ()).update(without)
    assert message is not None
    assert [entry.name for entry in message.update.manifest.sections] == ["node", "driver"]
    assert not message.update.sections


def test_use_counts_travel_from_a_drivers_start_until_it_is_ready() -> None:
    def with_container(container: DriverContainer) -> Inventory:
        return replace(EMPTY, driver=Driver(container=container), module_use=USE)

    idle, starting, failed, ready, quiet = snapshots(
        with_container(DriverContainer()),
        with_container(DriverContainer(running=True)),
        with_container(DriverContainer()),
        with_container(DriverContainer(running=True, ready=True)),
        replace(with_container(DriverContainer(running=True, ready=True)), module_use=()),
    )
    outbox = Outbox(idle, ())
    assert outbox.update(idle) is None
    for snapshot, travels in ((starting, True), (failed, True), (ready, False)):
        message = outbox.update(snapshot)
        assert message is not None
        assert bool(message.update.module_use) is travels
    assert outbox.update(quiet) is None
