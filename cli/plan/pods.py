"""Pods that notice what a plan does. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from cli.plan.compare import Act, Change
from cli.plan.report import Cause, Disturbance, DriverPlan, PodName, When, WorkloadPlan
from coordinator.kube.objects import Ref
from coordinator.networks.definition import NAD
from coordinator.networks.users import NETWORKS_ANNOTATION, named
from coordinator.workloads import Workload
from coordinator.world import DRIVER_STATE


@dataclass(frozen=True, slots=True)
class RunningPod:
    """What of a Pod that has not ended decides whether it notices.

    `resources` are the extended resources that its containers ask for, `networks` namespace and name of the
    NetworkAttachmentDefinitions that it names.
    """

    name: PodName
    labels: Mapping[str, str]
    resources: frozenset[str]
    networks: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Concerned:
    """What to look for among the Pods of a cluster.

    workloads   those that change, as they are now, with what changes
    left        nodes that they leave
    nic_names   all resources that device plugins offer or have offered
    gone        resources that are not offered any more
    networks    definitions that change or go
    """

    workloads: tuple[tuple[Change, Workload], ...]
    left: Mapping[Ref, frozenset[str]]
    drivers: tuple[DriverPlan, ...]
    nic_names: frozenset[str]
    gone: frozenset[str]
    networks: tuple[Ref, ...]

    @property
    def anything(self) -> bool:
        touched = any(driver.loads or driver.outdated or driver.unloads for driver in self.drivers)
        return bool(self.workloads or touched or self.gone or self.networks)


def concerned(
    changes: Iterable[Change],
    now: Mapping[Ref, Workload],
    plans: Iterable[WorkloadPlan],
    drivers: tuple[DriverPlan, ...],
    before: frozenset[str],
    after: frozenset[str],
) -> Concerned:
    """`before` and `after` are the resources that configurations name."""
    left = {Ref(each.kind, each.namespace, each.name): frozenset(each.left) for each in plans if each.left}
    changes = tuple(changes)
    moving = (Act.CHANGE, Act.REPLACE, Act.DELETE)
    return Concerned(
        workloads=tuple(
            (change, now[change.ref])
            for change in changes
            if change.ref in now and (change.rolls or change.act in (Act.REPLACE, Act.DELETE) or change.ref in left)
        ),
        left=left,
        drivers=drivers,
        nic_names=before | after,
        gone=before - after,
        networks=tuple(change.ref for change in changes if change.ref.kind == NAD and change.act in moving),
    )


def disturbed(look: Concerned, pods: Iterable[RunningPod]) -> tuple[Disturbance, ...]:
    """All that these Pods would notice: first of the product's own pods, then of everybody's."""
    pods = tuple(pods)
    found: list[Disturbance | None] = []
    for change, workload in look.workloads:
        own = [pod for pod in pods if _is_of(pod, workload)]
        found += _of_workload(change, workload, own, look.left.get(change.ref, frozenset()))
    users = [pod for pod in pods if pod.resources & look.nic_names]
    for driver in look.drivers:
        at_once = {*driver.loads, *driver.unloads}
        now = [pod for pod in users if pod.name.node in at_once]
        later = [pod for pod in users if pod.name.node in set(driver.outdated) - at_once]
        found.append(_some(Cause.DRIVER, When.AT_ONCE, driver.daemonset, now))
        found.append(_some(Cause.DRIVER, When.DRIVER_PODS, driver.daemonset, later))
    for resource in sorted(look.gone):
        asking = [pod for pod in pods if resource in pod.resources]
        found.append(_some(Cause.RESOURCE, When.AT_ONCE, resource, asking))
    for nad in look.networks:
        naming = [pod for pod in pods if (nad.namespace, nad.name) in pod.networks]
        found.append(_some(Cause.NETWORK, When.AT_ONCE, str(nad), naming))
    return tuple(each for each in found if each is not None)


def _of_workload(
    change: Change, workload: Workload, pods: list[RunningPod], left: frozenset[str]
) -> list[Disturbance | None]:
    subject = str(change.ref)
    # A driver's DaemonSet is replaced without its pods.
    orphaned = change.act is Act.REPLACE and change.state == DRIVER_STATE
    if change.act in (Act.DELETE, Act.REPLACE) and not orphaned:
        return [_some(Cause.REMOVED, When.AT_ONCE, subject, pods)]
    staying = [pod for pod in pods if pod.name.node not in left]
    found = [_some(Cause.NODE_LEFT, When.AT_ONCE, subject, [pod for pod in pods if pod.name.node in left])]
    if orphaned or (change.rolls and workload.on_delete):
        found.append(_some(Cause.OUTDATED, When.DRIVER_PODS, subject, staying))
    elif change.rolls:
        found.append(_some(Cause.ROLLOUT, When.AT_ONCE, subject, staying))
    return found


def _some(cause: Cause, when: When, subject: str, pods: Iterable[RunningPod]) -> Disturbance | None:
    names = sorted((pod.name for pod in pods), key=lambda name: (name.namespace, name.name))
    return Disturbance(cause, when, subject, tuple(names)) if names else None


def _is_of(pod: RunningPod, workload: Workload) -> bool:
    return pod.name.namespace == workload.namespace and workload.selector.items() <= pod.labels.items()


# Pods as the API server has them.


class _Partial(msgspec.Struct, frozen=True, rename="camel"):
    pass


class _Resources(_Partial, frozen=True):
    requests: Mapping[str, msgspec.Raw] = {}
    limits: Mapping[str, msgspec.Raw] = {}


class _Container(_Partial, frozen=True):
    resources: _Resources | None = None


class _Meta(_Partial, frozen=True):
    name: str
    namespace: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class _Spec(_Partial, frozen=True):
    node_name: str = ""
    containers: tuple[_Container, ...] = ()
    init_containers: tuple[_Container, ...] | None = None


class _Pod(_Partial, frozen=True):
    metadata: _Meta
    spec: _Spec


_decode: Final = msgspec.json.Decoder(_Pod).decode


def decode(raw: bytes | msgspec.Raw) -> RunningPod:
    pod = _decode(raw)
    meta, spec = pod.metadata, pod.spec
    resources = (c.resources for c in (*spec.containers, *(spec.init_containers or ())) if c.resources is not None)
    asked = {name for each in resources for name in (*each.requests, *each.limits) if "/" in name}
    networks = (meta.annotations or {}).get(NETWORKS_ANNOTATION, "")
    return RunningPod(
        PodName(meta.namespace, meta.name, spec.node_name),
        meta.labels or {},
        frozenset(asked),
        frozenset(named(networks, meta.namespace)) if networks else frozenset(),
    )
