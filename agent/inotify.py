"""inotify(7) on directories, by way of the C library."""

import ctypes
import os
import struct
from collections.abc import Iterator
from enum import IntFlag
from typing import Final

_EVENT: Final = struct.Struct("=iIII")  # wd, mask, cookie, length of the name that follows
_BUFFER: Final = 1 << 16


class Mask(IntFlag):
    """What to hear of a directory's entries; values of <sys/inotify.h>."""

    WRITTEN = 0x8
    MOVED_AWAY = 0x40
    MOVED_HERE = 0x80
    CREATED = 0x100
    DELETED = 0x200

    APPEARED = CREATED | MOVED_HERE
    CAME_OR_WENT = APPEARED | MOVED_AWAY | DELETED
    ANY_CHANGE = CAME_OR_WENT | WRITTEN


_ONLY_DIRECTORIES: Final = 0x1000000
_MASK_ADD: Final = 0x20000000
_QUEUE_OVERFLOW: Final = 0x4000
_IGNORED: Final = 0x8000


class Inotify:
    """Watches on directories. Watching the same directory again is free and gives the same number."""

    def __init__(self) -> None:
        """Raises OSError when the user's limit of instances (fs.inotify.max_user_instances) is reached."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        os.close(self._descriptor)

    def watch(self, directory: str, mask: Mask) -> int:
        """Hear of this too, beside what is already watched for there. Returns the watch's number. Raises OSError."""
        flags = ctypes.c_uint32(mask | _ONLY_DIRECTORIES | _MASK_ADD)
        return self._checked(self._libc.inotify_add_watch(self._descriptor, os.fsencode(directory), flags))

    def read(self) -> Iterator[int | None]:
        """Numbers of the watches with news, None where events were lost; ends when there are no more."""
        while True:
            try:
                data = os.read(self._descriptor, _BUFFER)
            except BlockingIOError:
                return
            offset = 0
            while offset < len(data):
                watch, mask, _, length = _EVENT.unpack_from(data, offset)
                offset += _EVENT.size + length
                if mask & _QUEUE_OVERFLOW:
                    yield None
                elif not mask & _IGNORED:
                    yield watch

    @staticmethod
    def _checked(result: int) -> int:
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result
