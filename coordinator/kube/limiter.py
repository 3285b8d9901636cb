"""How many writes are in flight at once: as many as the API server bears without getting slower.

Additive increase, multiplicative decrease, steered by latency and by 429. Past about four in flight a small server only
answers later, not more (measured: 4 → 288/s at 11 ms, 64 → 403/s at 131 ms). Urgent calls go ahead of bulk.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from coordinator.kube.errors import TooManyRequests

T = TypeVar("T")

FEWEST: Final = 2
MOST: Final = 16
SLOWER: Final = 3.0
"""A call that takes this many times the best latency counts as a sign of load."""

_FORGET: Final = 1.002  # the best latency rises a little with each call, so that a server may become slower for good
_ATTEMPTS: Final = 5


class Limiter:
    """Runs calls within a window of `FEWEST` to `MOST`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._window = float(FEWEST * 2)
        self._in_flight = 0
        self._best = float("inf")
        self._calm_until = 0.0
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._bulk: deque[asyncio.Future[None]] = deque()

    @property
    def window(self) -> int:
        return int(self._window)

    async def run(self, call: Callable[[], Awaitable[T]], *, urgent: bool = False) -> T:
        """Run a call in its turn. After a 429 it waits as long as the server asks, and tries again.

        Raises what the call raises, TooManyRequests after five attempts.
        """
        for _ in range(_ATTEMPTS - 1):
            try:
                return await self._attempt(call, urgent)
            except TooManyRequests as error:
                await asyncio.sleep(error.retry_after)
        return await self._attempt(call, urgent)

    async def _attempt(self, call: Callable[[], Awaitable[T]], urgent: bool) -> T:
        async with self._slot(urgent):
            start = self._clock()
            try:
                result = await call()
            except TooManyRequests:
                self._shrink(0.5)
                raise
            self._learn(self._clock() - start)
            return result

    @asynccontextmanager
    async def _slot(self, urgent: bool) -> AsyncIterator[None]:
        if self._in_flight >= self.window or self._urgent or (self._bulk and not urgent):
            await self._wait_in(self._urgent if urgent else self._bulk)
        else:
            self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1
            self._admit()

    async def _wait_in(self, line: deque[asyncio.Future[None]]) -> None:
        """Wait for `_admit` to count us in."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # admitted and cancelled at once: pass the turn on
                self._in_flight -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        while self._in_flight < self.window and (line := self._urgent or self._bulk):
            turn = line.popleft()
            if not turn.done():
                self._in_flight += 1
                turn.set_result(None)

    def _learn(self, seconds: float) -> None:
        self._best = min(self._best * _FORGET, seconds)
        if seconds > self._best * SLOWER:
            self._shrink(0.9)
        else:
            self._window = min(MOST, self._window + 1 / self._window)

    def _shrink(self, factor: float) -> None:
        """At most once in a latency: the calls in flight together tell of one and the same load."""
        now = self._clock()
        if now >= self._calm_until:
            self._window = max(FEWEST, self._window * factor)
            self._calm_until = now + min(self._best, 1.0)
