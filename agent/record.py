"""Recorded hosts: a tree of files with `nicfleet-record.json` at its root, as a directory or as one .tar.gz.

The JSON says what files cannot: which reads failed and how, device and inode of the driver's lock file, the machine's
architecture and what netlink said. `agent.recording` makes such archives.
"""

import errno
import json
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from agent.files import DirectoryFiles, FileId, Files
from agent.host import Host
from agent.links import Links

FILE_NAME: Final = "nicfleet-record.json"
FORMAT: Final = 1

_MOST_BYTES: Final = 256 * 1024 * 1024
_MOST_MEMBERS: Final = 500_000
_ABSENT: Final = frozenset({errno.ENOENT, errno.ENOTDIR})


class UnusableHost(Exception):
    """What was given as a host's root cannot be one; the text is one sentence that says what to give."""


@dataclass(frozen=True, slots=True)
class Record:
    """The contents of `nicfleet-record.json`.

    `errnos` and `identities` are keyed by paths without symbolic links. A file that was listed but never read when the
    host was recorded is in the tree as an empty file with errno ENODATA.
    """

    errnos: Mapping[str, int] = field(default_factory=dict)
    identities: Mapping[str, FileId] = field(default_factory=dict)
    machine: str | None = None
    links: Links | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "uname": {"machine": self.machine},
            "errnos": dict(sorted(self.errnos.items())),
            "identities": {
                path: [file.major, file.minor, file.inode] for path, file in sorted(self.identities.items())
            },
            "links": None if self.links is None else self.links.to_json(),
        }

    @classmethod
    def from_json(cls, value: Any) -> "Record":
        """The inverse of `to_json`. Raises KeyError, TypeError, ValueError or AttributeError on any other value."""
        if value["format"] != FORMAT:
            raise ValueError(f"its format is {value['format']!r}, this nicfleet reads format {FORMAT}")
        machine = value["uname"]["machine"]
        return cls(
            errnos={str(path): int(code) for path, code in value["errnos"].items()},
            identities={str(path): FileId(*map(int, numbers)) for path, numbers in value["identities"].items()},
            machine=None if machine is None else str(machine),
            links=None if value["links"] is None else Links.from_json(value["links"]),
        )


class RecordedFiles:
    """The files of a recorded tree, which fail as they failed when the host was recorded."""

    def __init__(self, files: Files, record: Record) -> None:
        self._files = files
        self._record = record

    def read(self, path: str, limit: int) -> bytes:
        self._fail_as_recorded(path)
        return self._files.read(path, limit)

    def link(self, path: str) -> str:
        if not self._files.exists(path):
            self._fail_as_recorded(path)
        return self._files.link(path)

    def names(self, path: str) -> list[str]:
        self._fail_as_recorded(path)
        return [name for name in self._files.names(path) if path or name != FILE_NAME]

    def exists(self, path: str) -> bool:
        if self._files.exists(path):
            return True
        if self._record.errnos.get(path) not in _ABSENT:
            self._fail_as_recorded(path)
        return False

    def identity(self, path: str) -> FileId:
        known = self._record.identities.get(path)
        if known is None and not self._files.exists(path):
            self._fail_as_recorded(path)
        return known or self._files.identity(path)

    def _fail_as_recorded(self, path: str) -> None:
        code = self._record.errnos.get(path)
        if code is not None:
            raise OSError(code, os.strerror(code), path)


@contextmanager
def open_host(path: Path) -> Iterator[Host]:
    """The host at `path`: a root directory, recorded or not, or a recorded archive, unpacked for as long as it is open.

    Raises UnusableHost.
    """
    if path.is_dir():
        yield _directory_host(path)
    elif path.exists():
        with tempfile.TemporaryDirectory(prefix="nicfleet-") as folder:
            root = Path(folder) / path.name.partition(".")[0]
            _unpack(path, root)
            yield _directory_host(root)
    else:
        raise UnusableHost(f"{path} does not exist: give a host's root directory, or a file of nicfleet record")


def _directory_host(root: Path) -> Host:
    record_file = root / FILE_NAME
    if not record_file.is_file():
        return Host.at(root)
    try:
        record = Record.from_json(json.loads(record_file.read_bytes()))
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnusableHost(f"{record_file} is not the record of a host: {error}; record the host again") from error
    return Host(root, RecordedFiles(DirectoryFiles(root), record), machine=record.machine, links=record.links)


def _unpack(archive: Path, root: Path) -> None:
    try:
        with tarfile.open(archive, "r:gz") as tar:
            members = _bounded(tar)
            tar.extractall(root, members=members, filter="data")
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise UnusableHost(
            f"{archive} is not a recorded host: {error}; give a file that nicfleet record made"
        ) from error
    if not (root / FILE_NAME).is_file():
        raise UnusableHost(f"{archive} is not a recorded host: it has no {FILE_NAME}")


def _bounded(tar: tarfile.TarFile) -> list[tarfile.TarInfo]:
    """The archive's members. Raises tarfile.TarError when it would unpack to more than any host's record holds."""
    members: list[tarfile.TarInfo] = []
    size = 0
    for member in tar:
        members.append(member)
        size += member.size
        if size > _MOST_BYTES or len(members) > _MOST_MEMBERS:
            raise tarfile.ReadError(f"it unpacks to more than {_MOST_BYTES // 2**20} MiB or {_MOST_MEMBERS} files")
    return members
