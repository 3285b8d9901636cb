"""Resolves symbolic links below a host's root, as the kernel would if that root were its own."""

import errno
import os
from typing import Final

from agent.files import Files

_NOT_A_LINK: Final = frozenset({errno.EINVAL, errno.ENOENT, errno.ENOTDIR})
_MOST_LINKS: Final = 40
"""As the kernel's own MAXSYMLINKS."""


class Paths:
    """The paths of one look at a host. What is once resolved is remembered: it must not outlive the look."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._resolved: dict[str, str] = {"": ""}
        self._targets: dict[str, str | None] = {}

    def place(self, path: str) -> str:
        """The path with its directories resolved, its last component as it is."""
        directory, _, name = path.rpartition("/")
        return _join(self.resolved(directory), name)

    def resolved(self, path: str) -> str:
        """The path wholly resolved; whether there is anything is left to the call that uses it."""
        known = self._resolved.get(path)
        if known is None:
            parent, _, name = path.rpartition("/")
            known = self._resolved[path] = self._follow(self.resolved(parent), name)
        return known

    def _follow(self, place: str, name: str) -> str:
        """Resolve `name` in the directory `place`, link by link, never above the root."""
        todo, links = [name], 0
        while todo:
            step = todo.pop()
            if step in ("", "."):
                continue
            if step == "..":
                place = place.rpartition("/")[0]
                continue
            target = self._target(_join(place, step))
            if target is None:
                place = _join(place, step)
                continue
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
            if target.startswith("/"):
                place = ""
            todo.extend(reversed(target.split("/")))
        return place

    def _target(self, place: str) -> str | None:
        """Target of the symbolic link at `place`; None for anything else and for nothing."""
        if place not in self._targets:
            try:
                self._targets[place] = self._files.link(place)
            except OSError as error:
                if error.errno not in _NOT_A_LINK:
                    raise
                self._targets[place] = None
        return self._targets[place]


def _join(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name
