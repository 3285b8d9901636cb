"""WorkQueue: order, de-duplication, one worker per key, and what a failure costs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from random import Random

import pytest

from coordinator.queue import WorkQueue

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


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not holds():  # noqa: ASYNC110  a queue has no event for its end
            await asyncio.sleep(0.001)


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
        await asyncio.sleep(0.01)
        queue.add("a")
        queue.add("a")
        await asyncio.sleep(0.01)
        assert log == ["begin"]
        gate.set()
        await drained(queue)

    assert log == ["begin", "end", "begin", "end"]


async def test_a_crash_is_logged_once_and_its_key_comes_again_later(caplog: pytest.LogCaptureFixture) -> None:
    queue, seen = WorkQueue[str](Random(1)), list[str]()

    async def handle(key: str) -> None:
        seen.append(key)
        if seen == ["bad"]:
            raise ZeroDivisionError

    with caplog.at_level(logging.ERROR):
        async with working(queue, handle):
            queue.add("bad")
            queue.add("good")
            await drained(queue)
            assert seen == ["bad", "good"]
            await until(lambda: len(seen) == 3)

    assert seen == ["bad", "good", "bad"]
    assert [(r.message, getattr(r, "key", "")) for r in caplog.records] == [("key crashed", "bad")]


async def test_again_after_a_while_and_sooner_wins() -> None:
    queue, times = WorkQueue[str](Random(1)), list[float]()
    loop = asyncio.get_running_loop()

    async def handle(key: str) -> float | None:
        times.append(loop.time())
        return 30.0 if len(times) == 1 else None

    async with working(queue, handle):
        queue.add("a")
        await drained(queue)
        queue.add_later("a", 0.02)
        queue.add_later("a", 60.0)
        await asyncio.sleep(0.05)

    assert len(times) == 2


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
async def test_who_may_shorten_a_backoff(ask: Ask, soon: bool, during: bool) -> None:
    queue, times, gate = WorkQueue[str](Random(1)), list[float](), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def handle(key: str) -> None:
        times.append(loop.time())
        await gate.wait()
        if len(times) == 1:
            raise ZeroDivisionError

    async with working(queue, handle):
        queue.add("a")
        await until(lambda: len(times) == 1)
        if during:
            ask(queue)
            await asyncio.sleep(0.03)
            gate.set()
        else:
            gate.set()
            await drained(queue)
            ask(queue)
        failed = loop.time()
        await until(lambda: len(times) == 2)

    assert (times[1] - failed < 0.15) is soon  # the first backoff is 0.25 s at least


async def test_after_a_success_a_delay_counts_again() -> None:
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
        await asyncio.sleep(0.1)

    assert len(looks) == 3
