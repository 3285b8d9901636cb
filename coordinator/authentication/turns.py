"""Turns at something of which there is little: peers take them one after the other, so that a flood waits for itself.

A peer is whoever counts as one, for example an address. Many honest ones may have the same, behind a NAT: so no peer
is refused for what it asks while nobody else wants the room.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TooManyWait(Exception):
    """As many wait as there may, and few of them are others."""


class Turns:
    """At most `at_once` have a turn, `of_one` of them of one peer, and `most` wait."""

    def __init__(self, at_once: int, of_one: int, most: int) -> None:
        self._free = at_once
        self._of_one = of_one
        self._room = most
        self._taken = Counter[str]()
        self._lines = OrderedDict[str, OrderedDict[asyncio.Future[None], None]]()
        """Who waits, by peer. The peers are in the order in which they are next."""

    @asynccontextmanager
    async def turn(self, peer: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it. Raises TooManyWait, perhaps only after a while: others need the room more."""
        if self._may(peer):
            self._take(peer)
        else:
            await self._wait(peer)
        try:
            yield
        finally:
            self._give_back(peer)

    def _may(self, peer: str) -> bool:
        """Nobody is overtaken: who waits while a turn is free has as many as he may."""
        return self._free > 0 and self._taken[peer] < self._of_one

    def _take(self, peer: str) -> None:
        self._free -= 1
        self._taken[peer] += 1

    async def _wait(self, peer: str) -> None:
        if self._room == 0:
            self._make_room(peer)
        called = asyncio.get_running_loop().create_future()
        self._lines.setdefault(peer, OrderedDict())[called] = None
        self._room -= 1
        try:
            await called
        except asyncio.CancelledError:
            self._leave(peer, called)
            if not called.cancelled() and called.exception() is None:
                self._give_back(peer)
            raise

    def _make_room(self, peer: str) -> None:
        """At the cost of the longest line. It is looked for only when all room is taken."""
        longest = max(self._lines, key=lambda each: len(self._lines[each]))
        if len(self._lines[longest]) <= len(self._lines.get(peer, ())) + 1:
            raise TooManyWait
        last = next(reversed(self._lines[longest]))
        self._leave(longest, last)
        if not last.cancelled():
            last.set_exception(TooManyWait())

    def _leave(self, peer: str, called: asyncio.Future[None]) -> None:
        line = self._lines.get(peer)
        if line is None or called not in line:
            return  # it was its turn, or it had to make room
        del line[called]
        self._room += 1
        if not line:
            del self._lines[peer]

    def _give_back(self, peer: str) -> None:
        self._free += 1
        self._taken[peer] -= 1
        if not self._taken[peer]:
            del self._taken[peer]
        while self._free and (following := next(filter(self._may, self._lines), None)) is not None:
            called = next(iter(self._lines[following]))
            self._lines.move_to_end(following)
            self._leave(following, called)
            if not called.cancelled():
                self._take(following)
                called.set_result(None)
