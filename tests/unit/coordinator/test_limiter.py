"""Limiter: bounds, what steers the window, and who goes first."""

import asyncio
from collections.abc import Callable

import pytest

from coordinator.kube.errors import Status, TooManyRequests
from coordinator.kube.limiter import FEWEST, MOST, Limiter


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def calls(limiter: Limiter, clock: Clock, latencies: list[float]) -> None:
    async def call(seconds: float) -> None:
        clock.now += seconds

    for seconds in latencies:
        await limiter.run(lambda seconds=seconds: call(seconds))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("latencies", "holds"),
    [
        pytest.param([0.01] * 500, lambda window: window == MOST, id="a-quick-server-gets-more"),
        pytest.param([0.01] + [0.5] * 50, lambda window: window == FEWEST, id="a-slow-one-less"),
        pytest.param([0.01] * 500 + [0.025] * 20, lambda window: window == MOST, id="a-little-slower-is-no-load"),
        pytest.param([0.01] + [0.5] * 50 + [0.01] * 500, lambda window: window == MOST, id="it-recovers"),
    ],
)
async def test_latency_steers_the_window(latencies: list[float], holds: Callable[[int], bool]) -> None:
    clock = Clock()
    limiter = Limiter(clock)

    await calls(limiter, clock, latencies)

    assert holds(limiter.window)


async def room(limiter: Limiter) -> int:
    """Calls that begin at once."""
    begun = 0

    async def call() -> None:
        nonlocal begun
        begun += 1
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(limiter.run(call)) for _ in range(MOST + 1)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return begun


async def test_never_more_in_flight_than_the_window_and_urgent_goes_first() -> None:
    limiter, order, gate = Limiter(Clock()), list[str](), asyncio.Event()

    async def call(name: str) -> None:
        order.append(name)
        await gate.wait()

    window = limiter.window
    first = [asyncio.create_task(limiter.run(lambda: call("first"))) for _ in range(window)]
    await asyncio.sleep(0)
    bulk = [asyncio.create_task(limiter.run(lambda: call("bulk"))) for _ in range(10)]
    await asyncio.sleep(0)
    urgent = asyncio.create_task(limiter.run(lambda: call("urgent"), urgent=True))
    await asyncio.sleep(0)
    assert order == ["first"] * window
    gate.set()
    await asyncio.gather(*first, *bulk, urgent)

    assert order[window] == "urgent"
    assert await room(limiter) == limiter.window


async def test_a_cancelled_caller_gives_its_turn_to_the_next() -> None:
    limiter, gate = Limiter(Clock()), asyncio.Event()
    holders = [asyncio.create_task(limiter.run(gate.wait)) for _ in range(limiter.window)]
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(limiter.run(gate.wait)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    gate.set()

    await asyncio.gather(*holders, *waiting, return_exceptions=True)

    assert await room(limiter) == limiter.window


async def test_a_429_halves_the_window_and_is_tried_again_as_the_server_asks() -> None:
    limiter, refusals = Limiter(Clock()), [refusal(0.0), refusal(0.0)]

    async def call() -> str:
        if refusals:
            raise refusals.pop()
        return "done"

    before = limiter.window
    assert await limiter.run(call) == "done"
    assert limiter.window < before


async def test_a_server_that_only_says_429_ends_in_that_error() -> None:
    async def call() -> None:
        raise refusal(0.0)

    with pytest.raises(TooManyRequests):
        await Limiter(Clock()).run(call)


def refusal(retry_after: float) -> TooManyRequests:
    return TooManyRequests("apply", "Node x", Status(code=429, message="slow down"), retry_after)
