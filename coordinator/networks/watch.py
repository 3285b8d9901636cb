"""The watches of the three network kinds, and which change asks for a pass over which network."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Final

import msgspec

from coordinator.fleet.facts import Facts
from coordinator.fleet.fleet import Fleet
from coordinator.kube.client import Kube, Source
from coordinator.kube.objects import Ref
from coordinator.kube.recorder import EventRecorder
from coordinator.kube.reflector import Reflector
from coordinator.networks.announcer import Announcer
from coordinator.networks.definition import NAD
from coordinator.networks.evidence import Evidence
from coordinator.networks.kinds import KINDS, Document, NetworkKey, lives
from coordinator.networks.last_users import LastUsers
from coordinator.networks.reconcile import Deps, NetworkReconciler
from coordinator.objects.apply import Applier
from coordinator.objects.index import ObjectIndex
from coordinator.objects.live import LiveObject

ROUND: Final[NetworkKey] = "networks", ""
"""No network: ask for a pass over every one."""

_SOON: Final = 0.1
"""Seconds until a pass of a round. Not 0: the network itself has not changed, and one that failed is to back off."""

_JUDGED: Final = ("uid", "generation", "annotations")
"""What of a network's metadata a pass looks at; of one generation it may still be another network."""

Ask = Callable[[str, str, float], None]
"""Look at the network of this kind and name: at once with 0, as it changed itself, else in so many seconds."""


class Networks:
    """Everything about networks in one part. `ask` is called from here; whoever works calls `reconcile` then."""

    def __init__(
        self,
        kube: Kube,
        index: ObjectIndex,
        applier: Applier,
        events: EventRecorder,
        nodes: Callable[[], Mapping[str, Facts]],
        settled: Callable[[], bool],
        ask: Ask,
        random: Random,
    ) -> None:
        self._ask = ask
        self._networks: Mapping[str, Reflector[Document]] = {
            name: Reflector(kube, Source(kind.resource), msgspec.json.decode, partial(self._changed, name), random)
            for name, kind in KINDS.items()
        }
        announcer = Announcer(events)
        self._last_users = LastUsers(kube, announcer, random)
        self._evidence = Evidence(nodes, settled)
        self._reconciler = NetworkReconciler(
            Deps(kube, self._networks, index, applier, announcer, self._last_users, self._evidence)
        )

    @property
    def reflectors(self) -> tuple[Reflector[Document], ...]:
        return tuple(self._networks.values())

    async def run(self) -> None:
        """Watch for ever, and list the pods of what goes."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._last_users.run())
            for reflector in self.reflectors:
                group.create_task(reflector.run())

    async def reconcile(self, kind: str, name: str) -> float | None:
        """As NetworkReconciler has it. Call it only when these watches and the index are in sync."""
        if (kind, name) == ROUND:
            self._begin_round()
            return None
        return await self._reconciler.reconcile(kind, name)

    def object_changed(self, ref: Ref, old: LiveObject | None, new: LiveObject | None) -> None:
        """An object of the index changed: a NAD concerns the networks that own it, and those that did."""
        if ref.kind == NAD:
            for key in _owners(old) | _owners(new):
                self._ask(*key, 0.0)

    def nodes_changed(self) -> None:
        """The agents say something new, or the fleet has settled."""
        self._ask(*ROUND, self._evidence.rest)

    def _begin_round(self) -> None:
        self._evidence.new_round()
        for kind, reflector in self._networks.items():
            for name in reflector:
                self._ask(kind, name, _SOON)

    def _changed(self, kind: str, name: str, old: Document | None, new: Document | None) -> None:
        if old is not None and new is not None and _judged(old) == _judged(new):
            return
        goes, went = new is None or not lives(new), old is not None and not lives(old)
        if goes and not went and (last := new or old):
            self._reconciler.goes(last)
        if new is None and old is not None:
            self._reconciler.gone(old)
        self._ask(kind, name, 0.0)


def live_nodes(fleet: Fleet) -> Mapping[str, Facts]:
    """The facts of the nodes whose agents are connected and have reported."""
    return {each.name: each.facts for each in fleet.snapshots() if each.live and each.facts is not None}


def _judged(document: Document) -> tuple[object, ...]:
    return tuple(document["metadata"].get(key) for key in _JUDGED)


def _owners(live: LiveObject | None) -> set[NetworkKey]:
    owners = live.policies if live is not None else ()
    return {(owner.kind, owner.name) for owner in owners if owner.kind in KINDS}
