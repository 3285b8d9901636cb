"""What one stream still has to tell the coordinator. Pure: snapshots in, messages out."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from agent.latest import Snapshot
from nicfleet import wire
from nicfleet.inventory import ModuleUse, NodeName
from nicfleet.v1 import fleet_pb2

PROTOCOL: Final = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this agent is. The boot id is in the inventory."""

    node: NodeName
    instance_id: str
    started: datetime
    version: str


def hello(identity: Identity, snapshot: Snapshot) -> fleet_pb2.ReportRequest:
    """The first message of a stream."""
    return fleet_pb2.ReportRequest(
        hello=fleet_pb2.Hello(
            protocol=PROTOCOL,
            node_name=identity.node,
            boot_id=snapshot.inventory.node.boot_id or "",
            instance_id=identity.instance_id,
            started=_timestamp(identity.started),
            agent_version=identity.version,
            manifest=snapshot.sections.manifest(),
        )
    )


class Outbox:
    """Remembers what the coordinator holds, and makes the Update that brings it up to date, if one is needed."""

    def __init__(self, greeted: Snapshot, missing: Collection[str]) -> None:
        """`greeted`: the snapshot whose manifest was in the Hello; `missing`: what the Welcome asked for."""
        sections = greeted.sections.by_name
        self._held = {name: part.hash for name, part in sections.items() if name not in missing}
        self._names = frozenset(sections)
        self._use: tuple[ModuleUse, ...] = ()
        self._sequence = 0

    def update(self, snapshot: Snapshot) -> fleet_pb2.ReportRequest | None:
        """The sections whose hash is new to the coordinator; None when it knows everything already."""
        sections = snapshot.sections.by_name
        new = [part for name, part in sections.items() if self._held.get(name) != part.hash]
        use = snapshot.inventory.module_use if snapshot.driver_pending else ()
        if not new and self._names == sections.keys() and use == self._use:
            return None
        self._held = {name: part.hash for name, part in sections.items()}
        self._names = frozenset(sections)
        self._use = use
        self._sequence += 1
        return fleet_pb2.ReportRequest(
            update=fleet_pb2.Update(
                sequence=self._sequence,
                manifest=snapshot.sections.manifest(),
                sections=new,
                module_use=wire.module_use_to_wire(use),
                observed=_timestamp(snapshot.observed),
            )
        )

    def forget(self, names: Iterable[str]) -> None:
        """The coordinator asked for these again."""
        for name in names:
            self._held.pop(name, None)


def _timestamp(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp
