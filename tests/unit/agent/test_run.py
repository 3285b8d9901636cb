"""When the agent looks, and what it then publishes."""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic

import pytest

from agent import run
from agent.files import DirectoryFiles, Files
from agent.latest import Latest, Snapshot
from agent.look import Looker
from agent.nudges import Nudges
from agent.run import MERGE_SECONDS, Watch
from agent.settle import CONFIRM_SECONDS
from nicfleet.inventory import Function, Inventory, Node, NodeName, PciAddress, Unread
from tests.unit.event_loop import until

EMPTY = Inventory(Node(NodeName("n")))
WITH_NIC = replace(EMPTY, functions=(Function(PciAddress("0000:3b:00.0")),))
UNLISTED = replace(EMPTY, node=replace(EMPTY.node, unread=(Unread("sys/bus/pci/devices", 5),)))


class Scripted:
    """A node whose next looks the test decides. Nothing else would make the agent look: the period is long."""

    def __init__(self) -> None:
        self.now: Callable[[], Inventory] = lambda: EMPTY
        self.looked: list[datetime] = []
        self.nudges = Nudges()
        self.latest = Latest("1")

    def read(self, files: Files, previous: Inventory | None) -> Inventory:
        self.looked.append(datetime.now(UTC))
        return self.now()

    @property
    def looks(self) -> int:
        return len(self.looked)

    async def looks_again(self, times: int = 1) -> None:
        """Until so many more looks have begun."""
        wanted = self.looks + times
        await until(lambda: self.looks >= wanted)

    def change(self, now: Callable[[], Inventory]) -> None:
        self.now = now
        self.nudges.nudge()

    async def published(self, after: int = 0) -> Snapshot:
        async with asyncio.timeout(30):
            return await self.latest.newer_than(after)


@asynccontextmanager
async def watched(period: float = 60.0) -> AsyncIterator[Scripted]:
    node = Scripted()
    looker = Looker(DirectoryFiles(Path("/nonexistent")), node.read)
    task = asyncio.create_task(Watch(looker, node.nudges, node.latest, period).run())
    try:
        yield node
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_the_first_nudge_acts_at_once() -> None:
    async with watched() as node:
        version = (await node.published()).version
        for numa_node in range(100):  # in question is whether it waits at all, not how busy this machine is
            await asyncio.sleep(2 * MERGE_SECONDS)
            began = monotonic()
            changed = replace(WITH_NIC, functions=(Function(PciAddress("0000:3b:00.0"), numa_node=numa_node),))
            node.change(partial(replace, changed))
            version = (await node.published(version)).version
            if monotonic() - began < MERGE_SECONDS / 2:
                return
        raise AssertionError("it was never quick")


async def test_a_removal_is_published_when_a_second_look_confirms_it() -> None:
    async with watched() as node:
        node.now = lambda: WITH_NIC
        first = await node.published()
        await asyncio.sleep(2 * MERGE_SECONDS)
        began, before = monotonic(), node.looks
        node.change(lambda: EMPTY)
        removed = await node.published(first.version)
        assert removed.inventory == EMPTY
        assert monotonic() - began >= CONFIRM_SECONDS
        assert removed.observed <= node.looked[before], "when it was heard, not when confirmed"


async def test_many_nudges_are_one_look() -> None:
    async with watched() as node:
        await node.published()
        await asyncio.sleep(2 * MERGE_SECONDS)
        node.nudges.nudge()
        await node.looks_again()
        for _ in range(50):
            node.nudges.nudge()
        await node.looks_again()
        await asyncio.sleep(5 * MERGE_SECONDS)
        assert node.looks == 3, "the first look, the leading edge, and all that followed"


async def test_without_nudges_the_period_is_the_safety_net() -> None:
    async with watched(period=0.2) as node:
        first = await node.published()
        node.now = lambda: WITH_NIC
        assert (await node.published(first.version)).inventory == WITH_NIC


async def test_a_look_that_fails_is_told_once_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Inventory:
        raise RuntimeError("a bug")

    async with watched(period=0.1) as node:
        first = await node.published()
        node.change(fail)
        await node.looks_again(4)
        assert node.latest.snapshot == first
        assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["inventory read failed"]
        node.change(lambda: WITH_NIC)
        assert (await node.published(first.version)).inventory == WITH_NIC


@pytest.mark.parametrize(
    ("part", "told", "published"),
    [
        pytest.param("settle", "inventory not published", False, id="what-to-believe"),
        pytest.param("transitions", "changes could not be told", True, id="what-to-log"),
    ],
)
async def test_a_bug_behind_the_look_is_told_once_and_the_agent_goes_on(
    part: str, told: str, published: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a bug")

    async with watched(period=0.1) as node:
        first = await node.published()
        with monkeypatch.context() as broken:
            broken.setattr(run, part, fail)
            node.change(lambda: WITH_NIC)
            await node.looks_again(4)
            assert (node.latest.snapshot != first) is published
        (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
        assert (record.message, record.exc_info is not None) == (told, True)
        assert (await node.published(first.version)).inventory == WITH_NIC


async def test_a_first_look_that_could_not_list_devices_is_not_published(caplog: pytest.LogCaptureFixture) -> None:
    async with watched() as node:
        node.now = lambda: UNLISTED
        await until(lambda: "devices could not be listed" in caplog.messages)
        assert node.latest.snapshot is None
        node.change(lambda: WITH_NIC)
        assert (await node.published()).inventory == WITH_NIC


async def test_what_hangs_is_looked_at_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """No event tells that a read has returned."""
    monkeypatch.setattr(run, "BUSY_PERIOD", 0.2)
    hangs = replace(EMPTY, driver=replace(EMPTY.driver, unread=(Unread("proc/locks", errno.ETIMEDOUT),)))
    async with watched(period=3600.0) as node:
        await node.published()
        node.change(lambda: hangs)
        await node.looks_again(3)
