"""Questions to a server that must not be asked by all at once: one at a time for each key, its answer kept for a while.

A question that is being asked goes on when nobody waits for it any longer: who asks again finds its answer. One that
waits for its turn does not, so that those who left keep nobody waiting. Refusals are kept apart from other answers, so
that no number of them makes a good one be forgotten.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, TypeVar

from coordinator.turns import Turns
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
        self._questions: dict[bytes, _Question[T]] = {}

    async def get(self, key: bytes, peer: str, ask: Callable[[], Awaitable[Until[T] | Until[Finding]]]) -> T | Finding:
        """The answer to `ask`, perhaps an earlier one, or one that another peer has asked for.

        Raises TooManyWait, and what `ask` raises: that is not kept.
        """
        if (kept := self._good.get(key) or self._refused.get(key)) is not None:
            return kept.answer
        if (question := self._questions.get(key)) is None:
            question = self._questions[key] = _Question()
            question.task = asyncio.create_task(self._ask(question, key, peer, ask))
            question.task.add_done_callback(_seen)
        question.waiting += 1
        try:
            await asyncio.wait({question.task})
        finally:
            question.waiting -= 1
            if not question.waiting and not question.asked:
                question.task.cancel()
                self._forget(key, question)  # at once, so that nobody comes to wait for it
        return question.task.result()

    async def _ask(
        self, question: "_Question[T]", key: bytes, peer: str, ask: Callable[[], Awaitable[Until[T] | Until[Finding]]]
    ) -> T | Finding:
        try:
            async with self._turns.turn(peer):
                question.asked = True
                found = await ask()
        finally:
            self._forget(key, question)
        if isinstance(found.answer, Finding):
            self._refused.put(key, Until(found.answer, found.until))
        else:
            self._good.put(key, Until(found.answer, found.until))
        return found.answer

    def _forget(self, key: bytes, question: "_Question[T]") -> None:
        if self._questions.get(key) is question:
            del self._questions[key]


class _Question(Generic[T]):
    """One that has no answer yet."""

    task: asyncio.Task[T | Finding]
    waiting = 0
    """How many wait for the answer."""
    asked = False
    """It has, or had, its turn."""


def _seen(task: asyncio.Task[T]) -> None:
    """An error is no news to the loop when nobody waits for the answer any longer."""
    if not task.cancelled():
        task.exception()


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
