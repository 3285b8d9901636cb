"""FleetView: the fleet as people and tools see it. Read-only."""
# ruff: noqa: N802 — gRPC's methods are named in the proto

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import grpc

from coordinator.fleet.fleet import Fleet, Snapshot
from nicfleet.inventory import NodeName
from nicfleet.names import POLICY_NAME
from nicfleet.reasons import Finding
from nicfleet.v1 import inventory_pb2, view_pb2, view_pb2_grpc

_DEFAULT_PAGE: Final = 200
_LARGEST_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class LabelStatus:
    """The labels nicfleet wants on a Node; whether the Node carries exactly these; what is wrong with them."""

    labels: Mapping[str, str] = field(default_factory=dict)
    in_step: bool = False
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class ResourceCount:
    """One resource on the nodes that have the same of it. `functions` None: not to be told from an inventory."""

    resource: str
    functions: int | None
    uncertain: int
    expected: int
    allocatable: int
    why_none: str
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StateStatus:
    """One state under upstream's name; `state` is ready, notReady, ignore or error. `resources` counts on demand."""

    name: str
    state: str
    finding: Finding | None = None
    notes: tuple[Finding, ...] = ()
    resources: Callable[[], tuple[ResourceCount, ...]] = tuple


@dataclass(frozen=True, slots=True)
class PolicyStatus:
    """The latest verdict on a policy."""

    name: str
    state: str
    observed_generation: int
    states: tuple[StateStatus, ...] = ()


class FleetView(view_pb2_grpc.FleetViewServicer):
    """`labels` (of a name) and `policy_status` (of a kind and name) answer from memory: None for what is not known."""

    def __init__(
        self,
        fleet: Fleet,
        clock: Callable[[], datetime],
        labels: Callable[[NodeName], LabelStatus | None],
        policy_status: Callable[[str, str], PolicyStatus | None],
    ) -> None:
        self._fleet = fleet
        self._clock = clock
        self._labels = labels
        self._policy_status = policy_status
        self._watchers: set[_Watcher] = set()

    def changed(self, name: NodeName) -> None:
        """The fleet or the labels changed for this node: tell the watchers."""
        for watcher in self._watchers:
            watcher.changed(name)

    async def ListNodes(
        self, request: view_pb2.ListNodesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> view_pb2.ListNodesResponse:
        size = min(request.page_size or _DEFAULT_PAGE, _LARGEST_PAGE)
        following = [name for name in self._fleet.names() if name > request.page_token]
        page = following[:size]
        return view_pb2.ListNodesResponse(
            nodes=(summary for name in page if (summary := self._summary(name)) is not None),
            next_page_token=page[-1] if len(following) > size else "",
            settled=self._fleet.settled(self._clock()),
        )

    async def GetNode(
        self, request: view_pb2.GetNodeRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> view_pb2.GetNodeResponse:
        name = NodeName(request.name)
        summary = self._summary(name)
        if summary is None:
            sentence = f"node {name!r} is not known: no Node of this name exists and no agent reports for it"
            await context.abort(grpc.StatusCode.NOT_FOUND, sentence)
        return view_pb2.GetNodeResponse(summary=summary, inventory=self._fleet.inventory(name))

    async def WatchNodes(
        self, request: view_pb2.WatchNodesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[view_pb2.WatchNodesResponse]:
        watcher = _Watcher(self._fleet.names())
        self._watchers.add(watcher)
        try:
            while True:
                name = await watcher.next()
                response = watcher.news(name, self._summary(name))
                if response is not None:
                    yield response
        finally:
            self._watchers.discard(watcher)

    async def GetPolicyStatus(
        self, request: view_pb2.GetPolicyStatusRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> view_pb2.GetPolicyStatusResponse:
        kind, name = request.kind or "NicClusterPolicy", request.name or POLICY_NAME
        status = self._policy_status(kind, name)
        if status is None:
            sentence = f"no status of {kind} {name!r}: it does not exist or has not been looked at yet"
            await context.abort(grpc.StatusCode.NOT_FOUND, sentence)
        return view_pb2.GetPolicyStatusResponse(
            name=status.name,
            state=status.state,
            observed_generation=status.observed_generation,
            states=map(_state, status.states),
        )

    def _summary(self, name: NodeName) -> view_pb2.NodeSummary | None:
        snapshot = self._fleet.snapshot(name)
        return None if snapshot is None else summarise(snapshot, self._labels(name) or LabelStatus())


class _Watcher:
    """What one WatchNodes call has still to be told. However slow it reads, a node waits once."""

    def __init__(self, names: Iterable[NodeName]) -> None:
        self._waiting = dict.fromkeys(names)
        self._woken = asyncio.Event()
        self._told: dict[NodeName, int] = {}

    def changed(self, name: NodeName) -> None:
        self._waiting[name] = None
        self._woken.set()

    async def next(self) -> NodeName:
        """The name that waits longest."""
        while not self._waiting:
            self._woken.clear()
            await self._woken.wait()
        name = next(iter(self._waiting))
        del self._waiting[name]
        return name

    def news(self, name: NodeName, summary: view_pb2.NodeSummary | None) -> view_pb2.WatchNodesResponse | None:
        """The message to send; None when the watcher knows it already."""
        if summary is None:
            known = self._told.pop(name, None) is not None
            return view_pb2.WatchNodesResponse(node=view_pb2.NodeSummary(name=name), removed=True) if known else None
        content = hash(summary.SerializeToString(deterministic=True))
        if self._told.get(name) == content:
            return None
        self._told[name] = content
        return view_pb2.WatchNodesResponse(node=summary)


def summarise(snapshot: Snapshot, labels: LabelStatus) -> view_pb2.NodeSummary:
    """One node for a list."""
    summary = view_pb2.NodeSummary(
        name=snapshot.name,
        connection=view_pb2.Connection.ValueType(snapshot.connection),
        labels=labels.labels,
        labels_in_step=labels.in_step,
    )
    summary.since.FromDatetime(snapshot.since)
    if snapshot.identity is not None:
        summary.agent_version = snapshot.identity.agent_version
        summary.instance_id = snapshot.identity.instance_id
    if snapshot.reported is not None:
        summary.reported.FromDatetime(snapshot.reported)
    if snapshot.facts is not None:
        summary.functions = snapshot.facts.functions
        summary.models.extend(snapshot.facts.models)
        summary.driver_flavour = inventory_pb2.Flavour.ValueType(snapshot.facts.driver.flavour)
        summary.driver_version = snapshot.facts.driver.version or ""
    summary.findings.extend(map(_finding, (*labels.findings, *snapshot.findings)))
    return summary


def _state(status: StateStatus) -> view_pb2.StateStatus:
    return view_pb2.StateStatus(
        name=status.name,
        state=status.state,
        finding=_finding(status.finding) if status.finding else None,
        nodes=status.finding.nodes if status.finding else (),
        notes=map(_finding, status.notes),
        resources=map(_resource, status.resources()),
    )


def _resource(count: ResourceCount) -> view_pb2.ResourceCount:
    return view_pb2.ResourceCount(
        resource=count.resource,
        nodes=count.nodes,
        functions=count.functions,
        uncertain=count.uncertain,
        expected=count.expected,
        allocatable=count.allocatable,
        why_none=count.why_none,
    )


def _finding(finding: Finding) -> view_pb2.Finding:
    return view_pb2.Finding(reason=finding.reason, message=finding.message, nodes=finding.nodes)
