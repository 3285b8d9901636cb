"""Turns: few at once, peers one after the other, and not endlessly many wait."""

import asyncio
import sys
from collections.abc import Iterable

import pytest

from coordinator.turns import TooManyWait, Turns
from tests.unit.event_loop import at_rest


class Queue:
    """Peers that want a turn and end it when they are told to."""

    def __init__(self, at_once: int = 2, of_one: int = 2, most: int = 100) -> None:
        self.turns = Turns(at_once, of_one, most)
        self.having: list[str] = []
        self.had: list[str] = []
        self._ends: dict[str, list[asyncio.Event]] = {}

    async def _have(self, peer: str) -> None:
        end = asyncio.Event()
        async with self.turns.turn(peer):
            self.having.append(peer)
            self._ends.setdefault(peer, []).append(end)
            try:
                await end.wait()
            finally:
                self.having.remove(peer)
        self.had.append(peer)

    async def want(self, peers: Iterable[str]) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self._have(peer)) for peer in peers]
        await at_rest()
        return tasks

    async def end(self, peer: str) -> None:
        self._ends[peer].pop(0).set()
        await at_rest()


async def test_one_peer_has_a_part_of_the_turns_and_another_need_not_wait() -> None:
    queue = Queue(at_once=4, of_one=2)
    await queue.want(["flood"] * 1000)
    assert queue.having == ["flood"] * 2
    await queue.want(["a", "b", "c"])
    assert queue.having == ["flood", "flood", "a", "b"]


async def test_who_waits_waits_for_a_turn_of_each_other_peer_and_not_for_their_lines() -> None:
    queue = Queue(at_once=1, of_one=1)
    await queue.want(["flood"] * 50 + ["other"] * 20 + ["honest"])
    for _ in range(5):
        await queue.end(queue.having[0])
    assert queue.had == ["flood", "flood", "other", "honest", "flood"]


async def test_many_behind_one_address_get_all_of_its_turns() -> None:
    queue = Queue(at_once=4, of_one=2, most=50)
    tasks = await queue.want(["nat"] * 52)
    for _ in range(52):
        await queue.end("nat")
    await asyncio.gather(*tasks)


async def test_when_there_is_no_room_the_longest_line_makes_some() -> None:
    queue = Queue(at_once=1, of_one=1, most=4)
    _, *waiting = await queue.want(["flood"] * 5)
    with pytest.raises(TooManyWait):
        async with queue.turns.turn("flood"):
            pass
    await queue.want(["a"])
    with pytest.raises(TooManyWait):
        await waiting[-1]
    assert not any(task.done() for task in waiting[:-1])
    await queue.end("flood")
    await queue.end("flood")
    assert queue.having == ["a"]


async def test_nobody_makes_room_for_one_who_has_as_much() -> None:
    queue = Queue(at_once=1, of_one=1, most=3)
    await queue.want(["first", "a", "b", "c"])
    with pytest.raises(TooManyWait):
        async with queue.turns.turn("d"):
            pass
    with pytest.raises(TooManyWait):
        async with queue.turns.turn("a"):
            pass


async def test_who_gives_up_loses_no_turn_and_keeps_no_room() -> None:
    queue = Queue(at_once=1, of_one=1, most=2)
    _, waiting, following = await queue.want(["a", "b", "c"])
    waiting.cancel()
    await queue.end("a")
    assert queue.having == ["c"]
    await queue.want(["d", "e"])  # as many as may wait
    following.cancel()
    await at_rest()
    assert queue.having == ["d"]


async def test_who_gives_up_in_the_moment_of_his_turn_passes_it_on() -> None:
    queue = Queue(at_once=1, of_one=1)
    first, called, _ = await queue.want(["a", "b", "c"])
    first.add_done_callback(lambda _: called.cancel())  # it is called in the step in which the first one ends
    await queue.end("a")
    assert called.cancelled()
    assert queue.having == ["c"]


async def test_the_longest_line_is_known_through_all_that_comes_and_goes() -> None:
    queue = Queue(at_once=1, of_one=1, most=6)
    _, *waiting = await queue.want("xaaabbc")
    waiting[0].cancel()
    waiting[1].cancel()
    await at_rest()
    await queue.want("cc")  # a: 1, b: 2, c: 3
    with pytest.raises(TooManyWait):
        async with queue.turns.turn("b"):
            pass
    await queue.want("d")
    for _ in range(7):
        await queue.end(queue.having[0])
    assert queue.had == ["x", "a", "b", "c", "d", "b", "c"]


async def test_a_call_that_finds_no_room_costs_no_more_when_more_wait() -> None:
    """Else whoever has many addresses keeps the coordinator busy with telling him so."""
    costs = []
    for lines in (10, 1000):
        queue = Queue(at_once=1, of_one=1, most=lines)
        tasks = await queue.want(map(str, range(lines + 1)))
        costs.append(await _steps(queue.turns))
        for task in tasks:
            task.cancel()
        await at_rest()
    assert costs[1] == costs[0]


async def _steps(turns: Turns) -> int:
    """Functions called for one who is told that there is no room."""
    steps = 0

    def step(*_: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(step)
    try:
        async with turns.turn("one-more"):
            pass
    except TooManyWait:
        return steps
    finally:
        sys.setprofile(None)
    raise AssertionError("there was room")
