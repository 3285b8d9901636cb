"""Everything a pass over the policy decides from, and the plan that follows from it. Pure: values in, values out.

`World` is read at one moment from what the watches and the agents have told; `plan` turns it into desired objects;
`state_views` puts the plan, what became of it, and the nodes together for the checks of readiness.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from coordinator.kube.objects import Obj, Ref, ref_of
from coordinator.labels.wait import DriverRequest, Unasked
from coordinator.nodes import KubeNode
from coordinator.objects.desired import Render, StateObjects, desired, unbuilt
from coordinator.objects.outcome import Action, Outcome
from coordinator.objects.pools import UnlabelledNode, driver_placement, driver_pod, pools_of
from coordinator.objects.scheduling import Placement, keeps, place
from coordinator.policy import NicClusterPolicy, NicClusterPolicySpec
from coordinator.states import ORDER, UNBUILT
from coordinator.states.cluster import Cluster
from coordinator.verdicts.view import LiveWorkload, NodeView, StateView
from coordinator.workloads import Pod, Workload
from nicfleet.names import ARCH_LABEL, OS_ID_LABEL, WAIT_LABEL
from nicfleet.reasons import Finding, Reason

DRIVER_STATE: Final = "state-OFED"

DRIVER_SYSTEMS: Final = ("rhcos", "rhel", "sles", "ubuntu")
"""os-release IDs for which driver images are published."""

_PLACING: Final = ("nodeSelector", "affinity", "tolerations", "hostNetwork")
"""What of a Pod spec decides where its Pods may be."""

WORKLOADS: Final = frozenset({"DaemonSet", "Deployment"})


@dataclass(frozen=True, slots=True)
class World:
    """One policy and what is known of the cluster at this moment."""

    policy: NicClusterPolicy
    nodes: Mapping[str, NodeView]
    workloads: Mapping[Ref, Workload]

    @property
    def owner(self) -> tuple[str, str]:
        """Kind and name of the policy, as ownerReferences name it."""
        return self.policy.kind, self.policy.metadata.name


@dataclass(frozen=True, slots=True)
class Plan:
    """What should exist, state by state, and who is left out of the driver's pools."""

    states: Mapping[str, StateObjects]
    unbuilt: tuple[tuple[str, str], ...]
    unlabelled: tuple[UnlabelledNode, ...]
    unsupported: Mapping[str, str]
    """Nodes whose operating system, "rocky 9.3", has no driver image."""
    request: DriverRequest | None
    driver_placement: Placement | None
    """None without a driver that is asked for."""


@dataclass(frozen=True, slots=True)
class Detail:
    """What was asked of the API server about one workload because it is not complete."""

    pods: tuple[Pod, ...] = ()
    refusal: str = ""


def plan(world: World, settings: Cluster, render: Render) -> Plan:
    """Desired objects of every state. `settings` is the cluster without its pools."""
    spec = world.policy.spec
    nodes = [node.kube for node in world.nodes.values()]
    pools, unlabelled = pools_of(spec, nodes, _holders(world.workloads))
    supported = tuple(pool for pool in pools if pool.os_id in DRIVER_SYSTEMS)
    cluster = Cluster(
        settings.namespace, settings.cni_bin_dir, settings.cni_network_dir, settings.ofed_init_image, supported
    )
    asked = spec.ofed_driver is not None
    request = driver_request(spec)
    admitted = driver_placement(spec, nodes)
    here = set(admitted.admitted)
    return Plan(
        states=desired(world.policy, cluster, render),
        unbuilt=unbuilt(spec),
        unlabelled=tuple(node for node in unlabelled if asked and node.node in here),
        unsupported={
            node: f"{pool.os_id} {pool.os_version}"
            for pool in pools
            for node in pool.nodes
            if asked and node in here and pool.os_id not in DRIVER_SYSTEMS
        },
        request=request if isinstance(request, DriverRequest) else None,
        driver_placement=admitted if asked else None,
    )


def driver_request(spec: NicClusterPolicySpec) -> DriverRequest | Unasked:
    """The driver that the policy asks for."""
    if spec.ofed_driver is None:
        return Unasked.NOBODY
    version = spec.ofed_driver.version or (spec.global_.version if spec.global_ else None)
    return DriverRequest(version) if version else Unasked.UNKNOWN


@dataclass(frozen=True, slots=True)
class DriverWish:
    """What a policy wants of the nodes' driver: which one, and where its pods may be."""

    request: DriverRequest | Unasked
    pod: Mapping[str, Any]

    @classmethod
    def of(cls, spec: NicClusterPolicySpec) -> Self:
        return cls(driver_request(spec), driver_pod(spec))

    def on(self, node: KubeNode) -> DriverRequest | Unasked:
        """For one node: nobody asks where the policy's choice or the operating system keeps the driver away."""
        if node.labels.get(OS_ID_LABEL, DRIVER_SYSTEMS[0]) not in DRIVER_SYSTEMS or not keeps(self.pod, node):
            return Unasked.NOBODY
        return self.request


