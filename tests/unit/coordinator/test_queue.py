"""WorkQueue: order, de-duplication, one worker per key, and what a failure costs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from random import Random

import pytest

from coordinator import backoff
from coordinator.queue import WorkQueue
from tests.unit.event_loop import at_rest, until

Handle = Callable[[str], Awaitable[float | None]]


@asynccontextmanager
async def working(queue: WorkQueue[str], handle: Handle, workers: int = 1) -> AsyncIterator[None]:
    task = asyncio.create_task(queue.run(handle, workers))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def drained(queue: WorkQueue[str]) -> None:
    await until(lambda: queue.idle)


async def test_urgent_goes_first_and_each_key_once() -> None:
    queue, seen = WorkQueue[str](Random(1)), list[str]()
    for key in ("a", "b", "a", "c"):
        queue.add(key)
    queue.add("c", urgent=True)
    queue.add("d", urgent=True)
    queue.add("d")

    async def handle(key: str) -> None:
        seen.append(key)

    async with working(queue, handle):
        await drained(queue)

    assert seen == ["c", "d", "a", "b"]


async def test_a_key_asked_for_while_at_work_comes_again_but_never_twice_at_once() -> None:
    queue, log, gate = WorkQueue[str](Random(1)), list[str](), asyncio.Event()

    async def handle(key: str) -> None:
        log.append("begin")
        await gate.wait()
        log.append("end")

    async with working(queue, handle, workers=3):
        queue.add("a")
        await at_rest()
        queue.add("a")
        queue.add("a")
        await at_rest()
        assert log == ["begin"]
        gate.set()
        await drained(queue)

    assert log == ["begin", "end", "begin", "end"]


async def test_a_crash_is_logged_once_and_its_key_comes_again_later(caplog: pytest.LogCaptureFixture) -> None:
    queue, seen, times = WorkQueue[str](Random(1)), list[str](), list[float]()
    loop = asyncio.get_running_loop()

    async def handle(key: str) -> None:
        seen.append(key)
        times.append(loop.time())
        if seen == ["bad"]:
            raise ZeroDivisionError

    with caplog.at_level(logging.ERROR):
        async with working(queue, handle):
            queue.add("bad")
            queue.add("good")
            await until(lambda: len(seen) == 3)

    assert seen == ["bad", "good", "bad"]
    assert times[2] - times[0] > 0.24  # the first backoff is 0.25 s at least
    assert [(r.message, getattr(r, "key", "")) for r in caplog.records] == [("key crashed", "bad")]


async def test_again_after_a_while_and_sooner_wins() -> None:
    queue, looks = WorkQueue[str](Random(1)), list[str]()

    async def handle(key: str) -> float | None:
        looks.append(key)
        return 3600.0 if len(looks) == 1 else None

    async with working(queue, handle):
        queue.add("a")
        await drained(queue)
        queue.add_later("a", 0.02)
        queue.add_later("a", 7200.0)
        await until(lambda: len(looks) == 2)


async def test_a_nudge_does_not_wait_for_a_delay() -> None:
    queue, seen = WorkQueue[str](Random(1)), list[str]()

    async def handle(key: str) -> None:
        seen.append(key)

    async with working(queue, handle):
        queue.add_later("a", 0.05)
        queue.add("a")
        await drained(queue)
        assert seen == ["a"]
        await asyncio.sleep(0.08)

    assert seen == ["a"]


Ask = Callable[[WorkQueue[str]], None]


@pytest.mark.parametrize(
    ("ask", "soon"),
    [
        pytest.param(lambda queue: queue.add("a"), True, id="it-changed"),
        pytest.param(lambda queue: queue.add("a", urgent=True), True, id="it-changed-urgently"),
        pytest.param(lambda queue: queue.add_later("a", 0.01), False, id="something-around-it-changed"),
        pytest.param(lambda queue: queue.add_later("a", 0.0), False, id="and-at-once"),
    ],
)
@pytest.mark.parametrize("during", [False, True], ids=["after-the-failure", "during-the-look"])
async def test_who_may_shorten_a_backoff(ask: Ask, soon: bool, during: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "BASE", backoff.CEILING)  # longer than a test may last
    queue, looks, gate = WorkQueue[str](Random(1)), list[str](), asyncio.Event()

    async def handle(key: str) -> None:
        looks.append(key)
        await gate.wait()
        if len(looks) == 1:
            raise ZeroDivisionError

    async with working(queue, handle):
        queue.add("a")
        await until(lambda: len(looks) == 1)
        if during:
            ask(queue)
            await asyncio.sleep(0.03)
        gate.set()
        await drained(queue)
        if not during:
            ask(queue)
        await asyncio.sleep(0.03)
        await drained(queue)

    assert len(looks) == (2 if soon else 1)


async def test_after_a_success_a_delay_counts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "BASE", backoff.CEILING)  # longer than a test may last
    queue, looks = WorkQueue[str](Random(1)), list[str]()

    async def handle(key: str) -> None:
        looks.append(key)
        if len(looks) == 1:
            raise ZeroDivisionError

    async with working(queue, handle):
        for _ in range(2):
            queue.add("a")
            await drained(queue)
        queue.add_later("a", 0.0)
        await until(lambda: len(looks) == 3)


async def test_a_success_ends_the_backoff_of_two_that_failed_of_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "BASE", backoff.CEILING)  # longer than a test may last
    queue, looks, well = WorkQueue[str](Random(1)), list[str](), asyncio.Event()

    async def handle(key: str) -> None:
        looks.append(key)
        if not well.is_set():
            raise ZeroDivisionError

    async with working(queue, handle):
        for key in "abcdefgh":
            queue.add(key)
        await drained(queue)
        looks.clear()
        well.set()
        queue.add("h")
        await drained(queue)

    assert looks[0] == "h"
    assert sorted(looks) == list("abcdefgh")
