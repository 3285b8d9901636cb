"""The few facts of DaemonSets, Deployments and their Pods that readiness needs, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


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
    ready: bool = False
    restarts: int = 0
    waiting_reason: str = ""
    waiting_message: str = ""
    last_reason: str = ""
    """Reason of the last termination, or of the present one: Error, OOMKilled, Completed."""
    last_message: str = ""
    last_exit_code: int | None = None


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
