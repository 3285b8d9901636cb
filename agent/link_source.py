"""The links of a live host, look after look: as netlink gives them, or as it last did.

A dump waits in `send()`, which no timeout of a socket covers, until the kernel lets go of the RTNL lock: that lasts as
long as a driver hangs. So each dump has a thread of its own and the look a deadline.
"""

import logging
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from agent.files import Files
from agent.links import Links
from agent.rtnl import WithoutRtnl

_log: Final = logging.getLogger(__name__)

DUMP_SECONDS: Final = 5.0
_HANGS: Final = f"a dump has not ended after {DUMP_SECONDS:g} s"

Answer = SimpleQueue[Links | Exception]


class LinkSource:
    """Use from one thread at a time."""

    def __init__(self, ask: Callable[[], Links]) -> None:
        """`ask` dumps the links. It may block for ever and raise anything."""
        self._ask = ask
        self._asking: threading.Thread | None = None
        self._last: Links | None = None
        self._failure = ""
        self._hangs = False

    def links(self) -> Links | None:
        """The links now; those of the last dump when netlink fails, None when it has never answered."""
        try:
            self._last = self._dump()
        except Exception as error:  # whatever netlink does, the look goes on
            self._hangs = isinstance(error, TimeoutError)
            self._failed(error)
        else:
            self._hangs = False
            self._failure = ""
        return self._last

    def fit(self, files: Files) -> Files:
        """The files to look at after `links`: while a dump hangs, without what would wait for the same lock."""
        return WithoutRtnl(files) if self._hangs else files

    def _dump(self) -> Links:
        """Raises TimeoutError after the deadline, and at once while an earlier dump still hangs."""
        if self._asking is not None and self._asking.is_alive():
            raise TimeoutError(_HANGS)
        answer: Answer = SimpleQueue()
        self._asking = threading.Thread(target=self._answer, args=(answer,), name="netlink", daemon=True)
        self._asking.start()
        try:
            given = answer.get(timeout=DUMP_SECONDS)
        except Empty:
            raise TimeoutError(_HANGS) from None
        if isinstance(given, Exception):
            raise given
        return given

    def _answer(self, answer: Answer) -> None:
        try:
            answer.put(self._ask())
        except Exception as error:
            answer.put(error)

    def _failed(self, error: Exception) -> None:
        """One line for as long as the reason is the same."""
        if (failure := repr(error)) != self._failure:
            self._failure = failure
            instead = "sysfs" if self._last is None else "the last dump"
            trace = None if isinstance(error, OSError) else error
            _log.warning("netlink gives no links", extra={"error": str(error), "links_from": instead}, exc_info=trace)
