"""Questions to a server that must not be asked by all at once: one at a time for each key, its answer kept for a while.

A question goes on when nobody waits for it any longer: who asks again finds its answer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class TooManyQuestions(Exception):
    """As many wait as there may."""


class Until(NamedTuple, Generic[T]):
    """An answer, and until when it counts, in seconds of the clock."""

    answer: T
    until: float


class Answers(Generic[T]):
    """Keeps at most `most` answers, and as many questions wait; `at_once` of these are with the server."""

    def __init__(self, clock: Callable[[], float], at_once: int, most: int) -> None:
        self._clock = clock
        self._most = most
        self._turns = asyncio.Semaphore(at_once)
        self._kept: dict[bytes, Until[T]] = {}
        self._asked: dict[bytes, asyncio.Task[T]] = {}

    async def get(self, key: bytes, ask: Callable[[], Awaitable[Until[T]]]) -> T:
        """The answer to `ask`, perhaps an earlier one.

        Raises TooManyQuestions, and what `ask` raises: that is not kept.
        """
        kept = self._kept.get(key)
        if kept is not None and kept.until > self._clock():
            return kept.answer
        task = self._asked.get(key)
        if task is None:
            if len(self._asked) >= self._most:
                raise TooManyQuestions
            task = self._asked[key] = asyncio.create_task(self._ask(key, ask))
            task.add_done_callback(partial(self._answered, key))
        return await asyncio.shield(task)

    async def _ask(self, key: bytes, ask: Callable[[], Awaitable[Until[T]]]) -> T:
        async with self._turns:
            found = await ask()
        self._kept.pop(key, None)  # so that a new answer is the newest in the order, too
        if len(self._kept) >= self._most:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = found
        return found.answer

    def _answered(self, key: bytes, task: asyncio.Task[T]) -> None:
        del self._asked[key]
        if not task.cancelled():
            task.exception()  # seen, also when nobody waits
