"""The only code that touches a host's files: five primitives on paths below the host's root.

Paths are relative ("sys/class/net") and hold no symbolic link except, where said, in the last component:
`agent.reader` resolves links itself, so that none can lead out of the root and each can be recorded.
"""

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

_CHUNK: Final = 65536
_PAGE: Final = 4096 + 1
"""An attribute of sysfs, and a byte to tell that it is longer: comes whole in one read, unlike /proc and VPD."""


@dataclass(frozen=True, slots=True)
class FileId:
    """Device and inode, as /proc/locks names a file."""

    major: int
    minor: int
    inode: int


class NotTried(TimeoutError):
    """This read was left out, because another hangs that it would hang with; `hung` is that one's path."""

    def __init__(self, hung: str) -> None:
        super().__init__(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT), hung)
        self.hung = hung


class Files(Protocol):
    """Every method raises OSError, as the call to the kernel did."""

    def read(self, path: str, limit: int) -> bytes:
        """At most `limit` bytes. Raises ELOOP when the last component is a symbolic link."""
        ...

    def link(self, path: str) -> str:
        """Target of the symbolic link. Raises EINVAL when it is none."""
        ...

    def names(self, path: str) -> list[str]:
        """Names in the directory, in any order."""
        ...

    def exists(self, path: str) -> bool:
        """Whether there is anything of that name, also a dangling link or a device."""
        ...

    def identity(self, path: str) -> FileId: ...


class DirectoryFiles:
    """The files below a directory. Plain system calls: a large host has forty thousand attributes."""

    def __init__(self, root: Path) -> None:
        self._root = f"{root}/"

    def read(self, path: str, limit: int) -> bytes:
        # O_NONBLOCK: a FIFO in a hand-made tree must not hang the agent. sysfs ignores it.
        descriptor = os.open(self._root + path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if limit <= _PAGE:
                return os.read(descriptor, limit)
            parts = []
            while limit > 0 and (part := os.read(descriptor, min(limit, _CHUNK))):
                parts.append(part)
                limit -= len(part)
            return b"".join(parts)
        finally:
            os.close(descriptor)

    def link(self, path: str) -> str:
        return os.readlink(self._root + path)  # noqa: PTH115  # a Path for each call would double the time of a look

    def names(self, path: str) -> list[str]:
        return os.listdir(self._root + path)  # noqa: PTH208  # as above

    def exists(self, path: str) -> bool:
        try:
            os.lstat(self._root + path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def identity(self, path: str) -> FileId:
        status = os.lstat(self._root + path)
        return FileId(os.major(status.st_dev), os.minor(status.st_dev), status.st_ino)
