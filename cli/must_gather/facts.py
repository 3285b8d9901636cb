"""What is remembered of pods, nodes and events: enough to choose and to tell, and small for tens of thousands. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cli.must_gather.redaction import redact_text
from cli.must_gather.scope import NAME, PRODUCT, Body
from nicfleet.names import NIC_LABEL, OFED_DRIVER_LABEL, STATE_LABEL

COORDINATOR = f"{PRODUCT}-coordinator"
AGENT = f"{PRODUCT}-agent"
DRIVER_CONTAINER = "mofed-container"
"""In the pods of a driver; upstream's name."""


class ContainerFact(NamedTuple):
    """`started`: it has a log; `restarted`: it has one of its previous run too."""

    name: str
    started: bool
    restarted: bool


@dataclass(frozen=True, slots=True)
class PodFact:
    """`component` is `nicfleet-agent` and the like, the state that made it, or empty; `why` is why it is not well."""

    name: str
    node: str
    component: str
    phase: str
    ready: bool
    restarts: int
    why: str
    on_each_node: bool
    """A DaemonSet's."""
    driver: bool
    """With a driver container that runs."""
    containers: tuple[ContainerFact, ...] = ()

    @property
    def well(self) -> bool:
        return self.ready or self.phase == "Succeeded"


@dataclass(frozen=True, slots=True)
class NodeFact:
    """A Node of the API server."""

    name: str
    nic: bool
    ready: bool


@dataclass(frozen=True, slots=True)
class AgentFact:
    """What the coordinator says of a node; `findings` are pairs of reason and sentence."""

    name: str
    connection: str
    version: str
    findings: tuple[tuple[str, str], ...]
    in_step: bool

    @property
    def has_agent(self) -> bool:
        return self.connection in ("CONNECTION_CONNECTED", "CONNECTION_SILENT")

    @property
    def sick(self) -> bool:
        return bool(self.findings) or self.connection == "CONNECTION_SILENT"


@dataclass(frozen=True, slots=True, order=True)
class EventFact:
    """`last` in RFC 3339, so that events are ordered by time."""

    last: str
    type: str
    reason: str
    about: str
    message: str
    count: int


@dataclass(frozen=True, slots=True)
class PolicyFact:
    """A policy or network with what its status says."""

    kind: str
    name: str
    state: str
    reason: str
    conditions: tuple[tuple[str, str, str, str], ...] = ()
    """Type, status, reason and message of each."""
    states: tuple[tuple[str, str, str], ...] = field(default=())
    """Name, state and message of those applied states that are not ready or say something."""


def pod_fact(body: Body) -> PodFact:
    metadata, spec, status = body["metadata"], body.get("spec", {}), body.get("status", {})
    labels = metadata.get("labels") or {}
    kinds = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    containers = [each for kind in kinds for each in status.get(kind) or ()]
    conditions = {each["type"]: each for each in status.get("conditions") or ()}
    ready = conditions.get("Ready", {}).get("status") == "True"
    running = any(each["name"] == DRIVER_CONTAINER and "running" in each.get("state", {}) for each in containers)
    return PodFact(
        name=metadata["name"],
        node=spec.get("nodeName", ""),
        component=labels.get(NAME) or labels.get(STATE_LABEL) or labels.get("app", ""),
        phase=status.get("phase", ""),
        ready=ready,
        restarts=sum(each.get("restartCount", 0) for each in containers),
        why="" if ready else redact_text(_why(containers, conditions)),
        on_each_node=any(owner.get("kind") == "DaemonSet" for owner in metadata.get("ownerReferences") or ()),
        driver=OFED_DRIVER_LABEL in labels and running,
        containers=tuple(map(_container, containers)),
    )


def node_fact(body: Body) -> NodeFact:
    labels = body["metadata"].get("labels") or {}
    conditions = {each["type"]: each.get("status") for each in body.get("status", {}).get("conditions") or ()}
    return NodeFact(body["metadata"]["name"], labels.get(NIC_LABEL) == "true", conditions.get("Ready") == "True")


def agent_fact(summary: Mapping[str, Any]) -> AgentFact:
    """Of a `nicfleet.v1.NodeSummary` in JSON."""
    findings = summary.get("findings", ())
    return AgentFact(
        name=summary["name"],
        connection=summary.get("connection", "CONNECTION_UNSPECIFIED"),
        version=summary.get("agent_version", ""),
        findings=tuple((each.get("reason", ""), each.get("message", "")) for each in findings),
        in_step=summary.get("labels_in_step", False),
    )


def event_fact(body: Body) -> EventFact:
    about = body.get("involvedObject", {})
    times = (body.get("lastTimestamp"), body.get("eventTime"), body.get("metadata", {}).get("creationTimestamp"))
    return EventFact(
        last=next((time for time in times if time), ""),
        type=body.get("type") or "",
        reason=body.get("reason") or "",
        about=f"{about.get('kind', '')} {about.get('name', '')}".strip(),
        message=body.get("message") or "",
        count=body.get("count") or 1,
    )


def policy_fact(body: Body) -> PolicyFact:
    status = body.get("status") or {}
    return PolicyFact(
        kind=body["kind"],
        name=body["metadata"]["name"],
        state=status.get("state", ""),
        reason=status.get("reason", ""),
        conditions=tuple(
            (each.get("type", ""), each.get("status", ""), each.get("reason", ""), each.get("message", ""))
            for each in status.get("conditions") or ()
        ),
        states=tuple(
            (each.get("name", ""), each.get("state", ""), each.get("message", ""))
            for each in status.get("appliedStates") or ()
            if each.get("state") != "ignore" and (each.get("state") != "ready" or each.get("message"))
        ),
    )


def _container(status: Mapping[str, Any]) -> ContainerFact:
    restarts = status.get("restartCount", 0)
    return ContainerFact(status["name"], restarts > 0 or "waiting" not in status.get("state", {}), restarts > 0)


def _why(containers: Iterable[Mapping[str, Any]], conditions: Mapping[str, Mapping[str, Any]]) -> str:
    """The first container that waits or has ended, else the first condition that is not met."""
    for each in containers:
        waiting = each.get("state", {}).get("waiting")
        ended = each.get("state", {}).get("terminated")
        if waiting:
            return f"{each['name']}: {waiting.get('reason', 'waiting')} {waiting.get('message', '')}".strip()
        if ended and ended.get("exitCode"):
            return f"{each['name']}: {ended.get('reason', 'ended')}, exit code {ended['exitCode']}"
    unmet = (each for each in conditions.values() if each.get("status") == "False" and each.get("message"))
    return next((str(each["message"]) for each in unmet), "")
