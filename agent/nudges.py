"""Reasons to look again. Every source of events ends here, and all they say is 'something may have changed'."""

import asyncio
from datetime import UTC, datetime


class Nudges:
    """Counts nothing and queues nothing: a thousand nudges before the next look are one.

    Use from the event loop's own thread.
    """

    def __init__(self) -> None:
        self._heard: asyncio.Event = asyncio.Event()
        self._first: datetime | None = None

    def nudge(self) -> None:
        """Ask for a look."""
        if self._first is None:
            self._first = datetime.now(UTC)
        self._heard.set()

    async def wait(self, timeout_seconds: float) -> datetime | None:
        """Wait for a nudge and take it: when the first one since the last look came, or None after the timeout."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._heard.wait()
        except TimeoutError:
            return None
        self._heard.clear()
        first, self._first = self._first, None
        return first
