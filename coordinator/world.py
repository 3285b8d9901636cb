"""Everything a pass over the policies decides from, and the plan that follows from it. Pure: values in, values out.

`World` is read at one moment from what the watches and the agents have told; `plan` turns it into desired objects;
`state_views` puts the plan, what became of it, and the nodes together for the checks of readiness.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from coordinator.kube.objects import Obj, Ref, ref_of
from coordinator.labels.configuration_wait import Configuration
from coordinator.labels.wait import DriverPod, DriverRequest, Unasked
from coordinator.nodes import KubeNode
from coordinator.objects.desired import Render, StateObjects, desired_of_all, section
from coordinator.objects.outcome import Action, Outcome
from coordinator.objects.pools import UnlabelledNode, driver_placement, driver_pod, live_pools, pools_of
from coordinator.objects.scheduling import Placement, keeps, left_out, place
from coordinator.objects.served import Owner, ServedPolicy
from coordinator.policy import NicClusterPolicySpec
from coordinator.states import DROPPED, NODE_ORDER, ORDER
from coordinator.states.cluster import Cluster, NodePool
from coordinator.verdicts.view import LiveWorkload, NodeView, StateView
from coordinator.workloads import Pod, Workload
from nicfleet.names import OS_ID_LABEL, WAIT_LABEL
from nicfleet.reasons import Finding, Reason

DRIVER_STATE: Final = "state-OFED"

DRIVER_SYSTEMS: Final = ("rhcos", "rhel", "sles", "ubuntu")
"""os-release IDs for which driver images are published."""

_PLACING: Final = ("nodeSelector", "affinity", "tolerations", "hostNetwork")
"""What of a Pod spec decides where its Pods may be."""

WORKLOADS: Final = frozenset({"DaemonSet", "Deployment"})


@dataclass(frozen=True, slots=True)
class World:
    """The policies that are acted on, and what is known of the cluster at this moment."""

    policies: tuple[ServedPolicy, ...]
    nodes: Mapping[str, NodeView]
    workloads: Mapping[Ref, Workload]
    conflicts: Mapping[Owner, Mapping[str, Finding]] = field(default_factory=dict)
    """Of each policy, the states that another one asks for too, and earlier."""
    labels_refused: Finding | None = None
    """Nodes whose labels cannot be written, and why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What should exist for one policy, state by state, and who is left out of the driver's pools."""

    policy: ServedPolicy
    states: Mapping[str, StateObjects]
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


def plan(world: World, settings: Cluster, render: Render) -> tuple[Plan, ...]:
    """Desired objects of every policy and state, policy by policy. `settings` is the cluster without its pools."""
    nodes = [node.kube for node in world.nodes.values()]
    pools = [_pools(policy, nodes, world.workloads) for policy in world.policies]
    clusters = [
        replace(settings, scope=policy.scope, pools=tuple(pool for pool in found if pool.os_id in DRIVER_SYSTEMS))
        for policy, (found, _) in zip(world.policies, pools, strict=True)
    ]
    states = desired_of_all(list(zip(world.policies, clusters, strict=True)), render, world.conflicts)
    return tuple(
        _plan(policy, nodes, found, unlabelled, objects)
        for policy, (found, unlabelled), objects in zip(world.policies, pools, states, strict=True)
    )


