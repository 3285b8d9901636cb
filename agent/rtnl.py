"""Attributes of netdevs that wait for the kernel's RTNL lock, and a look without them.

Kernels before 6.15 do not sleep until the lock is free: they try again and again, with a whole core for each reader
(net/core/net-sysfs.c: rtnl_trylock, restart_syscall). A driver may hold it for as long as its firmware takes to answer.
"""

from typing import Final

from agent.files import FileId, Files, NotTried

_NAMES: Final = frozenset({"speed", "phys_port_name", "phys_switch_id", "phys_port_id"})


def needs_rtnl(path: str) -> bool:
    """Whether the file is an attribute of a netdev that only the holder of the lock may read."""
    folders, _, name = path.rpartition("/")
    return name in _NAMES and folders.rpartition("/")[0].endswith("/net")


class WithoutRtnl:
    """The files of one look, without what needs the lock: the first such path is named for all of them."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._first = ""

    def read(self, path: str, limit: int) -> bytes:
        if needs_rtnl(path):
            self._first = self._first or path
            raise NotTried(self._first)
        return self._files.read(path, limit)

    def link(self, path: str) -> str:
        return self._files.link(path)

    def names(self, path: str) -> list[str]:
        return self._files.names(path)

    def exists(self, path: str) -> bool:
        return self._files.exists(path)

    def identity(self, path: str) -> FileId:
        return self._files.identity(path)
