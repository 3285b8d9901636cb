"""Reads that hang: found, named, and left behind, so that one sick NIC does not hide the others.

A read of sysfs can block for a minute, in a state that no signal ends. Such a call keeps its thread. The look that it
belonged to is abandoned, and the next ones leave out what hangs together with it, until it is worth another try.
"""

import errno
import os
import threading
from collections.abc import Callable, Mapping
from time import monotonic
from typing import NamedTuple, TypeVar

from agent.files import FileId, Files, NotTried
from agent.hangs import Hang, together

T = TypeVar("T")


class Call(NamedTuple):
    """A call to the kernel that is under way, and since when (monotonic seconds)."""

    path: str
    began: float
    is_read: bool

    @property
    def unit(self) -> str:
        """What is left out when it hangs."""
        return together(self.path)[0] if self.is_read else self.path


class Abandoned(BaseException):
    """Ends the thread of a look that nobody waits for. Not an Exception, so that no reader takes it for a finding."""


class GuardedFiles:
    """The files of one look. One thread reads; another may ask where it is, and leave it there."""

    def __init__(self, files: Files, hangs: Mapping[str, Hang]) -> None:
        """`hangs`: by what is left out, the call that stands for it. Only reads are: no listing asks a device."""
        self._files = files
        self._hangs = hangs
        self._lock = threading.Lock()
        self._left: Hang | None = None
        self.call: Call | None = None

    def abandon(self, call: Call) -> Hang | None:
        """Leave the thread where it hangs; None when this call has just returned."""
        with self._lock:
            if self.call is not call:
                return None
            self._left = Hang(call.path, call.began)
            return self._left

    def read(self, path: str, limit: int) -> bytes:
        if self._hangs:
            for unit in together(path):
                if unit != path and (hang := self._hangs.get(unit)) is not None:
                    raise NotTried(hang.path)
        return self._guarded(path, lambda: self._files.read(path, limit), is_read=True)

    def link(self, path: str) -> str:
        return self._guarded(path, lambda: self._files.link(path))

    def names(self, path: str) -> list[str]:
        return self._guarded(path, lambda: self._files.names(path))

    def exists(self, path: str) -> bool:
        return self._guarded(path, lambda: self._files.exists(path))

    def identity(self, path: str) -> FileId:
        return self._guarded(path, lambda: self._files.identity(path))

    def _guarded(self, path: str, work: Callable[[], T], is_read: bool = False) -> T:
        if path in self._hangs:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT), path)
        self.call = Call(path, monotonic(), is_read)
        try:
            return work()
        finally:
            with self._lock:
                self.call = None
            if self._left is not None:
                self._left.returned = monotonic()
                raise Abandoned
