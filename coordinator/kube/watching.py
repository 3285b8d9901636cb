"""The lines of a watch, decoded one by one."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

import aiohttp
import msgspec

from coordinator.kube.errors import Status, error_of_status, unreachable

_INITIAL_END: Final = "k8s.io/initial-events-end"


ResourceVersion = Annotated[str, msgspec.Meta(pattern=r"^[0-9]+$")]


class WatchType(StrEnum):
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"
    OPENED = "OPENED"
    """Ours: the server has accepted the watch."""
    QUIET = "QUIET"
    """Ours: nothing came for another `tick`."""


class Meta(msgspec.Struct, frozen=True, rename="camel"):
    """The metadata by which any object is filed."""

    resource_version: ResourceVersion
    name: str = ""
    namespace: str = ""
    uid: str = ""

    @property
    def version(self) -> int:
        """Of one kind, the greater is the later."""
        return int(self.resource_version)

    @property
    def key(self) -> str:
        """`name`, or `namespace/name`."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class _OnlyMeta(msgspec.Struct, frozen=True):
    metadata: Meta


class _Annotations(msgspec.Struct, frozen=True):
    annotations: dict[str, str] = {}


class _Bookmark(msgspec.Struct, frozen=True):
    metadata: _Annotations


class _Line(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


@dataclass(frozen=True, slots=True)
class WatchEvent:
    type: WatchType
    meta: Meta
    raw: bytes | msgspec.Raw
    initial_end: bool = False
    """This bookmark ends the initial list: what has not been sent by now does not exist."""


_NOTHING: Final = Meta(resource_version="0")
_OPENED: Final = WatchEvent(WatchType.OPENED, _NOTHING, b"")
_QUIET: Final = WatchEvent(WatchType.QUIET, _NOTHING, b"")
_decode_line = msgspec.json.Decoder(_Line).decode
_decode_meta = msgspec.json.Decoder(_OnlyMeta).decode


def meta_of(raw: bytes | msgspec.Raw) -> Meta:
    """Raises msgspec.ValidationError, a ValueError, for what is no object."""
    return _decode_meta(raw).metadata


async def watch_events(stream: aiohttp.StreamReader, target: str, tick: float) -> AsyncIterator[WatchEvent]:
    """Decode events until the stream ends; a half line at its end is not an event. Raises KubeError for ERROR.

    Each `tick` seconds without a byte yield QUIET.
    """
    yield _OPENED
    async for line in _lines(stream, tick):
        yield _QUIET if line is None else _event(line, target)


def _event(line: bytes, target: str) -> WatchEvent:
    try:
        decoded = _decode_line(line)
        if decoded.type != "ERROR":
            kind, raw = WatchType(decoded.type), decoded.object
            return WatchEvent(kind, meta_of(raw), raw, kind is WatchType.BOOKMARK and _ends_the_list(raw))
        status = msgspec.json.decode(decoded.object, type=Status)
    except ValueError as error:  # of msgspec, or an unknown type
        raise unreachable("watch", target, f"an event is not readable: {error}") from error
    raise error_of_status("watch", target, status)


def _ends_the_list(bookmark: msgspec.Raw) -> bool:
    return _INITIAL_END in msgspec.json.decode(bookmark, type=_Bookmark).metadata.annotations


async def _lines(stream: aiohttp.StreamReader, tick: float) -> AsyncIterator[bytes | None]:
    """Whole lines, and None for each `tick` seconds without a byte."""
    pending = bytearray()
    while True:
        try:
            async with asyncio.timeout(tick):
                chunk = await stream.readany()
        except TimeoutError:
            yield None
            continue
        if not chunk:
            return
        pending += chunk
        *whole, rest = pending.split(b"\n")
        pending = bytearray(rest)
        for line in whole:
            if line:
                yield bytes(line)
