"""Endless coroutines for the length of a test, and waiting for what they do."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any


@asynccontextmanager
async def running(coroutine: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run it beside the block; should it fail before the block ends, the test fails with its error."""
    task = asyncio.create_task(coroutine)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def eventually(holds: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until it holds; fails after `seconds`, which are generous: a machine under load is slow."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  what it looks at has no event to wait for
            await asyncio.sleep(0.02)


async def connections_ended() -> None:
    """Wait until no connection of this loop is left, also of the closed ones whose TLS waits for a farewell.

    One that is there when the loop is closed is a ResourceWarning, which fails whatever test comes to it.
    """
    loop: Any = asyncio.get_running_loop()  # it knows them, and tells nobody
    await eventually(lambda: all(transport._sock is None for transport in list(loop._transports.values())))
