"""Questions to a server that must not be asked by all at once: one at a time for each key, its answer kept for a while.

A question goes on when nobody waits for it any longer: who asks again finds its answer. Refusals are kept apart from
other answers, so that no number of them makes a good one be forgotten.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from coordinator.authentication.turns import Turns
from nicfleet.reasons import Finding

T = TypeVar("T")


class Until(NamedTuple, Generic[T]):
    """An answer, and until when it counts, in seconds of the clock."""

    answer: T
    until: float


class Answers(Generic[T]):
    """Answers to whoever asks; a Finding is a refusal."""

    def __init__(self, clock: Callable[[], float], turns: Turns, most: int, most_refusals: int) -> None:
        """Keeps at most `most` answers besides the refusals. Each question takes one of `turns`."""
        self._turns = turns
        self._good = _Kept[T](clock, most)
        self._refused = _Kept[Finding](clock, most_refusals)
        self._asked: dict[bytes, asyncio.Task[T | Finding]] = {}

    async def get(self, key: bytes, peer: str, ask: Callable[[], Awaitable[Until[T] | Until[Finding]]]) -> T | Finding:
        """The answer to `ask`, perhaps an earlier one, or one that another peer has asked for.

        Raises TooManyWait, and what `ask` raises: that is not kept.
        """
        if (kept := self._good.get(key) or self._refused.get(key)) is not None:
            return kept.answer
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._ask(key, peer, ask))
            task.add_done_callback(partial(self._answered, key))
        return await asyncio.shield(task)

    async def _ask(self, key: bytes, peer: str, ask: Callable[[], Awaitable[Until[T] | Until[Finding]]]) -> T | Finding:
        async with self._turns.turn(peer):
            found = await ask()
        if isinstance(found.answer, Finding):
            self._refused.put(key, Until(found.answer, found.until))
        else:
            self._good.put(key, Until(found.answer, found.until))
        return found.answer

    def _answered(self, key: bytes, task: asyncio.Task[T | Finding]) -> None:
        del self._asked[key]
        if not task.cancelled():
            task.exception()  # seen, also when nobody waits


class _Kept(Generic[T]):
    """Answers that count; of more than `most`, the oldest make room."""

    def __init__(self, clock: Callable[[], float], most: int) -> None:
        self._clock = clock
        self._most = most
        self._answers: dict[bytes, Until[T]] = {}

    def get(self, key: bytes) -> Until[T] | None:
        kept = self._answers.get(key)
        return kept if kept is not None and kept.until > self._clock() else None

    def put(self, key: bytes, answer: Until[T]) -> None:
        self._answers.pop(key, None)  # so that a new answer is the newest in the order, too
        if len(self._answers) >= self._most:
            del self._answers[next(iter(self._answers))]
        self._answers[key] = answer
