"""Listening to strangers: to who is to be sent away, and to who asks what everybody may.

gRPC (1.85) tells a client that is answered before it has spoken of an internal error in place of the answer. But what
strangers say may be large, and they may stay silent: few are listened to at once, each for a moment.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from coordinator.turns import TooManyWait, Turns

_AT_ONCE: Final = 8
"""So much is in memory of them at once, in messages."""
_OF_ONE: Final = 4
_WAITING: Final = 20_000
_SECONDS: Final = 1.0
"""A client says its first word in the same breath as it calls."""
_PATIENCE: Final = 3.0
"""Seconds for the turn and the word, so that nobody's call lasts for as long as the line of those at his address."""


class Hearing:
    """Hears strangers out, each in his turn."""

    def __init__(self) -> None:
        self._turns = Turns(_AT_ONCE, _OF_ONE, _WAITING)

    async def hear(self, read: Callable[[], Awaitable[object]], peer: str) -> bytes | None:
        """The first message of somebody at this address; None if it does not come. Raises TooManyWait.

        `read` is that of gRPC's context: its iterator of messages keeps the last one for as long as the call lasts.
        """
        try:
            async with asyncio.timeout(_PATIENCE), self._turns.turn(peer):
                return await _first(read)
        except TimeoutError:
            raise TooManyWait from None

    async def hear_out(self, read: Callable[[], Awaitable[object]], peer: str) -> None:
        """Likewise, of one who is sent away whatever he says."""
        with suppress(TooManyWait):
            await self.hear(read, peer)


async def _first(read: Callable[[], Awaitable[object]]) -> bytes | None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_SECONDS):
            message = await read()
            return message if isinstance(message, bytes) else None
    return None
