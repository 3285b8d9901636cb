"""Reflector: a kind's objects as the API server has them, kept by list and watch.

Absence is never guessed. An object is gone only when a DELETED event says so or when it is missing from a list that is
*proved* complete: by the bookmark that ends the initial events, or by the last page of a consistent list. A list that
breaks, expires midway or answers nonsense changes nothing.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing
from random import Random
from typing import Final, Generic, TypeVar

import msgspec

from coordinator.backoff import Backoff
from coordinator.kube.client import Kube, Source
from coordinator.kube.entries import Entry, differs, newer
from coordinator.kube.errors import (
    Failed,
    Gone,
    Invalid,
    KubeError,
    NotFound,
    TooManyRequests,
    Unreachable,
    unreachable,
)
from coordinator.kube.watching import Meta, WatchEvent, WatchType, meta_of

log = logging.getLogger(__name__)

T = TypeVar("T")

WATCH_SECONDS: Final = (300, 600)
"""The server ends a watch after a time out of this range, so that not all watches end at once."""

STALL_SECONDS: Final = 10.0
"""A list that sends nothing for so long has broken off."""

QUIET_SECONDS: Final = 150.0
"""A healthy server sends a bookmark about every minute. After this silence we ask whether it still knows our position:
one restored from an older copy of its data would keep a watch open, answer 200, and say nothing."""

UNKNOWN_KIND_SECONDS: Final = 30.0
"""How often to look for a kind whose CRD is not installed."""


_Listing = dict[str, Entry[T] | None]
"""A list that grows: decoded at once, as 10,000 Nodes are 200 MB of JSON. None: there, but not understood."""


class Reflector(Generic[T]):
    """Objects of one Source by key (`name` or `namespace/name`), decoded.

    `on_change(key, old, new)` is called for each change, with None for an object that is not there. It must not block.
    """

    def __init__(
        self,
        kube: Kube,
        source: Source,
        decode: Callable[[bytes | msgspec.Raw], T],
        on_change: Callable[[str, T | None, T | None], None],
        random: Random,
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        self.source = source
        self.synced = asyncio.Event()
        """The first complete list has been seen. It stays set: what is known stays true while the server is away.

        Of an optional kind that cannot be listed it is set too: whoever waits for all kinds waits for the others.
        Nothing is wrong with that as long as only objects that are known are removed, and others are asked for.
        """
        self._failing_since: float | None = None
        self._kube = kube
        self._decode = decode
        self._on_change = on_change
        self._random = random
        self._quiet_seconds = quiet_seconds
        self._backoff = Backoff(random, ceiling=30.0)
        self._entries: dict[str, Entry[T]] = {}
        self._written: set[str] = set()  # keys learned from our own writes since the current list began
        self._gone: set[str] = set()  # uids of what was forgotten since then: the watch may be behind that
        self._position: int | None = None
        self._sends_initial_events = True

    def __getitem__(self, key: str) -> T:
        return self._entries[key].value

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def failing_since(self) -> float | None:
        """Monotonic seconds; None while the watch works, and for an optional kind, without which we can do."""
        return None if self.source.resource.optional else self._failing_since

    def get(self, key: str) -> T | None:
        entry = self._entries.get(key)
        return entry.value if entry else None

    def values(self) -> Iterator[T]:
        return (entry.value for entry in self._entries.values())

    def snapshot(self) -> Mapping[str, T]:
        return {key: entry.value for key, entry in self._entries.items()}

    def learn(self, raw: bytes) -> T:
        """Take in the API server's answer to our own write, before the watch tells of it."""
        meta, value = meta_of(raw), self._decode(raw)
        new = Entry(meta.uid, meta.version, value)
        if newer(new, self._entries.get(meta.key), self._position):
            self._gone.discard(meta.uid)
            self._written.add(meta.key)
            self._store(meta.key, new)
        return value

    def forget(self, key: str, uid: str) -> None:
        """Drop an object that the API server has confirmed to be gone."""
        entry = self._entries.get(key)
        if entry is not None and entry.uid == uid:
            self._gone.add(uid)
            self._drop(key)

    async def run(self) -> None:
        """List and watch for ever; every failure is waited out."""
        while True:
            position = self._position
            try:
                await self._follow()
            except Gone:
                self._position = None
                log.info("watch expired, listing again", extra={"kind": self.source.resource.kind})
                await asyncio.sleep(self._backoff.next())
            except KubeError as error:
                await self._wait_out(error)
            else:
                if self._position == position:  # the server ends watches as soon as they begin
                    await asyncio.sleep(self._backoff.next())

    async def _follow(self) -> None:
        """Stay in step until the watch ends. Raises KubeError."""
        if self._position is None and not self._sends_initial_events:
            await self._list()
        try:
            await self._watch()
        except Invalid:
            if self._position is not None:
                raise
            self._sends_initial_events = False
            log.info("server sends no initial events, listing in pages", extra={"kind": self.source.resource.kind})

    async def _wait_out(self, error: KubeError) -> None:
        kind = self.source.resource.kind
        if isinstance(error, NotFound) and error.kind_unknown and self.source.resource.optional:
            # No CRD, so no objects; those that are known are kept until a list proves them gone.
            self._in_step()
            await asyncio.sleep(UNKNOWN_KIND_SECONDS)
            return
        if self.source.resource.optional:
            self.synced.set()
        if self._failing_since is None:
            self._failing_since = time.monotonic()
            log.warning("watch failed", extra={"kind": kind, "error": str(error)})
        delay = self._backoff.next()
        if isinstance(error, TooManyRequests):
            delay = max(delay, error.retry_after)
        await asyncio.sleep(delay)
        if self._position is not None and isinstance(error, Unreachable | Failed):
            await self._check_position()

    async def _check_position(self) -> None:
        """After an outage the server may have come back with older data than ours: then its watch would be silent."""
        try:
            await self._kube.can_serve(self.source, str(self._position))
        except Gone:
            log.warning("server lost data, listing again", extra={"kind": self.source.resource.kind})
            self._position = None
        except KubeError:
            return  # still away; the next attempt tells

    async def _list(self) -> None:
        """The paged list; complete or it raises."""
        self._begin_list()
        found: _Listing[T] = {}
        async for page in self._kube.pages(self.source):
            for raw in page.items or ():
                meta = self._listed(raw)
                found[meta.key] = self._entry(meta, raw)
            if page.last:
                self._replace(found, page.version)

    def _begin_list(self) -> None:
        """What was written or went before is in it, or missing."""
        self._written.clear()
        self._gone.clear()

    def _listed(self, raw: msgspec.Raw) -> Meta:
        """Raises Unreachable for an item that is not readable: the list then proves nobody's absence."""
        try:
            return meta_of(raw)
        except ValueError as error:
            raise unreachable("list", str(self.source), f"an item is not readable: {error}") from error

    async def _watch(self) -> None:
        listing: _Listing[T] | None = None
        if self._position is None:
            listing = {}
            self._begin_list()
        silence, tick = 0.0, min(STALL_SECONDS, self._quiet_seconds / 2)
        seconds = self._random.randint(*WATCH_SECONDS)
        since = None if self._position is None else str(self._position)
        events = self._kube.watch(self.source, since, timeout_seconds=seconds, tick=tick)
        async with aclosing(events):
            async for event in events:
                if event.type is WatchType.QUIET:
                    if listing is not None:
                        raise unreachable("list", str(self.source), "the list stopped before its end")
                    silence += tick
                    if silence >= self._quiet_seconds:
                        silence = 0.0
                        await self._kube.can_serve(self.source, str(self._position))
                    continue
                silence = 0.0
                listing = self._take(event, listing)
        if listing is not None:
            raise unreachable("list", str(self.source), "the list ended before it was complete")

    def _take(self, event: WatchEvent, listing: _Listing[T] | None) -> _Listing[T] | None:
        """File one event; return the list that is still growing, or None."""
        if event.type is WatchType.OPENED:
            if listing is None:
                self._in_step()
            return listing
        if listing is None:
            self._apply(event)
            return None
        if event.type is WatchType.BOOKMARK:
            if event.initial_end:
                self._replace(listing, event.meta.version)
                return None
        elif event.type is WatchType.DELETED:
            listing.pop(event.meta.key, None)
        else:
            listing[event.meta.key] = self._entry(event.meta, event.raw)
        return listing

    def _apply(self, event: WatchEvent) -> None:
        key, version = event.meta.key, event.meta.version
        entry = self._entries.get(key)
        if event.type is WatchType.DELETED:
            self._gone.discard(event.meta.uid)
            if entry is not None and entry.version <= version:
                self._drop(key)
        elif event.type is not WatchType.BOOKMARK and event.meta.uid not in self._gone:
            new = self._entry(event.meta, event.raw)
            if new is not None and newer(new, entry, None):  # our own writes are known from their answers
                self._store(key, new)
        self._position = version

    def _replace(self, found: _Listing[T], version: int) -> None:
        """A complete list has come. What it lacks is gone, unless we wrote it after the list was made."""
        for key in [key for key in self._entries if key not in found]:
            if not (key in self._written and self._entries[key].version > version):
                self._drop(key)
        for key, new in found.items():
            known = self._entries.get(key)
            if new is None or new.uid in self._gone:
                continue
            if newer(new, known, None) if key in self._written else differs(new, known):
                self._store(key, new)
        self._position = version
        self._in_step()

    def _entry(self, meta: Meta, raw: bytes | msgspec.Raw) -> Entry[T] | None:
        """The decoded object; None for one that we cannot read, of which what was known is kept.

        It must not blind us to all the others.
        """
        try:
            return Entry(meta.uid, meta.version, self._decode(raw))
        except Exception:
            log.exception("object not understood", extra={"key": meta.key, "kind": self.source.resource.kind})
            return None

    def _store(self, key: str, new: Entry[T]) -> None:
        old = self._entries.get(key)
        self._entries[key] = new
        self._tell(key, old.value if old else None, new.value)

    def _drop(self, key: str) -> None:
        self._tell(key, self._entries.pop(key).value, None)

    def _tell(self, key: str, old: T | None, new: T | None) -> None:
        """What goes wrong with one object must not end the watch of all the others."""
        try:
            self._on_change(key, old, new)
        except Exception:
            log.exception("change not handled", extra={"key": key, "kind": self.source.resource.kind})

    def _in_step(self) -> None:
        if self._failing_since is not None:
            log.info("watch works again", extra={"kind": self.source.resource.kind})
        self._failing_since = None
        self._backoff.reset()
        self.synced.set()
