"""What is told of a plan, as values: the table and the JSON are two forms of this. Field names are the JSON's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cli.plan.compare import Act

FORMAT: Final = 1
"""Of the JSON. It grows when something is renamed or goes, or means something else; not when something is added."""


class Verdict(StrEnum):
    NOTHING = "nothing"
    """All is as it would be."""
    CHANGES = "changes"
    PROBLEMS = "problems"
    """Something would not be carried out as asked."""


class When(StrEnum):
    AT_ONCE = "at once"
    """As soon as the policy is applied."""
    DRIVER_PODS = "when driver pods are deleted"
    """Driver pods are not replaced by themselves."""


class Cause(StrEnum):
    """Why pods are disturbed."""

    ROLLOUT = "rollout"
    """They are replaced by pods of another template."""
    REMOVED = "removed"
    """What made them is deleted."""
    NODE_LEFT = "node left"
    """Their node is no longer chosen."""
    OUTDATED = "outdated"
    """Driver pods of an earlier template, which stay until somebody deletes them."""
    DRIVER = "driver"
    """They hold NICs of a node whose driver is loaded, replaced or unloaded."""
    RESOURCE = "resource"
    """They request a resource that is offered no longer."""
    NETWORK = "network"
    """They name a network whose definition changes."""


@dataclass(frozen=True, slots=True)
class GivenDocument:
    """One object of a FILE."""

    kind: str
    name: str
    file: str
    change: str
    """create, change or none; the object itself, not what is made of it."""
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something is not carried out as asked: a whole sentence. `field` is empty when it is about no one field."""

    kind: str
    name: str
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """One object that policies and networks make.

    `taken_from` are the field managers whose fields of it become the coordinator's.
    """

    change: Act
    kind: str
    namespace: str
    name: str
    of_kind: str
    of_name: str
    state: str
    exact: bool
    why: str = ""
    diff: str = ""
    taken_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """One label of Nodes. `value_now` is empty where they lack it, `value` where they lose it.

    Where both are the same, the label stays and nicfleet's comes to be: `held_by` are the field managers that it is of.
    """

    key: str
    value_now: str
    value: str
    nodes: tuple[str, ...]
    held_by: tuple[str, ...] = ()

    @property
    def moves(self) -> bool:
        return self.value != self.value_now


@dataclass(frozen=True, slots=True)
class WorkloadPlan:
    """Where a DaemonSet or Deployment runs afterwards.

    `waiting` nodes are among `nodes`: it starts there once the driver is loaded. `tainted` nodes are chosen and kept
    out, each with its taint. `left` are those on which it runs today and will not.
    """

    kind: str
    namespace: str
    name: str
    change: Act
    rolls: bool
    nodes: tuple[str, ...]
    waiting: tuple[str, ...] = ()
    tainted: Mapping[str, str] = field(default_factory=dict)
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ManagedThrough:
    """A node whose management traffic runs over NICs, and through which interfaces."""

    node: str
    interfaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DriverPlan:
    """The driver of the nodes with one operating system, kernel and architecture.

    `loads` are nodes on which it is loaded or replaced at once, `outdated` those where that happens when their driver
    pod is deleted, `unloads` those on which a driver ends. `management`: of all these.
    """

    daemonset: str
    os: str
    os_version: str
    kernel: str
    architecture: str
    image: str
    image_now: str
    nodes: tuple[str, ...]
    loads: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    unloads: tuple[str, ...] = ()
    management: tuple[ManagedThrough, ...] = ()


@dataclass(frozen=True, slots=True)
class ResourcePlan:
    """One resource of a device plugin on nodes that have the same of it.

    `functions` None: not to be told from an inventory. `units` are those that each node offers at least, `units_now`
    today's. `once_loaded`: predicted for the time when the driver is loaded.
    """

    resource: str
    state: str
    nodes: tuple[str, ...]
    functions: int | None
    uncertain: int
    units: int
    units_now: int
    once_loaded: bool
    why_none: str = ""


@dataclass(frozen=True, slots=True)
class PodName:
    namespace: str
    name: str
    node: str


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Pods that notice. `subject` is the workload, resource, network or node that it is about."""

    cause: Cause
    when: When
    subject: str
    pods: tuple[PodName, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """A finding, as the status would have it; without kind and name it is about nodes in general."""

    reason: str
    message: str
    nodes: tuple[str, ...] = ()
    of_kind: str = ""
    of_name: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Of how many nodes what is known."""

    nodes: int
    with_nic: int
    reported: int


@dataclass(frozen=True, slots=True)
class Report:
    """The whole plan. `server` is empty offline. `notes` say what could not be known."""

    verdict: Verdict
    server: str
    fleet: Fleet
    documents: tuple[GivenDocument, ...]
    problems: tuple[Problem, ...] = ()
    objects: tuple[ObjectChange, ...] = ()
    labels: tuple[LabelPlan, ...] = ()
    workloads: tuple[WorkloadPlan, ...] = ()
    drivers: tuple[DriverPlan, ...] = ()
    resources: tuple[ResourcePlan, ...] = ()
    disturbed: tuple[Disturbance, ...] = ()
    findings: tuple[Told, ...] = ()
    notes: tuple[str, ...] = ()
    format: int = FORMAT