def _plan(
    policy: ServedPolicy,
    nodes: Sequence[KubeNode],
    pools: Iterable[NodePool],
    unlabelled: Iterable[UnlabelledNode],
    states: Mapping[str, StateObjects],
) -> Plan:
    asked = policy.spec.ofed_driver is not None
    request = driver_request(policy.spec)
    admitted = driver_placement(policy.spec, policy.scope, nodes)
    here = set(admitted.admitted)
    return Plan(
        policy=policy,
        states=states,
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


def _pools(
    policy: ServedPolicy, nodes: Iterable[KubeNode], workloads: Mapping[Ref, Workload]
) -> tuple[tuple[NodePool, ...], tuple[UnlabelledNode, ...]]:
    return pools_of(policy.spec, policy.scope, nodes, live_pools(workloads.values(), policy.scope))


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
    def of(cls, policy: ServedPolicy) -> Self:
        return cls(driver_request(policy.spec), driver_pod(policy.spec, policy.scope))

    def on(self, node: KubeNode, pod: DriverPod) -> DriverRequest | Unasked:
        """For one node: nobody asks where the policy's choice or the operating system keeps the driver away, or where
        a taint does and no pod is left of the time before it."""
        if node.labels.get(OS_ID_LABEL, DRIVER_SYSTEMS[0]) not in DRIVER_SYSTEMS or not keeps(self.pod, node):
            return Unasked.NOBODY
        if pod is DriverPod.NONE and left_out(self.pod, node):
            return Unasked.NOBODY
        return self.request


@dataclass(frozen=True, slots=True)
class Wishes:
    """What all policies together want of the nodes' labels.

    `drivers`: those that ask for one. `unknown`: there may be one more, that cannot be read.
    """

    drivers: tuple[DriverWish, ...] = ()
    configuration: Configuration = Configuration.NOBODY
    unknown: bool = False

    @classmethod
    def of(cls, world: World, *, unknown: bool) -> Self:
        """A policy that is held back moves no label on its nodes."""
        configuration = _configuration(world, unknown=unknown)
        clear, unclear = [], []
        for policy in world.policies:
            if policy.spec.ofed_driver is not None:
                held = world.conflicts.get(policy.owner, {}).get(DRIVER_STATE)
                if held is not None:
                    # A choice of nodes that means nothing does not say which nodes these are.
                    unknown |= held.reason is Reason.InvalidSpec
                    unclear.append(replace(DriverWish.of(policy), request=Unasked.UNKNOWN))
                else:
                    clear.append(DriverWish.of(policy))
        return cls((*clear, *unclear), configuration, unknown)

    def on(self, node: KubeNode, pod: DriverPod) -> DriverRequest | Unasked:
        """For one node and its driver pod: the first policy that asks for a driver there."""
        found = (asked for wish in self.drivers if (asked := wish.on(node, pod)) is not Unasked.NOBODY)
        return next(found, Unasked.UNKNOWN if self.unknown else Unasked.NOBODY)


def _configuration(world: World, *, unknown: bool) -> Configuration:
    if any(policy.spec.nic_configuration_operator is not None for policy in world.policies):
        return Configuration.ASKED
    return Configuration.UNKNOWN if unknown else Configuration.NOBODY


def state_views(
    world: World, planned: Plan, outcomes: Mapping[str, tuple[Outcome, ...]], places: "Places"
) -> tuple[StateView, ...]:
    """One view per state that the policy's kind has, in upstream's order; of those that upstream dropped, when the
    policy still asks for them. `places` are of the world's nodes."""
    dropped = _dropped(planned.policy)
    views = [
        StateView(name, asked=False, nodes=world.nodes, caveats=sentences)
        for name, sentences in dropped.items()
        if name not in planned.states
    ]
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
                problem=state.problem,
                refused=tuple(o.finding for o in done if o.finding and o.action in (Action.REFUSED, Action.WAITING)),
                remaining=tuple(str(o.ref) for o in done if o.action is Action.WAITING and not o.finding),
                driver=planned.request if driver and state.asked else None,
                unlabelled={node.node: node.label for node in planned.unlabelled} if driver else {},
                unsupported_systems=planned.unsupported if driver else {},
                supported_systems=DRIVER_SYSTEMS if driver else (),
                driver_placement=planned.driver_placement if driver else None,
                caveats=(*state.caveats, *dropped.get(name, ())),
                own_versions=state.own,
                labels_refused=world.labels_refused,
            )
        )
    order = NODE_ORDER if planned.policy.scope.name_suffix else ORDER
    return tuple(sorted(views, key=lambda view: order.index(view.name)))


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


def _dropped(policy: ServedPolicy) -> dict[str, tuple[str, ...]]:
    """What to say, by state, of the sections that upstream has dropped and the policy still contains, and of what it
    sets without effect: that belongs to no state, and stands with the first one."""
    found = {DRIVER_STATE: tuple(f"{field} has no effect: remove it" for field in policy.unused)}
    for path, name, sentence in DROPPED:
        if section(policy.spec, path) is not None:
            found[name] = (*found.get(name, ()), sentence)
    return found
