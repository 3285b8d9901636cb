"""Reads attributes and never raises: what the kernel would not give is collected as `Unread`.

Where a fact comes from is in each caller; here is what holds for all of them (sysfs ABI, node sheet 1.1). An attribute
that is not there is a normal answer, for devices come and go. EINVAL and EOPNOTSUPP are how a driver says "no value":
the speed of a link that is down. Any other errno, and any answer that makes no sense, is a fact of its own.
"""

import errno
import re
from collections.abc import Callable, Set
from typing import Final, TypeVar

from agent.files import FileId, Files, NotTried
from agent.paths import Paths
from nicfleet.inventory import Unread

T = TypeVar("T")

ATTRIBUTE_LIMIT: Final = 4096
"""A sysfs attribute fits into one page."""

ABSENT: Final = frozenset({errno.ENOENT})
_NO_VALUE: Final = frozenset({errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EINVAL, errno.EOPNOTSUPP})
_SENSELESS: Final = 0
_NUMBER: Final = re.compile(r"-?(?:0x[0-9a-fA-F]{1,16}|[0-9]{1,19})")


class Reader:
    """One look at a host's files, for one section of the inventory.

    Paths are relative to the host's root; symbolic links resolve below it, absolute ones too.
    """

    def __init__(self, files: Files, paths: Paths) -> None:
        self._files = files
        self._paths = paths
        self._unread: set[Unread] = set()

    def section(self) -> "Reader":
        """A reader of the same look for another section, which collects what it could not read itself."""
        return Reader(self._files, self._paths)

    @property
    def unread(self) -> tuple[Unread, ...]:
        """What could not be read so far, sorted."""
        return tuple(sorted(self._unread))

    def data(self, path: str, limit: int, normal: Set[int] = _NO_VALUE) -> bytes | None:
        """The file's bytes; None when there is no value. More than `limit` bytes make no sense.

        `normal`: errnos that are an answer; `ABSENT` for what no driver answers, so that all else is a failure.
        """
        content = self._try(path, lambda: self._read(path, limit + 1), None, normal)
        if content is not None and len(content) > limit:
            self.senseless(path)
            return None
        return content

    def text(self, path: str, normal: Set[int] = _NO_VALUE) -> str | None:
        """An attribute's one line, stripped; None when there is no value or it is empty. `normal` as for `data`."""
        content = self.data(path, ATTRIBUTE_LIMIT, normal)
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

    def parsed(self, path: str, parse: Callable[[str], T | None], normal: Set[int] = _NO_VALUE) -> T | None:
        """An attribute's meaning. `parse` returns None for a text that makes no sense. `normal` as for `data`."""
        text = self.text(path, normal)
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
            target = self._files.link(self._paths.place(path))
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
        names: list[str] = self._try(path, lambda: self._files.names(self._paths.resolved(path)), [])
        plain = [name for name in names if _is_plain(name)]
        if len(plain) < len(names):
            self.senseless(path)
        return tuple(sorted(plain))

    def exists(self, path: str) -> bool:
        """Whether there is anything of that name; False also when that could not be told, and then `failed`."""
        return self._try(path, lambda: self._files.exists(self._paths.place(path)), False, ABSENT)

    def identity(self, path: str) -> FileId | None:
        return self._try(path, lambda: self._files.identity(self._paths.place(path)), None)

    def real(self, path: str) -> str | None:
        """The path without symbolic links; None when there is nothing."""

        def existing() -> str | None:
            place = self._paths.resolved(path)
            return place if self._files.exists(place) else None

        return self._try(path, existing, None)

    def require(self, path: str) -> None:
        """Note it when there is nothing of a name that every host has."""
        if not self.exists(path):
            self._unread.add(Unread(path, errno.ENOENT))

    def failed(self, path: str) -> bool:
        """Whether this path could not be read so far."""
        return any(problem.path == path for problem in self._unread)

    def senseless(self, path: str) -> None:
        """Note that an answer came and made no sense."""
        self._note(path, _SENSELESS)

    def _note(self, path: str, code: int | None, normal: Set[int] = _NO_VALUE) -> None:
        if code not in normal:
            self._unread.add(Unread(path, code or _SENSELESS))

    def _try(self, path: str, call: Callable[[], T], otherwise: T, normal: Set[int] = _NO_VALUE) -> T:
        try:
            return call()
        except NotTried as error:
            self._note(error.hung, error.errno)
            return otherwise
        except OSError as error:
            self._note(path, error.errno, normal)
            return otherwise

    def _read(self, path: str, limit: int) -> bytes:
        try:
            return self._files.read(self._paths.place(path), limit)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
        return self._files.read(self._paths.resolved(path), limit)


def _is_plain(name: str) -> bool:
    """Whether a name can be written down: printable, and valid UTF-8 (listings hide other bytes in surrogates)."""
    return name.isprintable() and name not in ("", ".", "..")
