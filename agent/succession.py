"""Streams of one connection, one after the other, each with the token of its time.

held ─ the coordinator asks ─> held, and the next one begins ─┬─ accepted ──> the next one is held
                                                              └─ refused, failed ──> held, and tried again later

So the coordinator finds the node silent at no moment, and a renewal that fails costs nothing before the token ends.
"""

import asyncio
from asyncio import FIRST_COMPLETED, Future
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, Never, TypeAlias

import grpc

from agent.session import SessionEnded
from nicfleet.channel import NotDialled

ENDS: Final = (SessionEnded, NotDialled, grpc.RpcError, grpc.aio.BaseError)
"""What a stream ends with, sooner or later."""


class Stream:
    """One that is spoken on by a task of its own."""

    def __init__(self, speak: "Speak") -> None:
        loop = asyncio.get_running_loop()
        self.accepted: Future[None] = loop.create_future()
        self.renewal_due: Future[None] = loop.create_future()
        self.task = loop.create_task(speak(self))

    def accept(self) -> None:
        """The coordinator has welcomed it."""
        self.accepted.set_result(None)

    def renew(self) -> None:
        """The coordinator asks for the next one."""
        if not self.renewal_due.done():
            self.renewal_due.set_result(None)

    async def until(self, event: Future[None]) -> None:
        """Raises what has ended the stream, if that came first."""
        waited: set[Future[Any]] = {self.task, event}
        await asyncio.wait(waited, return_when=FIRST_COMPLETED)
        if self.task.done():
            self.task.result()

    async def stop(self) -> None:
        """End it; how it ends, or has ended already, is of no interest."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


Speak: TypeAlias = Callable[[Stream], Coroutine[Any, Any, Never]]
"""Opens a stream and speaks on it until it ends; tells the Stream how far it is."""


async def succession(speak: Speak, not_renewed: Callable[[Exception], float]) -> Never:
    """Hold a stream, then the one after it, and so on; raises what ended one that none had followed: one of ENDS.

    `not_renewed` hears why a next one was not accepted, and gives the seconds until another is tried.
    """
    streams = deque([Stream(speak)])
    try:
        while True:
            held = streams[0]
            await held.until(held.renewal_due)
            streams.append(following := Stream(speak))
            try:
                # The end of the held one meanwhile is how it looks when it is replaced.
                await following.until(following.accepted)
            except ENDS as reason:
                streams.pop()
                await asyncio.wait({held.task}, timeout=not_renewed(reason))
            else:
                await streams.popleft().stop()
    finally:
        for stream in streams:
            await stream.stop()
