"""Reads attributes and never raises: what the kernel would not give is collected as `Unread`.

Where a fact comes from is in each caller; here is what holds for all of them (sysfs ABI, node sheet 1.1). An attribute
that is not there is a normal answer, for devices come and go. EINVAL and EOPNOTSUPP are how a driver says "no value":
the speed of a link that is down. Any other errno, and any answer that makes no sense, is a fact of its own.
"""

import errno
import os
import re
from collections.abc import Callable
from typing import Final, TypeVar

from agent.files import FileId, Files
from nicfleet.inventory import Unread

T = TypeVar("T")

ATTRIBUTE_LIMIT: Final = 4096
"""A sysfs attribute fits into one page."""

_NO_VALUE: Final = frozenset({errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EINVAL, errno.EOPNOTSUPP})
_NOT_A_LINK: Final = frozenset({errno.EINVAL, errno.ENOENT, errno.ENOTDIR})
_SENSELESS: Final = 0
_MOST_LINKS: Final = 40
"""As the kernel's own MAXSYMLINKS."""

_NUMBER: Final = re.compile(r"-?(?:0x[0-9a-fA-F]{1,16}|[0-9]{1,19})")


class Reader:
    """One look at a host's files, for one section of the inventory.

    Paths are relative to the host's root; symbolic links resolve below it, absolute ones too. Directories once resolved
    are remembered, so a reader must not outlive the look.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._directories: dict[str, str] = {"": ""}
        self._targets: dict[str, str | None] = {}
        self._unread: set[Unread] = set()

    @property
    def unread(self) -> tuple[Unread, ...]:
        """What could not be read so far, sorted."""
        return tuple(sorted(self._unread))

    def data(self, path: str, limit: int) -> bytes | None:
        """The file's bytes; None when there is no value. More than `limit` bytes make no sense."""
        content = self._try(path, lambda: self._read(path, limit + 1), None)
        if content is not None and len(content) > limit:
            self.senseless(path)
            return None
        return content

    def text(self, path: str) -> str | None:
        """An attribute's one line, stripped; None when there is no value or it is empty."""
        content = self.data(path, ATTRIBUTE_LIMIT)
        if content is None:
            return None
        try:
            value = content.decode().strip()
        except UnicodeDecodeError:
            self.senseless(path)
            return None
        if not value.isprintable():
            self.senseless(path)
            return None
        return value or None

    def parsed(self, path: str, parse: Callable[[str], T | None]) -> T | None:
        """An attribute's meaning. `parse` returns None for a text that makes no sense."""
        text = self.text(path)
        if text is None:
            return None
        value = parse(text)
        if value is None:
            self.senseless(path)
        return value

    def matched(self, path: str, pattern: re.Pattern[str]) -> str | None:
        """An attribute that must match the pattern whole: its first group."""

        def parse(text: str) -> str | None:
            match = pattern.fullmatch(text)
            return match[1] if match else None

        return self.parsed(path, parse)

    def number(self, path: str, low: int = 0, high: int = 2**32 - 1) -> int | None:
        """A number, decimal or 0x-prefixed, within the bounds given."""

        def parse(text: str) -> int | None:
            value = int(text, 0 if "x" in text else 10) if _NUMBER.fullmatch(text) else None
            return value if value is not None and low <= value <= high else None

        return self.parsed(path, parse)

    def lines(self, path: str, limit: int) -> tuple[str, ...]:
        """Lines of a text file; bytes that are no UTF-8 become U+FFFD. Empty when there is no value."""
        content = self.data(path, limit)
        return tuple((content or b"").decode(errors="replace").split("\n"))

    def link(self, path: str) -> str | None:
        """Base name of a link's target, which is how sysfs names the thing linked."""
        try:
            target = self._files.link(self._place(path))
        except OSError as error:
            # Here, EINVAL does not come from a driver: something else than a link is in its place.
            self._note(path, _SENSELESS if error.errno == errno.EINVAL else error.errno)
            return None
        name = target.rstrip("/").rpartition("/")[2]
        if not _is_plain(name):
            self.senseless(path)
            return None
        return name

    def entries(self, path: str) -> tuple[str, ...]:
        """Names in a directory, sorted; empty when there is none."""
        names: list[str] = self._try(path, lambda: self._files.names(self._directory(path)), [])
        plain = [name for name in names if _is_plain(name)]
        if len(plain) < len(names):
            self.senseless(path)
        return tuple(sorted(plain))

    def exists(self, path: str) -> bool:
        """Whether there is anything of that name."""
        return self._try(path, lambda: self._files.exists(self._place(path)), False)

    def identity(self, path: str) -> FileId | None:
        return self._try(path, lambda: self._files.identity(self._place(path)), None)

    def real(self, path: str) -> str | None:
        """The path without symbolic links; None when there is nothing."""

        def existing() -> str | None:
            place = self._directory(path)
            return place if self._files.exists(place) else None

        return self._try(path, existing, None)

    def senseless(self, path: str) -> None:
        """Note that an answer came and made no sense."""
        self._note(path, _SENSELESS)

    def _note(self, path: str, code: int | None) -> None:
        if code not in _NO_VALUE:
            self._unread.add(Unread(path, code or _SENSELESS))

    def _try(self, path: str, call: Callable[[], T], otherwise: T) -> T:
        try:
            return call()
        except OSError as error:
            self._note(path, error.errno)
            return otherwise

    def _read(self, path: str, limit: int) -> bytes:
        try:
            return self._files.read(self._place(path), limit)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
        return self._files.read(self._directory(path), limit)

    def _place(self, path: str) -> str:
        """The path with its directories resolved, its last component as it is."""
        directory, _, name = path.rpartition("/")
        return _join(self._directory(directory), name)

    def _directory(self, path: str) -> str:
        """The path wholly resolved; whether there is anything is left to the call that uses it."""
        known = self._directories.get(path)
        if known is None:
            parent, _, name = path.rpartition("/")
            known = self._directories[path] = self._follow(self._directory(parent), name)
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


def _is_plain(name: str) -> bool:
    """Whether a name can be written down: printable, and valid UTF-8 (listings hide other bytes in surrogates)."""
    return name.isprintable() and name not in ("", ".", "..")
