"""What the checks of one state look at: its desired objects, what became of them, and the nodes they meet.

Values only; `coordinator.world` gathers them and `coordinator.verdicts.readiness` walks the checks over them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coordinator.fleet.facts import Facts
from coordinator.labels.wait import DriverRequest
from coordinator.nodes import KubeNode
from coordinator.objects.scheduling import Placement
from coordinator.plugins.prediction import Overlap, Resources
from coordinator.workloads import Pod, Workload
from nicfleet.names import NIC_LABEL
from nicfleet.reasons import Finding


@dataclass(frozen=True, slots=True)
class NodeView:
    """A Node joined with what its agent says. `facts` are of the latest report since this coordinator started."""

    kube: KubeNode
    facts: Facts | None = None
    live: bool = False
    """The agent is connected now."""


@dataclass(frozen=True, slots=True)
class LiveWorkload:
    """A desired DaemonSet or Deployment with its live counterpart, its Pods while it is not complete, and its place."""

    kind: str
    namespace: str
    name: str
    pod_spec: Mapping[str, Any]
    """spec.template.spec of the desired object."""
    placement: Placement
    waiting: tuple[str, ...] = ()
    """Nodes that it will run on once their driver is loaded: all but the wait label is as its selector asks."""
    live: Workload | None = None
    pods: tuple[Pod, ...] = ()
    refusal: str = ""
    """What a FailedCreate Event says that is still current, while Pods are missing. A Deployment has a condition."""
    just_applied: bool = False
    """Written in this very pass: the live counters are of the time before."""

    @property
    def title(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def is_daemonset(self) -> bool:
        return self.kind == "DaemonSet"

    @property
    def needs_nic(self) -> bool:
        """It runs only where a NIC is, so its nodes' agents can confirm or contradict it."""
        return NIC_LABEL in (self.pod_spec.get("nodeSelector") or {})

    @property
    def rolled_out(self) -> bool:
        """Observed at the current generation, and every Pod that is wanted is of the current template and ready.

        A DaemonSet: desired, updated, ready and admitted nodes are all equal, or its Pods say so one by one. A
        Deployment: as `kubectl rollout status` has it, so Pods of an earlier template, which serve until a new one is
        available, are gone.
        """
        live = self.live
        if live is None or self.just_applied or not live.observed:
            return False
        if not self.is_daemonset:
            return live.updated >= live.desired and live.replicas == live.updated <= live.available
        expected = len(self.placement.admitted)
        if live.desired < expected or live.ready < expected:
            return False
        # Where the counters do not tell, the Pods of the nodes decide. No controller counts anew when a Node is
        # deleted, not before its Pods are collected a minute later; and none counts a Pod of an earlier template as
        # updated that runs the very same.
        return (live.desired == expected and live.updated >= expected) or not self.waiting_nodes()

    def waiting_nodes(self) -> tuple[str, ...]:
        """Admitted nodes without a ready Pod of the current template."""
        if not self.is_daemonset or self.live is None:
            return ()
        current = self.live.template_generation
        ready = {p.node for p in self.pods if p.ready and not p.deleting and p.template_generation == current}
        return tuple(node for node in self.placement.admitted if node not in ready)


@dataclass(frozen=True, slots=True)
class ResourceView:
    """What a device plugin should offer by the evidence of the agents, on the nodes where it runs and they are live."""

    predicted: Mapping[str, Resources]
    """By node."""
    overlaps: Mapping[str, tuple[Overlap, ...]] = field(default_factory=dict)
    """By node, the functions that the other plugin offers too."""
    overdue: frozenset[str] = frozenset()
    """Nodes that have offered less for longer than a plugin and a kubelet need."""


@dataclass(frozen=True, slots=True)
class StateView:
    """One state of the policy at the moment of judging."""

    name: str
    asked: bool
    nodes: Mapping[str, NodeView]
    workloads: tuple[LiveWorkload, ...] = ()
    problem: Finding | None = None
    """The section of the policy cannot be rendered."""
    refused: tuple[Finding, ...] = ()
    """What the API server, or another owner, did not let us write."""
    remaining: tuple[str, ...] = ()
    """Objects of ours that are no longer desired and still there."""
    driver: DriverRequest | None = None
    """What the policy asks of the driver; only on the driver's own state."""
    unlabelled: Mapping[str, str] = field(default_factory=dict)
    """NIC nodes in no driver pool, and the label they lack."""
    unsupported_systems: Mapping[str, str] = field(default_factory=dict)
    """NIC nodes whose operating system, "rocky 9.3", has no driver image."""
    supported_systems: tuple[str, ...] = ()
    driver_placement: Placement | None = None
    """Of the driver's own state: the nodes that belong in its pools. There may be none, and then no workload."""
    caveats: tuple[str, ...] = ()
    """What the policy asks of this state and does not get."""
    own_versions: tuple[str, ...] = ()
    """Images of another version than the policy's common one, each as "path is version"."""
    labels_refused: Finding | None = None
    """Nodes whose labels cannot be written, and why. The labels of `nodes` are those that they should have."""
    resources: ResourceView | None = None
    """Of a device plugin's state, once its configuration is known."""
