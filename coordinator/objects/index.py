"""ObjectIndex: every live object that carries a state label, over all deployable kinds."""

import asyncio
from collections.abc import Callable, Iterator
from random import Random

import msgspec

from coordinator.kube.client import Kube, Source
from coordinator.kube.objects import DEPLOYABLE, Ref, Resource
from coordinator.kube.reflector import Reflector
from coordinator.objects.live import LiveObject, decode_object, decode_workload
from nicfleet.names import STATE_LABEL

_WORKLOADS = frozenset({"DaemonSet", "Deployment"})


class ObjectIndex:
    """One Reflector per kind: workloads whole, the others' metadata only."""

    def __init__(
        self, kube: Kube, on_change: Callable[[Ref, LiveObject | None, LiveObject | None], None], random: Random
    ) -> None:
        self._on_change = on_change
        self._reflectors = {resource.kind: self._reflector(kube, resource, random) for resource in DEPLOYABLE}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for reflector in self._reflectors.values():
                group.create_task(reflector.run())

    @property
    def synced(self) -> bool:
        """A complete list of every kind has been seen."""
        return all(reflector.synced.is_set() for reflector in self._reflectors.values())

    @property
    def reflectors(self) -> tuple[Reflector[LiveObject], ...]:
        return tuple(self._reflectors.values())

    def get(self, ref: Ref) -> LiveObject | None:
        return self._reflectors[ref.kind].get(_key(ref))

    def of_state(self, state: str) -> Iterator[LiveObject]:
        """All that carry this state's label, kind by kind in the order of `DEPLOYABLE`."""
        for reflector in self._reflectors.values():
            yield from [live for live in reflector.values() if live.state == state]

    def learn(self, kind: str, raw: bytes) -> LiveObject:
        """Take in the answer to a write."""
        return self._reflectors[kind].learn(raw)

    def forget(self, live: LiveObject) -> None:
        self._reflectors[live.ref.kind].forget(_key(live.ref), live.uid)

    def _reflector(self, kube: Kube, resource: Resource, random: Random) -> Reflector[LiveObject]:
        kind, workload = resource.kind, resource.kind in _WORKLOADS

        def decode(raw: bytes | msgspec.Raw) -> LiveObject:
            return decode_workload(raw, kind) if workload else decode_object(raw, kind)

        def changed(_: str, old: LiveObject | None, new: LiveObject | None) -> None:
            if (one := new or old) is not None:
                self._on_change(one.ref, old, new)

        source = Source(resource, label_selector=STATE_LABEL, metadata_only=not workload)
        return Reflector(kube, source, decode, changed, random)


def _key(ref: Ref) -> str:
    return f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name
