"""Waiting in the event loop of a test."""

import asyncio
from collections.abc import Callable


async def at_rest() -> None:
    """Whatever can be done without time passing is done: no machine is too slow for that."""
    for _ in range(20):
        await asyncio.sleep(0)


async def until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Raises TimeoutError when it does not come to hold: only when a test fails, so the limit is generous."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  most of what is waited for has no event
            await asyncio.sleep(0.001)
