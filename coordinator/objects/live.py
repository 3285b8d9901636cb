"""Live objects as the watch has them: metadata, managers and, for workloads, spec and counters in part."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from coordinator.kube.objects import Ref
from coordinator.objects.ownership import ManagedEntry, applied_by
from coordinator.workloads import Workload
from nicfleet.names import API_GROUP, OBJECTS_MANAGER, STATE_LABEL

UNLABELLED = frozenset({"ocp-network-operator-trusted-ca"})
"""Objects that upstream's operator makes for a policy and puts no state label on."""

_TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


class Owner(NamedTuple):
    api_version: str
    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class LiveObject:
    """What is needed of an object to decide whether it is ours, as desired, or in the way."""

    ref: Ref
    uid: str
    resource_version: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[Owner, ...] = ()
    managed: tuple[ManagedEntry, ...] = ()
    deleting: bool = False
    workload: Workload | None = None
    """Only of a DaemonSet or Deployment that was decoded whole."""

    @property
    def state(self) -> str:
        """The state label; empty without one."""
        return self.labels.get(STATE_LABEL, "")

    @property
    def policies(self) -> tuple[Owner, ...]:
        """The policies, ours or upstream's, that own it."""
        return tuple(owner for owner in self.owners if owner.api_version.startswith(f"{API_GROUP}/"))

    @property
    def ours(self) -> bool:
        """It is nicfleet's to change: made by a policy's state, or applied by us."""
        made = bool(self.policies) and (bool(self.state) or self.ref.name in UNLABELLED)
        return made or applied_by(self.managed, OBJECTS_MANAGER) is not None

    @property
    def holder(self) -> str:
        """Who an object that is not ours belongs to, in words."""
        if self.owners:
            return f"{self.owners[0].kind} {self.owners[0].name}"
        managers = sorted({entry.manager for entry in self.managed if entry.subresource != "status"})
        return f"field manager {', '.join(managers)}" if managers else "nobody known"


class _Partial(msgspec.Struct, frozen=True, rename="camel"):
    pass


class _OwnerReference(_Partial, frozen=True):
    api_version: str
    kind: str
    name: str
    uid: str


class _Meta(_Partial, frozen=True):
    name: str
    uid: str
    resource_version: str
    namespace: str = ""
    generation: int = 0
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: tuple[_OwnerReference, ...] | None = None
    managed_fields: tuple[ManagedEntry, ...] | None = None
    deletion_timestamp: str | None = None


class _Object(_Partial, frozen=True):
    metadata: _Meta


class _Selector(_Partial, frozen=True):
    match_labels: dict[str, str] | None = None


class _UpdateStrategy(_Partial, frozen=True):
    type: str = ""


class _Spec(_Partial, frozen=True):
    selector: _Selector
    template: dict[str, Any]
    replicas: int = 1
    update_strategy: _UpdateStrategy | None = None


class _Condition(_Partial, frozen=True):
    type: str
    status: str
    message: str = ""


class _Status(_Partial, frozen=True):
    """Counters of both kinds; a DaemonSet has the longer names."""

    observed_generation: int = 0
    desired_number_scheduled: int = 0
    updated_number_scheduled: int = 0
    number_ready: int = 0
    number_available: int = 0
    number_misscheduled: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    conditions: tuple[_Condition, ...] | None = None


class _Workload(_Partial, frozen=True):
    metadata: _Meta
    spec: _Spec
    status: _Status


_decode_object = msgspec.json.Decoder(_Object).decode
_decode_workload = msgspec.json.Decoder(_Workload).decode


def decode_object(raw: bytes | msgspec.Raw, kind: str) -> LiveObject:
    """Any object, whole or metadata only. `kind` is given, as PartialObjectMetadata does not carry it."""
    return _live(kind, _decode_object(raw).metadata, None)


def decode_workload(raw: bytes | msgspec.Raw, kind: str) -> LiveObject:
    """A whole DaemonSet or Deployment."""
    found = _decode_workload(raw)
    meta, spec, status = found.metadata, found.spec, found.status
    daemonset = kind == "DaemonSet"
    workload = Workload(
        kind=kind,
        namespace=meta.namespace,
        name=meta.name,
        generation=meta.generation,
        observed_generation=status.observed_generation,
        desired=status.desired_number_scheduled if daemonset else spec.replicas,
        updated=status.updated_number_scheduled if daemonset else status.updated_replicas,
        ready=status.number_ready if daemonset else status.ready_replicas,
        available=status.number_available if daemonset else status.available_replicas,
        misscheduled=status.number_misscheduled,
        replicas=status.replicas,
        replica_failure=_replica_failure(status),
        selector=spec.selector.match_labels or {},
        template=spec.template,
        on_delete=spec.update_strategy is not None and spec.update_strategy.type == "OnDelete",
        template_generation=(meta.annotations or {}).get(_TEMPLATE_GENERATION, ""),
    )
    return _live(kind, meta, workload)


def _replica_failure(status: _Status) -> str:
    conditions = status.conditions or ()
    return next((c.message for c in conditions if c.type == "ReplicaFailure" and c.status == "True"), "")


def _live(kind: str, meta: _Meta, workload: Workload | None) -> LiveObject:
    return LiveObject(
        ref=Ref(kind, meta.namespace, meta.name),
        uid=meta.uid,
        resource_version=meta.resource_version,
        labels=meta.labels or {},
        annotations=meta.annotations or {},
        owners=tuple(Owner(o.api_version, o.kind, o.name, o.uid) for o in meta.owner_references or ()),
        managed=meta.managed_fields or (),
        deleting=meta.deletion_timestamp is not None,
        workload=workload,
    )
