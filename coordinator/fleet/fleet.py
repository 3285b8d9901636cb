"""The latest inventory of every node, and what is known of its agent.

Single-threaded and synchronous: the API side says which Nodes exist, the stream side what agents report, and one
listener hears which node changed. Nothing here walks over all nodes unless it is asked for all.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

from coordinator.fleet.facts import Facts
from coordinator.fleet.held import Held, Report, Section, hold, pack_module_use
from coordinator.fleet.identity import Identity
from coordinator.nodes import KubeNode
from nicfleet.inventory import NodeName
from nicfleet.names import NIC_LABEL
from nicfleet.reasons import Finding, Reason
from nicfleet.v1 import fleet_pb2, view_pb2

SETTLE_TIME: Final = timedelta(seconds=60)
"""An agent's time to report: from the coordinator's start, or from when its Node appeared."""

RESET_TIME: Final = timedelta(seconds=180)
"""For so long a loaded driver may lack its devices in a firmware reset, which unbinds the card's functions: as long as
mlx5_core waits by default, 60 s for the reset and 120 s for the firmware that starts."""

REFUSAL_SHOWN: Final = timedelta(minutes=10)
"""For so long a refused claim stays visible; a second agent that lives on claims again long before."""


class Connection(IntEnum):
    """Values are those of the wire, which explains them."""

    NOT_REPORTED = view_pb2.CONNECTION_NOT_REPORTED
    CONNECTED = view_pb2.CONNECTION_CONNECTED
    SILENT = view_pb2.CONNECTION_SILENT
    GONE = view_pb2.CONNECTION_GONE


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One node at one moment. `facts` and `reported` are of the latest report since this coordinator started."""

    name: NodeName
    node: KubeNode | None
    connection: Connection
    since: datetime
    identity: Identity | None = None
    facts: Facts | None = None
    reported: datetime | None = None
    refused: Finding | None = None

    @property
    def live(self) -> bool:
        """An agent is connected and has reported in this stream: its facts are evidence."""
        return self.connection is Connection.CONNECTED

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is worth a person's attention."""
        refused = (self.refused,) if self.refused else ()
        return refused + (self.facts.findings if self.facts else ())


@dataclass(slots=True)
class _Entry:
    since: datetime
    node: KubeNode | None = None
    stream: bool = False
    """An agent's stream is open."""
    live: bool = False
    """In that stream the agent has reported."""
    identity: Identity | None = None
    report: Report | None = None
    arriving: dict[str, Section] = field(default_factory=dict)
    """Sections of an update that is not complete yet."""
    devices_missed: datetime | None = None
    """Since when the agent has missed devices of the driver, in every report."""
    refused: tuple[datetime, Finding] | None = None

    def held(self, manifest: fleet_pb2.Manifest) -> Held:
        return hold(manifest, self.arriving, self.report.sections if self.report else {})


