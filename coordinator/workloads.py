"""The few facts of DaemonSets, Deployments and their Pods that readiness needs, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

_LOST: Final = frozenset({"Unknown", "ContainerStatusUnknown"})
_LOST_EXIT_CODE: Final = 255
_FEW: Final = 3


@dataclass(frozen=True, slots=True)
class Workload:
    """A live DaemonSet or Deployment. For a Deployment `desired` is spec.replicas; counters as status has them.

    A DaemonSet's `ready` counts no node twice; a Deployment's counts Pods of every template, as `replicas` does.
    """

    kind: str
    namespace: str
    name: str
    generation: int = 0
    observed_generation: int = 0
    desired: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0
    misscheduled: int = 0
    """Only of a DaemonSet: nodes with a Pod of it that it would not put there now, as after a taint."""
    replicas: int = 0
    """Only of a Deployment: its Pods, those of earlier templates too."""
    replica_failure: str = ""
    """Only of a Deployment: message of the ReplicaFailure condition, there while its ReplicaSet may not create Pods."""
    selector: Mapping[str, str] = field(default_factory=dict)
    """spec.selector.matchLabels"""
    template: Mapping[str, Any] = field(default_factory=dict)
    """spec.template as the API server has it."""
    on_delete: bool = False
    """spec.updateStrategy.type is OnDelete."""
    template_generation: str = ""
    """Annotation deprecated.daemonset.template.generation: what the Pods' label pod-template-generation must say."""

    @property
    def observed(self) -> bool:
        """The counters are of the current generation."""
        return self.observed_generation >= self.generation


@dataclass(frozen=True, slots=True)
class ContainerState:
    """One container (or init container) of a Pod."""

    name: str
    image: str = ""
    init: bool = False
    ready: bool = False
    started: str = ""
    """When the one that runs now was started, RFC 3339."""
    restarts: int = 0
    waiting_reason: str = ""
    waiting_message: str = ""
    last_reason: str = ""
    """Reason of the last termination, or of the present one: Error, OOMKilled, Completed."""
    last_message: str = ""
    last_exit_code: int | None = None

    @property
    def lost(self) -> bool:
        """Its last end was found out afterwards, as after a reboot of the node.

        containerd says Unknown with exit code 255 then, CRI-O Error with 255, and a kubelet whose runtime has forgotten
        the container ContainerStatusUnknown. A program may end with 255 too, and does so more than a few times then.
        """
        return self.last_reason in _LOST or (self.last_exit_code == _LOST_EXIT_CODE and self.restarts <= _FEW)

    @property
    def failed(self) -> bool:
        """It ended, for a reason of its own, and has not become ready since. Its node's reboot is no such reason, after
        which init containers run again too; but one that comes back to no good is made to wait."""
        if self.ready or not self.restarts:
            return False
        excused = self.lost or (self.init and self.last_exit_code == 0)
        return not excused or self.waiting_reason == "CrashLoopBackOff"


@dataclass(frozen=True, slots=True)
class Pod:
    namespace: str
    name: str
    node: str
    phase: str
    labels: Mapping[str, str] = field(default_factory=dict)
    ready: bool = False
    """The Ready condition is True."""
    started: str = ""
    """status.startTime, RFC 3339; empty before the kubelet took the Pod."""
    created: datetime | None = None
    deleting: bool = False
    unschedulable: str = ""
    """Message of the PodScheduled condition when it is False."""
    template_generation: str = ""
    """Label pod-template-generation."""
    containers: tuple[ContainerState, ...] = ()

    @property
    def began(self) -> str:
        """When it began to become ready, RFC 3339: with the latest restart of a container that is not."""
        return max((self.started, *(c.started for c in self.containers if c.restarts and not c.ready)))
