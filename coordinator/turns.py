"""Turns at something of which there is little: peers take them one after the other, so that a flood waits for itself.

A peer is whoever counts as one, for example an address. Many honest ones may have the same, behind a NAT: so no peer
is refused for what it asks while nobody else wants the room.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Iterator
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
        self._lines = _Lines()

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
        self._lines.join(peer, called)
        self._room -= 1
        try:
            await called
        except asyncio.CancelledError:
            self._leave(peer, called)
            if not called.cancelled() and called.exception() is None:
                self._give_back(peer)
            raise

    def _make_room(self, peer: str) -> None:
        """At the cost of the longest line."""
        longest = self._lines.longest()
        if self._lines.length(longest) <= self._lines.length(peer) + 1:
            raise TooManyWait
        last = self._lines.last(longest)
        self._leave(longest, last)
        if not last.cancelled():
            last.set_exception(TooManyWait())

    def _leave(self, peer: str, called: asyncio.Future[None]) -> None:
        if self._lines.leave(peer, called):
            self._room += 1

    def _give_back(self, peer: str) -> None:
        self._free += 1
        self._taken[peer] -= 1
        if not self._taken[peer]:
            del self._taken[peer]
        while self._free and (following := next(filter(self._may, self._lines.peers()), None)) is not None:
            called = self._lines.first(following)
            self._lines.served(following)
            self._leave(following, called)
            if not called.cancelled():
                self._take(following)
                called.set_result(None)


class _Lines:
    """Who waits, by peer. Nothing here takes longer for more of them: a flood comes when all wait."""

    def __init__(self) -> None:
        self._lines = OrderedDict[str, OrderedDict[asyncio.Future[None], None]]()
        """In the order in which the peers are next."""
        self._by_length: list[dict[str, None]] = [{}]
        """The peers that have lines of this length; the last one is of the longest."""

    def peers(self) -> Iterator[str]:
        return iter(self._lines)

    def length(self, peer: str) -> int:
        return len(self._lines.get(peer, ()))

    def longest(self) -> str:
        return next(iter(self._by_length[-1]))

    def first(self, peer: str) -> asyncio.Future[None]:
        return next(iter(self._lines[peer]))

    def last(self, peer: str) -> asyncio.Future[None]:
        return next(reversed(self._lines[peer]))

    def served(self, peer: str) -> None:
        """All others are next before this one."""
        self._lines.move_to_end(peer)

    def join(self, peer: str, called: asyncio.Future[None]) -> None:
        line = self._lines.setdefault(peer, OrderedDict())
        line[called] = None
        self._by_length[len(line) - 1].pop(peer, None)
        if len(line) == len(self._by_length):
            self._by_length.append({})
        self._by_length[len(line)][peer] = None

    def leave(self, peer: str, called: asyncio.Future[None]) -> bool:
        """False if it has left already: it was its turn, or it had to make room."""
        line = self._lines.get(peer)
        if line is None or called not in line:
            return False
        del self._by_length[len(line)][peer]
        del line[called]
        if line:
            self._by_length[len(line)][peer] = None
        else:
            del self._lines[peer]
        if not self._by_length[-1]:
            self._by_length.pop()  # the next shorter one has a peer: it was this one's, or there is no line at all
        return True
