"""The archive: written as one goes, so that its size costs no memory, and always a whole one in the end."""

import gzip
import hashlib
import io
import os
import re
import tarfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._/=-]")
_MODE: Final = 0o600
"""What a cluster is made of is nobody else's business, also without its secrets."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the archive; `size` in bytes, before it is compressed."""

    path: str
    size: int


class CannotWrite(Exception):
    """The disk does not take it; the sentence says what to do."""


class Archive:
    """A .tar.gz with all files below one folder. Every method that writes raises CannotWrite."""

    def __init__(self, folder: Path, name: str, now: datetime) -> None:
        """Until `finish` it has another name: a file with the right one is whole."""
        self.path = folder / f"{name}.tar.gz"
        self.entries: list[Entry] = []
        self._name = name
        self._now = now.timestamp()
        self._part = folder / f"{name}.tar.gz.part"
        try:
            self._file = _Hashed(self._part)
        except OSError as error:
            raise _cannot_write(self._part, error) from error
        self._gzip = gzip.GzipFile("", "wb", fileobj=self._file, mtime=self._now)
        self._tar = tarfile.open(fileobj=self._gzip, mode="w|")  # noqa: SIM115  # until finish
        self._paths: set[str] = set()
        self._ended = False

    def add(self, path: str, content: str | bytes) -> None:
        """Add a file. One whose path is taken gets another; one that comes after the end is not added."""
        if self._ended:
            return  # somebody was late; what is missing is told already
        body = content.encode(errors="replace") if isinstance(content, str) else content
        path = self._free(_safe(path))
        member = tarfile.TarInfo(f"{self._name}/{path}")
        member.size, member.mtime, member.mode = len(body), int(self._now), _MODE
        try:
            self._tar.addfile(member, io.BytesIO(body))
        except OSError as error:
            raise _cannot_write(self._part, error) from error
        # A tarfile remembers its members; these would be what grows.
        self._tar.members.clear()  # type: ignore[attr-defined]  # typeshed does not know it
        self.entries.append(Entry(path, len(body)))

    def finish(self) -> str:
        """Close it under its name; returns its SHA-256."""
        self._ended = True
        try:
            self._tar.close()
            self._gzip.close()
            self._file.close()
            self._part.rename(self.path)
        except OSError as error:
            raise _cannot_write(self._part, error) from error
        return self._file.digest.hexdigest()

    def discard(self) -> None:
        """Leave nothing behind."""
        self._ended = True
        for part in (self._tar, self._gzip, self._file):
            with suppress(OSError):  # what it still had to write is not wanted
                part.close()
        self._part.unlink(missing_ok=True)

    def _free(self, path: str) -> str:
        stem, dot, ending = path.rpartition(".")
        free, count = path, 1
        while free in self._paths:
            count += 1
            free = f"{stem}-{count}{dot}{ending}" if dot else f"{path}-{count}"
        self._paths.add(free)
        return free


def _safe(path: str) -> str:
    """A path that stays below the folder into which it is unpacked, and looks the same on each system."""
    parts = _UNSAFE.sub("_", path).split("/")
    return "/".join(part if part.strip(".") else "_" * max(1, len(part)) for part in parts)


def _cannot_write(path: Path, error: OSError) -> CannotWrite:
    return CannotWrite(
        f"cannot write {path}: {error.strerror}; give --output-dir a folder that you may write, with room"
    )


class _Hashed:
    """A new file that knows the hash of what was written."""

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb")
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()
