"""WorkQueue: keys to look at, each at most once in line and by one worker at a time.

A key says "look again", not what happened, so ten nudges before a look are one look, and a nudge during a look is one
more after it.

A key that failed backs off, ever longer until a look succeeds; how long is up to `failures`. `add` says that this very
key has changed, which may be the cure: it is looked at at once. `add_later` says that something around it has, as
happens many times a second in a large fleet: it never shortens a backoff. This holds for what is asked during the look
that fails, too.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from enum import IntEnum
from random import Random
from typing import Generic, TypeVar

from coordinator.failures import Failures

K = TypeVar("K", bound=Hashable)


class _Ask(IntEnum):
    """How a key was asked for while at work; the greater counts."""

    LATER = 0
    """A delay ran out."""
    NOW = 1
    URGENT = 2


class WorkQueue(Generic[K]):
    """Two lines, urgent before bulk; delays; backoff per failing key."""

    def __init__(self, random: Random) -> None:
        self._failures = Failures[K](random)
        self._urgent: OrderedDict[K, None] = OrderedDict()
        self._bulk: OrderedDict[K, None] = OrderedDict()
        self._delayed: dict[K, asyncio.TimerHandle] = {}
        self._working: set[K] = set()
        self._again: dict[K, _Ask] = {}  # asked for while at work
        self._until: dict[K, float] = {}  # of a key that failed: when its backoff ends, in the loop's time
        self._ready = asyncio.Event()

    def __len__(self) -> int:
        """Keys in line, without those at work or delayed."""
        return len(self._urgent) + len(self._bulk)

    @property
    def idle(self) -> bool:
        """Nothing in line and nothing at work; delayed keys may be."""
        return not len(self) and not self._working

    def add(self, key: K, *, urgent: bool = False) -> None:
        """Look at this key as soon as possible; also if it is delayed or backs off, since it has changed."""
        if (timer := self._delayed.pop(key, None)) is not None:
            timer.cancel()
        self._ask(key, _Ask.URGENT if urgent else _Ask.NOW)

    def add_later(self, key: K, delay: float) -> None:
        """Look at this key in `delay` seconds or, if that is later, when its backoff ends; if due sooner, then."""
        loop = asyncio.get_running_loop()
        if key in self._urgent or key in self._bulk or key in self._again:
            return
        when = max(loop.time() + delay, self._until.get(key, 0.0))
        if (timer := self._delayed.get(key)) is not None:
            if timer.when() <= when:
                return
            timer.cancel()
        self._delayed[key] = loop.call_at(when, self._due, key)

    def _ask(self, key: K, ask: _Ask) -> None:
        if key in self._working:
            self._again[key] = max(ask, self._again.get(key, ask))
        elif ask is _Ask.URGENT:
            self._bulk.pop(key, None)
            self._urgent[key] = None
        elif key not in self._urgent:
            self._bulk[key] = None
        self._ready.set()

    async def run(self, handle: Callable[[K], Awaitable[float | None]], workers: int) -> None:
        """Work for ever. `handle` returns the seconds after which to look again, or None.

        An exception concerns its key alone, which comes again after a backoff. What many keys fail of is logged once.
        """
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._work(handle))

    async def _work(self, handle: Callable[[K], Awaitable[float | None]]) -> None:
        while True:
            key = await self._take()
            try:
                again = await self._handled(key, handle)
            finally:
                self._working.discard(key)
            asked = self._again.pop(key, None)
            if asked is _Ask.LATER:
                self.add_later(key, 0.0)
            elif asked is not None:
                self.add(key, urgent=asked is _Ask.URGENT)
            elif again is not None:
                self.add_later(key, again)

    async def _take(self) -> K:
        while not len(self):
            self._ready.clear()
            await self._ready.wait()
        key, _ = (self._urgent or self._bulk).popitem(last=False)
        self._working.add(key)
        return key

    async def _handled(self, key: K, handle: Callable[[K], Awaitable[float | None]]) -> float | None:
        try:
            again = await handle(key)
        except Exception as error:
            delay = self._failures.failed(key, error)
            self._until[key] = asyncio.get_running_loop().time() + delay
            return delay
        self._until.pop(key, None)
        for hopeful in self._failures.succeeded(key):
            self.add(hopeful)
        return again

    def _due(self, key: K) -> None:
        del self._delayed[key]
        self._ask(key, _Ask.LATER)