class Fleet:
    """All nodes. `on_change(name, hardware)` is called after each change; `hardware` says that facts changed."""

    def __init__(self, clock: Callable[[], datetime], on_change: Callable[[NodeName, bool], None]) -> None:
        self._clock = clock
        self._on_change = on_change
        self._entries: dict[NodeName, _Entry] = {}
        self._synced: datetime | None = None
        # Nodes that hold up the fleet until they report, each with the end of its time to do so. In order of those
        # ends, as nodes are entered when they appear: the last one decides.
        self._awaited: dict[NodeName, datetime] = {}

    # The API side.

    def node_seen(self, node: KubeNode) -> None:
        """A Node exists, or changed."""
        name = NodeName(node.name)
        entry = self._entry(name)
        before, entry.node = entry.node, node
        if before is not None and replace(before, resource_version=node.resource_version) == node:
            return
        if before is None:
            entry.since = self._clock()
            if entry.report is None and self._is_waited_for(node, entry.since):
                self._awaited[name] = entry.since + SETTLE_TIME
        self._on_change(name, False)

    def node_gone(self, name: NodeName) -> None:
        """A Node no longer exists. What its agent reports is kept while the agent stays connected."""
        entry = self._entries.get(name)
        if entry is None or entry.node is None:
            return
        entry.node = None
        entry.since = self._clock()
        self._awaited.pop(name, None)
        self._forget_if_gone(name, entry)
        self._on_change(name, False)

    def nodes_synced(self) -> None:
        """Every Node that exists has been seen: from now on absence means something."""
        self._synced = self._clock()
        for name in [name for name, entry in self._entries.items() if entry.node is None]:
            self._forget_if_gone(name, self._entries[name])
            self._on_change(name, False)

    # The stream side.

    def connected(self, identity: Identity, manifest: fleet_pb2.Manifest) -> tuple[str, ...]:
        """An agent's stream was accepted. Returns the sections of its manifest that are not held.

        With none missing the manifest counts as a report: nothing has to be sent.
        """
        entry = self._entry(identity.node)
        entry.stream, entry.identity, entry.arriving, entry.refused = True, identity, {}, None
        held = entry.held(manifest)
        if held.missing:
            self._set_live(entry, False)
            self._on_change(identity.node, False)
        else:
            self._reported(identity.node, entry, held.sections, entry.report.module_use if entry.report else b"")
        return held.missing

    def updated(self, name: NodeName, update: fleet_pb2.Update) -> tuple[str, ...]:
        """An agent's inventory is now what the manifest says. Returns the sections still missing; none: it is held.

        The update must have passed `bounds.check_update`. Raises bounds.OutOfBounds when the inventory as a whole is
        too large.
        """
        entry = self._entries[name]
        entry.arriving.update((section.name, Section.of(section)) for section in update.sections)
        held = entry.held(update.manifest)
        if held.missing:
            entry.arriving = dict(held.sections)
        else:
            self._reported(name, entry, held.sections, pack_module_use(update.module_use))
        return held.missing

    def lost(self, name: NodeName) -> None:
        """The node's agent ended its stream or stopped its heartbeats. Nothing it said is forgotten."""
        entry = self._entries[name]
        entry.stream, entry.arriving = False, {}
        self._set_live(entry, False)
        self._forget_if_gone(name, entry)
        self._on_change(name, False)

    def refused(self, claimant: Identity) -> None:
        """A second agent claimed a node whose own agent is alive."""
        entry = self._entries[claimant.node]
        message = (
            f"another agent (instance {claimant.instance_id}) claims this node and is refused: "
            "run one agent per node, each with the name of its own Node"
        )
        entry.refused = (self._clock(), Finding(Reason.DuplicateAgent, message))
        self._on_change(claimant.node, False)

    # Views.

    def names(self) -> list[NodeName]:
        """All names known to the API server or to an agent, sorted."""
        return sorted(self._entries)

    def snapshot(self, name: NodeName) -> Snapshot | None:
        """One node; None when neither the API server nor an agent knows it."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        report = entry.report
        return Snapshot(
            name=name,
            node=entry.node,
            connection=self._connection(entry),
            since=entry.since,
            identity=entry.identity,
            facts=report.facts if report else None,
            reported=report.at if report else None,
            refused=self._refusal(entry),
        )

    def snapshots(self) -> Iterator[Snapshot]:
        """Every node, in name order."""
        return (snapshot for name in self.names() if (snapshot := self.snapshot(name)) is not None)

    def inventory(self, name: NodeName) -> view_pb2.Inventory | None:
        """The whole inventory, unpacked; None before the first report."""
        entry = self._entries.get(name)
        return entry.report.inventory() if entry and entry.report else None

    def settled(self, now: datetime) -> bool:
        """Each Node that counts has reported, or its time to do so has passed. Never before all Nodes are seen.

        At the start every Node counts; later only those that come with the NIC label. Else a cluster whose new Nodes
        never have an agent, as virtual ones, would be unsettled for ever.
        """
        return self._synced is not None and self.next_settle(now) is None

    def next_settle(self, now: datetime) -> datetime | None:
        """When the fleet settles at the latest, if no further Node counts; None when no time is running."""
        last = next(reversed(self._awaited.values()), None)
        return last if last is not None and last > now else None

    def awaited(self, now: datetime) -> tuple[NodeName, ...]:
        """The Nodes that hold up the fleet: their agents still have time to report. Sorted."""
        return tuple(sorted(name for name, until in self._awaited.items() if until > now))

    def node_settles(self, name: NodeName, now: datetime) -> datetime | None:
        """Until when the absence of this Node's agent proves nothing; None when it reports, or had its time.

        A silent agent has as long to come back as a new one to report: rolling the agents moves no label.
        """
        entry = self._entries.get(name)
        if entry is None or entry.live or (entry.node is None and entry.report is None):
            return None
        until = entry.since + SETTLE_TIME
        return until if until > now else None

    def node_recovers(self, name: NodeName, now: datetime) -> datetime | None:
        """Until when devices of the driver that are missing may be on their way back; None when all are there, or had
        their time. The first report that this coordinator hears begins it: a reset may be under way."""
        entry = self._entries.get(name)
        if entry is None or entry.devices_missed is None:
            return None
        until = entry.devices_missed + RESET_TIME
        return until if until > now else None

    # Inside.

    def _is_waited_for(self, node: KubeNode, now: datetime) -> bool:
        """Whether the fleet waits for the agent of a Node that appears now."""
        starting = self._synced is None or now < self._synced + SETTLE_TIME
        return starting or node.labels.get(NIC_LABEL) == "true"

    def _entry(self, name: NodeName) -> _Entry:
        entry = self._entries.get(name)
        if entry is None:
            entry = self._entries[name] = _Entry(since=self._clock())
        return entry

    def _connection(self, entry: _Entry) -> Connection:
        if entry.node is None and self._synced is not None:
            return Connection.GONE
        if entry.live:
            return Connection.CONNECTED
        return Connection.NOT_REPORTED if entry.report is None else Connection.SILENT

    def _refusal(self, entry: _Entry) -> Finding | None:
        if entry.refused is None or self._clock() - entry.refused[0] > REFUSAL_SHOWN:
            return None
        return entry.refused[1]

    def _forget_if_gone(self, name: NodeName, entry: _Entry) -> None:
        if self._synced is not None and entry.node is None and not entry.stream:
            del self._entries[name]

    def _set_live(self, entry: _Entry, live: bool) -> bool:
        changed = entry.live is not live
        if changed:
            entry.live, entry.since = live, self._clock()
        return changed

    def _reported(self, name: NodeName, entry: _Entry, sections: Mapping[str, Section], module_use: bytes) -> None:
        """Every section of the manifest is held: they are the inventory now."""
        entry.arriving = {}
        report = Report.of(sections, module_use, self._clock())
        hardware = entry.report is None or entry.report.facts != report.facts
        entry.report = report
        entry.devices_missed = (entry.devices_missed or report.at) if report.facts.driver.devices_missing else None
        self._awaited.pop(name, None)
        if self._set_live(entry, True) or hardware:
            self._on_change(name, hardware)
