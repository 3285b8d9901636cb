"""Directory watches: the driver container's files on a live host, and the whole of a recorded one.

sysfs and procfs never signal by inotify, so on a live host they are left to uevents and netlink. A host tree made of
ordinary files has no uevents; there these watches are what makes a change seen within milliseconds, and a short poll
finds what lies deeper.
"""

import asyncio
import errno
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from agent.inotify import Inotify, Mask

_log: Final = logging.getLogger(__name__)

_ORDINARY: Final = ("run/mellanox/drivers", "etc/modprobe.d", "dev/infiniband", "var/lib/kubelet")
"""Directories below the host's root that signal on every host. In var/lib/kubelet the plugin directories appear."""

_RECORDED: Final = (
    *_ORDINARY,
    "etc",
    "proc",
    "proc/sys/kernel",
    "sys/bus/pci/drivers",
    "sys/class/infiniband_mad",
    "sys/class/infiniband_verbs",
    "sys/class/misc",
)
_RECORDED_WITH_ENTRIES: Final = ("sys/bus/pci/devices", "sys/class/infiniband", "sys/class/net", "sys/module")
"""Of these each entry is a directory too, or a link to one, whose attributes matter."""


class DirectoryWatch:
    """Calls `nudge` in the running event loop when an entry of the directories comes or goes.

    A directory that is not there yet is waited for: its nearest existing ancestor is watched until it appears.
    """

    def __init__(self, root: Path, nudge: Callable[[], None], *, recorded: bool) -> None:
        """`recorded`: the host is a tree of ordinary files, so watch all of it, and what is written too.

        Raises OSError when the user's limit of inotify instances is reached.
        """
        self._root = root
        self._nudge = nudge
        self._recorded = recorded
        # On a live host "written" would be heard whenever a process closes a device.
        self._mask = Mask.ANY_CHANGE if recorded else Mask.CAME_OR_WENT
        self._inotify = Inotify()
        self._watches: set[int] = set()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen, in the running event loop, for as long as the context lasts."""
        self._refresh()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._inotify.fileno(), self._on_readable)
        try:
            yield
        finally:
            loop.remove_reader(self._inotify.fileno())
            self._inotify.close()

    def _on_readable(self) -> None:
        numbers = list(self._inotify.read())
        before = self._watches
        self._refresh()
        if self._watches != before or any(number is None or number in before for number in numbers):
            self._nudge()

    def _refresh(self) -> None:
        """Watch what exists now; a directory deleted and made anew gets a new watch."""
        self._watches = set()
        for directory in self._wanted():
            number = self._watch(directory, self._mask)
            if number is not None:
                self._watches.add(number)
            else:
                self._await(directory)

    def _wanted(self) -> Iterator[Path]:
        if not self._recorded:
            yield from (self._root / name for name in _ORDINARY)
            return
        yield from (self._root / name for name in _RECORDED)
        for name in _RECORDED_WITH_ENTRIES:
            yield self._root / name
            with suppress(OSError):
                yield from (entry for entry in (self._root / name).iterdir() if entry.is_dir())

    def _watch(self, directory: Path, mask: Mask) -> int | None:
        try:
            return self._inotify.watch(str(directory), mask)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                _log.debug("directory not watched", extra={"directory": str(directory), "errno": error.errno})
            return None

    def _await(self, directory: Path) -> None:
        for ancestor in directory.parents:
            if self._watch(ancestor, Mask.APPEARED) is not None or ancestor == self._root:
                return