def state_views(world: World, planned: Plan, outcomes: Mapping[str, tuple[Outcome, ...]]) -> tuple[StateView, ...]:
    """One view per state that upstream has, in its order; of those this version cannot deploy too."""
    places = Places([node.kube for node in world.nodes.values()])
    views = []
    for name, state in planned.states.items():
        done = outcomes.get(name, ())
        written = {outcome.ref for outcome in done if outcome.written}
        driver = name == DRIVER_STATE
        views.append(
            StateView(
                name=name,
                asked=state.asked,
                nodes=world.nodes,
                workloads=tuple(
                    _live_workload(obj, world.workloads, places, written)
                    for obj in state.objects
                    if obj["kind"] in WORKLOADS
                ),
                problem=Finding(Reason.InvalidSpec, str(state.problem)) if state.problem else None,
                refused=tuple(o.finding for o in done if o.finding and o.action in (Action.REFUSED, Action.WAITING)),
                remaining=tuple(str(o.ref) for o in done if o.action is Action.WAITING and not o.finding),
                driver=planned.request if driver and state.asked else None,
                unlabelled={node.node: node.label for node in planned.unlabelled} if driver else {},
                unsupported_systems=planned.unsupported if driver else {},
                supported_systems=DRIVER_SYSTEMS if driver else (),
                driver_placement=planned.driver_placement if driver else None,
                caveats=state.caveats,
            )
        )
    asked = {name: section for section, name in planned.unbuilt}
    views += [_unbuilt(world, name, asked.get(name)) for _, name in UNBUILT]
    return tuple(sorted(views, key=lambda view: ORDER.index(view.name)))


def incomplete(views: Iterable[StateView]) -> tuple[LiveWorkload, ...]:
    """The workloads whose Pods are worth asking for."""
    return tuple(workload for view in views for workload in view.workloads if workload.live and not workload.rolled_out)


def with_details(views: Iterable[StateView], details: Mapping[Ref, Detail]) -> tuple[StateView, ...]:
    """The views with what was asked about some of their workloads."""

    def detailed(workload: LiveWorkload) -> LiveWorkload:
        detail = details.get(Ref(workload.kind, workload.namespace, workload.name))
        return replace(workload, pods=detail.pods, refusal=detail.refusal) if detail else workload

    return tuple(replace(view, workloads=tuple(map(detailed, view.workloads))) for view in views)


class Places:
    """Where Pods belong among these Nodes. Workloads that ask for the same are answered once."""

    def __init__(self, nodes: Sequence[KubeNode]) -> None:
        self._nodes = nodes
        self._found: dict[str, Placement] = {}

    def of(self, pod_spec: Mapping[str, Any]) -> Placement:
        """As `place` says."""
        asked = json.dumps([pod_spec.get(key) for key in _PLACING], sort_keys=True)
        if asked not in self._found:
            self._found[asked] = place(pod_spec, self._nodes)
        return self._found[asked]

    def waiting(self, pod_spec: Mapping[str, Any]) -> tuple[str, ...]:
        """The nodes that only the wait label keeps out."""
        selector = dict(pod_spec.get("nodeSelector") or {})
        if selector.pop(WAIT_LABEL, None) is None:
            return ()
        free = self.of({**pod_spec, "nodeSelector": selector}).admitted
        return tuple(sorted(set(free) - set(self.of(pod_spec).admitted)))


def _live_workload(obj: Obj, live: Mapping[Ref, Workload], places: Places, written: set[Ref]) -> LiveWorkload:
    ref = ref_of(obj)
    pod_spec: Mapping[str, Any] = obj["spec"]["template"]["spec"]
    return LiveWorkload(
        kind=ref.kind,
        namespace=ref.namespace,
        name=ref.name,
        pod_spec=pod_spec,
        placement=places.of(pod_spec),
        waiting=places.waiting(pod_spec),
        live=live.get(ref),
        just_applied=ref in written,
    )


def _unbuilt(world: World, name: str, section: str | None) -> StateView:
    """A state that this version cannot deploy; `section` is what asks for it."""
    if section is None:
        return StateView(name, asked=False, nodes=world.nodes)
    message = (
        f"spec.{section} is not supported by this version: remove it, or stay with upstream's operator on this cluster"
    )
    return StateView(name, asked=True, nodes=world.nodes, problem=Finding(Reason.NotSupported, message))


def _holders(workloads: Mapping[Ref, Workload]) -> dict[str, str]:
    """Which architecture has which pool name, as the driver's DaemonSets in the cluster say."""
    holders = {}
    for ref, workload in workloads.items():
        selector = (workload.template.get("spec") or {}).get("nodeSelector") or {}
        if ref.name.startswith("mofed-") and ref.name.endswith("-ds") and ARCH_LABEL in selector:
            holders[ref.name.removeprefix("mofed-").removesuffix("-ds")] = selector[ARCH_LABEL]
    return holders
