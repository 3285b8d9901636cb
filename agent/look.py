"""One look at a time, in a thread of its own, with a deadline for every call to the kernel."""

import asyncio
import logging
import threading
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Final, TypeVar

from agent.files import Files
from agent.guard import Abandoned, GuardedFiles
from agent.hangs import Hang
from nicfleet.inventory import Inventory

T = TypeVar("T")

_log: Final = logging.getLogger(__name__)

Read = Callable[[Files, Inventory | None], Inventory]
"""Reads everything there is to know from these files, given the inventory before. Blocks."""

STUCK_SECONDS: Final = 5.0
"""A call that takes longer is left behind."""
_CHECK_SECONDS: Final = 1.0


class Looker:
    """Looks at the node's files."""

    def __init__(self, files: Files, read: Read) -> None:
        self._files = files
        self._read = read
        self._hangs: dict[str, Hang] = {}

    async def look(self, previous: Inventory | None) -> Inventory:
        """Read everything. What hangs is left out with all that hangs together with it, and is unread: ETIMEDOUT.

        That takes `STUCK_SECONDS` for each such thing that is new, and for at most one that is tried again.
        """
        self._try_one_again()
        while True:
            files = GuardedFiles(self._files, self._hangs)
            inventory = await self._finish(files, _in_thread(lambda: self._read(files, previous)))  # noqa: B023  # awaited in this round
            if inventory is not None:
                return inventory

    def _try_one_again(self) -> None:
        """Forget the oldest hang that is over: all at once would add up, if they hang again."""
        now = monotonic()
        over = next((unit for unit, hang in self._hangs.items() if hang.is_over(now)), None)
        if over is not None:
            del self._hangs[over]

    async def _finish(self, files: GuardedFiles, look: Future[Inventory]) -> Inventory | None:
        """Wait for a look; None when it hangs and was abandoned.

        Only a call that an earlier check saw too: where the whole process got no time, all calls look old.
        """
        call = None
        while not (await asyncio.wait({look}, timeout=_CHECK_SECONDS))[0]:
            before, call = call, files.call
            if call is None or call is not before or monotonic() - call.began < STUCK_SECONDS:
                continue
            if (hang := files.abandon(call)) is None:
                continue
            self._hangs[call.unit] = hang
            _log.warning("attribute does not answer", extra={"path": call.path, "seconds": STUCK_SECONDS})
            return None
        return look.result()


def _in_thread(work: Callable[[], Inventory]) -> Future[Inventory]:
    """Run in a daemon thread: unlike an executor's, one that hangs does not keep the process from ending."""
    loop = asyncio.get_running_loop()
    outcome: Future[Inventory] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except Abandoned:
            return
        except BaseException as error:
            _hand_over(loop, outcome.set_exception, error)
        else:
            _hand_over(loop, outcome.set_result, result)

    threading.Thread(target=run, name="look", daemon=True).start()
    return outcome


def _hand_over(loop: AbstractEventLoop, put: Callable[[T], None], value: T) -> None:
    with suppress(RuntimeError):  # the loop is closed: the agent is ending
        loop.call_soon_threadsafe(put, value)
