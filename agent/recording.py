"""Records a host: exactly the files, links and errnos that the inventory reads, and what netlink said, as one .tar.gz.

What a record tells about a machine: its NICs with serial numbers, MAC and IP addresses, its mounts and file locks,
kernel modules and the driver container's files. It holds no other file.
"""

import errno
import gzip
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Final

from agent.files import FileId, Files
from agent.host import Host
from agent.inventory import read
from agent.links import Links
from agent.record import FILE_NAME, Record
from nicfleet.inventory import Inventory, NodeName

_NOT_RECORDED: Final = errno.ENODATA
_NOT_A_LINK: Final = errno.EINVAL
_SEEN_IN_THE_TREE: Final = frozenset({errno.ENOENT, errno.ELOOP, errno.EISDIR})
"""The tree itself fails so: with nothing, a link or a directory where a file was asked for."""


class NotingFiles:
    """The files given; notes what each call answered."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.contents: dict[str, bytes] = {}
        self.links: dict[str, str] = {}
        self.directories: dict[str, list[str]] = {}
        self.asked: set[str] = set()
        self.errnos: dict[str, int] = {}
        self.identities: dict[str, FileId] = {}

    def read(self, path: str, limit: int) -> bytes:
        with self._noting(path):
            content = self._files.read(path, limit)
        self.contents[path] = max(content, self.contents.get(path, b""), key=len)
        return content

    def link(self, path: str) -> str:
        with self._noting(path, _NOT_A_LINK):
            target = self._files.link(path)
        self.links[path] = target
        return target

    def names(self, path: str) -> list[str]:
        with self._noting(path):
            names = self._files.names(path)
        self.directories[path] = names
        return names

    def exists(self, path: str) -> bool:
        with self._noting(path):
            return self._files.exists(path)

    def identity(self, path: str) -> FileId:
        with self._noting(path):
            file = self._files.identity(path)
        self.identities[path] = file
        return file

    @contextmanager
    def _noting(self, path: str, expected: int | None = None) -> Iterator[None]:
        self.asked.add(path)
        try:
            yield
        except OSError as error:
            if error.errno is not None and error.errno not in (expected, *_SEEN_IN_THE_TREE):
                self.errnos[path] = error.errno
            raise


def record(host: Host, links: Links | None, output: Path) -> Inventory:
    """Look at the host and write what the look read to `output`, a .tar.gz; returns what was seen.

    `links` is what netlink said, None where it was not asked. Raises OSError when `output` cannot be written.
    """
    noted = NotingFiles(host.files)
    seen = read(replace(host, files=noted), links, NodeName(host.root.name))
    tree, errnos = _tree(host.files, noted)
    sidecar = Record(errnos=errnos, identities=noted.identities, machine=host.machine, links=links)
    tree[FILE_NAME] = _File(json.dumps(sidecar.to_json(), indent=1).encode())
    output.write_bytes(_archive(tree))
    return seen


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class _Directory:
    pass


@dataclass(frozen=True, slots=True)
class _Link:
    target: str


_Entry = _File | _Directory | _Link


def _tree(files: Files, noted: NotingFiles) -> tuple[dict[str, _Entry], dict[str, int]]:
    """What stands at each path of the record, and the errnos of it.

    What was only seen by name is there too, so that a listing is the same; reading it fails with ENODATA.
    """
    listed = {f"{folder}/{name}" for folder, names in noted.directories.items() for name in names}
    by_name = (listed | noted.asked) - {*noted.contents, *noted.links, *noted.directories}
    kinds = {path: _kind(files, path) for path in by_name}
    tree: dict[str, _Entry] = {path: kind for path, kind in kinds.items() if kind is not None}
    tree |= {path: _Directory() for path in noted.directories}
    tree |= {path: _File(content) for path, content in noted.contents.items()}
    tree |= {path: _Link(target) for path, target in noted.links.items()}
    unread = {path: _NOT_RECORDED for path, kind in kinds.items() if isinstance(kind, _File)}
    return tree, unread | noted.errnos


def _kind(files: Files, path: str) -> _Entry | None:
    """What stands at the path, without its contents; None when it is gone or cannot be seen."""
    try:
        if not files.exists(path):
            return None
        return _Link(files.link(path))
    except OSError as error:
        if error.errno != _NOT_A_LINK:
            return None
    try:
        files.names(path)
    except OSError as error:
        return _File() if error.errno == errno.ENOTDIR else _Directory()
    return _Directory()


def _archive(tree: Mapping[str, _Entry]) -> bytes:
    """The same bytes for the same tree: no times, no owners."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path, entry in sorted(tree.items()):
            member = tarfile.TarInfo(path)
            content = b""
            match entry:
                case _File():
                    content, member.size = entry.content, len(entry.content)
                case _Directory():
                    member.type, member.mode = tarfile.DIRTYPE, 0o755
                case _Link():
                    member.type, member.linkname = tarfile.SYMTYPE, _relative(path, entry.target)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _relative(path: str, target: str) -> str:
    """The same target for a link at `path`, neither absolute nor climbing above the root."""
    depth = path.count("/")
    if target.startswith("/"):
        return "../" * depth + target.lstrip("/") or "."
    steps = [step for step in target.split("/") if step not in ("", ".")]
    climbs = len([*takewhile("..".__eq__, steps)])
    return "/".join(steps[max(climbs - depth, 0) :]) or "."
