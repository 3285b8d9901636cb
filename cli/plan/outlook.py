"""What the coordinator would want of a cluster under some policies: its own plan, without a coordinator. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cli.plan.census import Census
from cli.plan.documents import Body
from cli.plan.seen import Seen, live_objects, workloads
from coordinator.admission.conflicts import Conflict, conflicts
from coordinator.admission.held import held_back, holding
from coordinator.intake import Intake, Policy
from coordinator.kube.objects import Obj, Ref, ref_of
from coordinator.labels.wait import DriverPod
from coordinator.networks.definition import definition
from coordinator.networks.kinds import KINDS, key_of, read
from coordinator.networks.rivals import holder, rival
from coordinator.objects.desired import Render
from coordinator.objects.live import LiveObject
from coordinator.objects.served import Owner
from coordinator.policy import InvalidSpec
from coordinator.verdicts.view import NodeView, StateView
from coordinator.world import Places, Plan, Wishes, World, plan, state_views
from nicfleet.reasons import Finding, Reason


@dataclass(frozen=True, slots=True)
class Wanted:
    """One desired object, with the policy or network and the state that it is of."""

    owner: Owner
    state: str
    obj: Obj

    @property
    def ref(self) -> Ref:
        return ref_of(self.obj)


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """A network's NetworkAttachmentDefinition, or why there is none."""

    document: Body
    wanted: Wanted | None
    problem: Finding | None = None

    @property
    def owner(self) -> Owner:
        return key_of(self.document)

    @property
    def state(self) -> str:
        return KINDS[self.document["kind"]].state


@dataclass(frozen=True, slots=True)
class Outlook:
    """The coordinator's plan for all policies and networks, and the world that it was made for."""

    intake: Intake
    world: World
    conflicts: Mapping[Owner, tuple[Conflict, ...]]
    wishes: Wishes
    plans: tuple[Plan, ...]
    networks: tuple[NetworkPlan, ...]
    places: Places

    def wanted(self) -> list[Wanted]:
        """Every desired object once, in the order of applying: with the first policy that asks for it."""
        found: dict[Ref, Wanted] = {}
        for each in self.plans:
            for name, state in each.states.items():
                for obj in state.objects if state.problem is None else ():
                    found.setdefault(ref_of(obj), Wanted(each.policy.owner, name, obj))
        found |= {each.wanted.ref: each.wanted for each in self.networks if each.wanted is not None}
        return list(found.values())

    def views(self, planned: Plan) -> tuple[StateView, ...]:
        """What the coordinator's checks look at, before anything is applied."""
        return state_views(self.world, planned, {}, self.places)

    def offers(self) -> dict[tuple[Owner, str], str]:
        """The configurations of device plugins, by policy and state."""
        return {
            (each.policy.owner, name): state.offers
            for each in self.plans
            for name, state in each.states.items()
            if state.offers is not None
        }


def foresee(
    seen: Seen, policies: Iterable[Policy], networks: Iterable[Body], census: Census, render: Render
) -> Outlook:
    """The outlook under these policies and networks and no others."""
    intake = Intake.of(policies)
    live = live_objects(seen.objects)
    unknown = bool(intake.unreadable or intake.leaving)
    pods = seen.driver_pods
    with_pod = None if pods is None else {pod.node for pod in pods}

    def driver_pod(wishes: Wishes) -> Callable[[str], DriverPod]:
        # Where nobody asks for a driver any more, its pod is gone soon.
        may_be = wishes.drivers
        return lambda node: DriverPod.UNKNOWN if may_be and (with_pod is None or node in with_pod) else DriverPod.NONE

    # Labels follow from what the policies want of a node, and who wants it from labels that nicfleet does not write.
    unasked = Wishes(unknown=True)
    world = _world(intake, census.views(unasked, driver_pod(unasked)), live)
    wishes = Wishes.of(world, unknown=unknown)
    world = _world(intake, census.views(wishes, driver_pod(wishes)), live)
    nodes = [node.kube for node in world.nodes.values()]
    return Outlook(
        intake=intake,
        world=world,
        conflicts=conflicts(intake.served, nodes, holding(live.values())),
        wishes=wishes,
        plans=plan(world, seen.cluster, render),
        networks=tuple(_networks(list(networks), live)),
        places=Places(nodes),
    )


def _world(intake: Intake, nodes: Mapping[str, NodeView], live: Mapping[Ref, LiveObject]) -> World:
    held = held_back(intake.served, [node.kube for node in nodes.values()], holding(live.values()))
    return World(intake.served, nodes, workloads(live), held)


def _networks(documents: Sequence[Body], live: Mapping[Ref, LiveObject]) -> Iterable[NetworkPlan]:
    for document in documents:
        if "deletionTimestamp" in document["metadata"]:
            continue  # its objects go with it, whatever is planned
        try:
            nad = definition(read(document))
        except InvalidSpec as problem:
            yield NetworkPlan(document, None, Finding(Reason.InvalidSpec, str(problem)))
            continue
        wanted = Wanted(key_of(document), KINDS[document["kind"]].state, nad)
        if (conflict := rival(document, documents)) is not None:
            yield NetworkPlan(document, None, conflict)
        else:
            # Whoever has it and does not want it any more lets go of it first, which is only a matter of time.
            yield NetworkPlan(document, wanted, holder(live.get(ref_of(nad)), document, documents))
