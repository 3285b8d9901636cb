"""Reads that hang: found, named, and left behind, so that one sick NIC does not hide the others.

A read of sysfs can block for a minute, in a state that no signal ends. Such a call keeps its thread. The look that it
belonged to is abandoned, and the next one is told at once that this path does not answer, until the call returns.
"""

import errno
import os
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple, TypeVar

from agent.files import FileId, Files

T = TypeVar("T")


class Call(NamedTuple):
    """A call to the kernel that is under way, and since when (monotonic seconds)."""

    path: str
    began: float


class Abandoned(BaseException):
    """Ends the thread of a look that nobody waits for. Not an Exception, so that no reader takes it for a finding."""


class GuardedFiles:
    """The files of one look. One thread reads; another may ask where it is, and leave it there."""

    def __init__(self, files: Files, stuck: set[str]) -> None:
        """`stuck`: paths whose call never returned, shared by all looks."""
        self._files = files
        self._stuck = stuck
        self._abandoned = False
        self.call: Call | None = None

    def abandon(self, path: str) -> None:
        """Leave the thread where it hangs."""
        self._stuck.add(path)
        self._abandoned = True

    def read(self, path: str, limit: int) -> bytes:
        return self._guarded(path, lambda: self._files.read(path, limit))

    def link(self, path: str) -> str:
        return self._guarded(path, lambda: self._files.link(path))

    def names(self, path: str) -> list[str]:
        return self._guarded(path, lambda: self._files.names(path))

    def exists(self, path: str) -> bool:
        return self._guarded(path, lambda: self._files.exists(path))

    def identity(self, path: str) -> FileId:
        return self._guarded(path, lambda: self._files.identity(path))

    def _guarded(self, path: str, call: Callable[[], T]) -> T:
        if path in self._stuck:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT), path)
        self.call = Call(path, monotonic())
        try:
            return call()
        finally:
            self.call = None
            if self._abandoned:
                self._stuck.discard(path)
                raise Abandoned
