"""One pass over the policies: gather → plan → apply → judge → status, in this order and nowhere else.

All policies go through it together: some objects are theirs in common, and two of them may ask for the same nodes. A
pass is asked for, never told what happened, so it can be asked for too often and never too seldom. Everything it
decides is decided by pure functions; what it remembers between passes is what only it can know.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any, Final

from coordinator.admission.cautions import cautioned
from coordinator.admission.held import held_back, holding
from coordinator.configuration_pods import ConfigurationPods
from coordinator.driver_pods import DriverPods
from coordinator.fleet.fleet import Fleet
from coordinator.fleet.views import PolicyStatus, StateStatus
from coordinator.intake import Intake, Policy, owner_of
from coordinator.kube.errors import KubeError
from coordinator.kube.objects import Ref, ref_of
from coordinator.kube.reflector import Reflector
from coordinator.labels.configuration_wait import Configuration
from coordinator.node_views import NodeViews
from coordinator.objects.apply import Applier
from coordinator.objects.desired import Render, StateObjects
from coordinator.objects.index import ObjectIndex
from coordinator.objects.live import LiveObject
from coordinator.objects.outcome import Action, Outcome
from coordinator.objects.served import Owner, ServedPolicy
from coordinator.objects.surplus import kept
from coordinator.plugin_resources import PluginResources
from coordinator.pod_looks import PodLooks
from coordinator.policy_status import PolicyStatusWriter
from coordinator.states import STATES
from coordinator.states.cluster import Cluster
from coordinator.verdicts.checks.resources import resource_counts
from coordinator.verdicts.readiness import Level, Verdict, judge, overall, unsettled, unverified
from coordinator.verdicts.standing import standing, standing_unverified
from coordinator.verdicts.status import (
    Status,
    ignored_status,
    invalid_status,
    judged_generation,
    policy_status,
    urgent,
)
from coordinator.verdicts.view import LiveWorkload, StateView
from coordinator.workloads import Workload
from coordinator.world import (
    WORKLOADS,
    Detail,
    Places,
    Plan,
    Wishes,
    World,
    incomplete,
    plan,
    state_views,
    with_details,
)
from nicfleet.reasons import Finding

WAITING_SECONDS: Final = 5.0
"""Between looks while something is not ready and no watch may tell: Pods are not watched."""

_CONDITION_TYPES: Final = {state.name: state.condition for state in STATES if state.condition is not None}
_NOTHING: Final = StateObjects(asked=False)

Outcomes = dict[str, tuple[Outcome, ...]]
"""What became of the objects of one policy, by state."""


@dataclass(frozen=True, slots=True)
class Deps:
    """All that a pass reads from and writes to.

    `policies` has one Reflector per kind. `cluster` says what the states of these policies see of the cluster,
    but for their pools; `label_refusals` which nodes' labels cannot be written. `on_wishes` hears what the policies
    want of the nodes' driver before anything is written.
    """

    policies: Mapping[str, Reflector[Policy]]
    views: NodeViews
    index: ObjectIndex
    fleet: Fleet
    applier: Applier
    writer: PolicyStatusWriter
    driver_pods: DriverPods
    configuration_pods: ConfigurationPods
    looks: PodLooks
    resources: PluginResources
    render: Render
    cluster: Callable[[Sequence[ServedPolicy]], Cluster]
    label_refusals: Callable[[], Finding | None]
    on_wishes: Callable[[Wishes], None]
    clock: Callable[[], datetime]


class Reconciler:
    """Brings the cluster in step with the policies, and their status with the cluster."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._judged: dict[Owner, PolicyStatus] = {}
        self._orphaned: set[Owner] = set()
        self.cost = 0.0
        """CPU seconds of the last pass, with what else ran meanwhile: passes should follow each other more slowly."""

    def status(self, owner: Owner) -> PolicyStatus | None:
        """The latest verdict, with every node behind each finding; for views."""
        return self._judged.get(owner)

    def orphaned(self, owner: Owner) -> None:
        """A policy was deleted and its objects are to stay: a driver among them runs on, and nobody says for what."""
        self._orphaned.add(owner)

    async def reconcile(self) -> float | None:
        """One pass. Returns the seconds after which to look again without being asked, or None.

        Raises KubeError for what a retry may cure.
        """
        began = time.thread_time()
        intake = Intake.of(policy for kind in self._deps.policies.values() for policy in kind.values())
        known = intake.documents.keys() | intake.untouched
        self._orphaned -= known
        self._judged = {owner: status for owner, status in self._judged.items() if owner in known}
        self._deps.writer.forget_all_but(known)
        again, failures = await self._pass(intake)
        for refused, make, level in (
            (intake.ignored, ignored_status, Level.IGNORE),
            (intake.unreadable, invalid_status, Level.ERROR),
        ):
            for policy, why in refused:
                try:
                    await self._write_verdict(policy, make, level, why)
                except KubeError as error:
                    failures.append(error)
        self.cost = time.thread_time() - began
        if failures:
            raise failures[0]  # after all the others have been told
        return again

    async def _pass(self, intake: Intake) -> tuple[float | None, list[KubeError]]:
        """When to look again, and what kept a policy from being told: one that goes meanwhile is no harm to others."""
        deps = self._deps
        failures: list[KubeError] = []
        settled = deps.fleet.settled(deps.clock())  # of the moment that the plan is made from: a pass takes a while
        nodes = deps.views.all()
        held = held_back(intake.served, [node.kube for node in nodes.values()], holding(self._live()))
        world = World(intake.served, nodes, self._workloads(), held, deps.label_refusals())
        unknown = bool(intake.unreadable or intake.leaving or self._orphaned)
        wishes = Wishes.of(world, unknown=unknown)
        deps.on_wishes(wishes)
        cluster = deps.cluster(intake.served)
        planned = plan(world, cluster, deps.render)
        # An orphan may still name its policy: two watches do not tell of one moment.
        outcomes, leftovers = await self._apply(planned, intake.untouched | self._orphaned)
        world = replace(world, workloads=self._workloads())  # our own writes are known by now
        statuses = {owner: policy.get("status") or {} for owner, policy in intake.documents.items()}
        views = await self._look(world, planned, outcomes, statuses, settled=settled)
        asked = any(policy.spec.ofed_driver is not None for policy in intake.served)
        pods_remain = await deps.driver_pods.update(chain(*views.values()), asked=asked)
        if wishes.configuration is not Configuration.UNKNOWN:
            configured = wishes.configuration is Configuration.ASKED
            pods_remain |= await deps.configuration_pods.update(asked=configured)
        again = _soonest(chain(leftovers, *(chain(*done.values()) for done in outcomes.values())))
        if pods_remain or any(outcome.action is Action.WAITING for outcome in leftovers):
            again = _sooner(again, WAITING_SECONDS)
        if (ends := deps.resources.next(now := deps.clock())) is not None:
            again = _sooner(again, _seconds_until(ends, now))
        for owner, seen in views.items():
            policy = intake.documents[owner]
            try:
                await deps.writer.tell_repairs(policy, chain(*outcomes[owner].values()))
                again = _sooner(again, await self._conclude(policy, seen, settled=settled, asking=cluster.asking))
            except KubeError as error:
                failures.append(error)
        return again, failures

    def _live(self) -> Iterator[LiveObject]:
        """What there is of the states, as the watches have it."""
        return (item for state in STATES for item in self._deps.index.of_state(state.name))

    def _workloads(self) -> dict[Ref, Workload]:
        """What runs for the states."""
        return {item.ref: item.workload for item in self._live() if item.workload and item.ref.kind in WORKLOADS}

    async def _apply(
        self, planned: Sequence[Plan], untouched: frozenset[Owner]
    ) -> tuple[dict[Owner, Outcomes], list[Outcome]]:
        """Write every state's objects and remove what is left over, by owner; the second part is of policies that are
        gone. A state that cannot be rendered stays as it is."""
        done: dict[Ref, Outcome] = {}
        outcomes: dict[Owner, Outcomes] = {each.policy.owner: {} for each in planned}
        for each in planned:
            for name, state in each.states.items():
                if state.problem is None:
                    new = [obj for obj in state.objects if ref_of(obj) not in done]
                    done |= {outcome.ref: outcome for outcome in await self._deps.applier.apply(new)}
                    outcomes[each.policy.owner][name] = tuple(done[ref_of(obj)] for obj in state.objects)
        leftovers: list[Outcome] = []
        for state_name in (state.name for state in STATES):
            for owner, pruned in (await self._prune(state_name, planned, outcomes, untouched)).items():
                if owner in outcomes:
                    outcomes[owner][state_name] = (*outcomes[owner].get(state_name, ()), *pruned)
                else:
                    leftovers += pruned
        return outcomes, leftovers

    async def _prune(
        self, state: str, planned: Sequence[Plan], outcomes: Mapping[Owner, Outcomes], untouched: frozenset[Owner]
    ) -> dict[Owner, tuple[Outcome, ...]]:
        """What a state has left over goes, unless its policy could not be carried out."""
        wanted = {each.policy.owner: each.states.get(state, _NOTHING) for each in planned}
        spared = untouched | {
            owner
            for owner, objects in wanted.items()
            if objects.problem or any(o.action is Action.REFUSED for o in outcomes[owner].get(state, ()))
        }
        keep, owners = kept(self._deps.index.of_state(state), wanted, spared)
        return {owner: await self._deps.applier.prune(state, owner, keep) for owner in owners}

    async def _look(
        self,
        world: World,
        planned: Sequence[Plan],
        outcomes: Mapping[Owner, Outcomes],
        statuses: Mapping[Owner, Mapping[str, Any]],
        *,
        settled: bool,
    ) -> dict[Owner, tuple[StateView, ...]]:
        """Everything that is known of each policy's states, with the Pods of workloads that are not complete."""
        places = Places([node.kube for node in world.nodes.values()])
        views = {
            each.policy.owner: cautioned(each.policy, state_views(world, each, outcomes[each.policy.owner], places))
            for each in planned
        }
        details = await self._look_into(incomplete(chain(*views.values())))
        views = {owner: with_details(seen, details) for owner, seen in views.items()}
        offers = {
            (each.policy.owner, name): state.offers
            for each in planned
            for name, state in each.states.items()
            if state.offers is not None
        }
        views = await self._deps.resources.predicted(views, offers, world.nodes)
        return self._deps.resources.judged(views, offers, statuses, self._deps.clock(), settled=settled)

    async def _look_into(self, workloads: Iterable[LiveWorkload]) -> dict[Ref, Detail]:
        seen = [(Ref(w.kind, w.namespace, w.name), w.live) for w in workloads if w.live is not None]
        details = await asyncio.gather(*(self._deps.looks.look(ref, live) for ref, live in seen))
        return {ref: detail for (ref, _), detail in zip(seen, details, strict=True)}

    async def _conclude(
        self, policy: Policy, views: tuple[StateView, ...], *, settled: bool, asking: bool
    ) -> float | None:
        """Judge, and write the status if it says anything new. `asking`: a registry has not answered yet."""
        now = self._deps.clock()
        generation, previous = policy["metadata"]["generation"], policy.get("status") or {}
        told = judged_generation(previous) == generation
        seen = [judge(view) for view in views]
        shown = seen if settled else self._hold(seen, now, told=told)
        owner = owner_of(policy)
        self._judged[owner] = _for_views(owner[1], shown, views, generation)
        verdicts, missing = shown, unverified(views)
        if told and not settled:
            # What stands was judged by more than is known now. Only what speaks against it is said at once.
            verdicts, missing = standing(seen, _CONDITION_TYPES, previous), standing_unverified(previous)
            if overall(verdicts) is Level.READY:
                return _seconds_until(self._settles(now), now)
        status = policy_status(verdicts, _CONDITION_TYPES, missing, generation, previous, _rfc3339(now))
        if told and asking and not urgent(status, previous):
            return WAITING_SECONDS  # its messages may tell of answers that are still to come anew
        wait = await self._deps.writer.write(policy, status, [verdict for verdict in verdicts if verdict in shown])
        return wait if overall(verdicts) is Level.READY else _sooner(wait, WAITING_SECONDS)

    def _hold(self, verdicts: list[Verdict], now: datetime, *, told: bool) -> list[Verdict]:
        """The verdicts while the fleet is not settled. `told`: of this generation there is a status already."""
        settles = f"until {_rfc3339(self._settles(now))} at the latest"
        awaited = self._deps.fleet.awaited(now)
        return [
            verdict if told and verdict.level is not Level.READY else unsettled(verdict, awaited, settles)
            for verdict in verdicts
        ]

    def _settles(self, now: datetime) -> datetime:
        return self._deps.fleet.next_settle(now) or now + timedelta(seconds=1)

    async def _write_verdict(
        self, policy: Policy, make: Callable[[str, int, Policy, str], Status], level: Level, why: str
    ) -> None:
        owner, generation = owner_of(policy), policy["metadata"]["generation"]
        self._judged[owner] = PolicyStatus(owner[1], level, generation)
        now = _rfc3339(self._deps.clock())
        await self._deps.writer.write(policy, make(why, generation, policy.get("status") or {}, now))


def _for_views(name: str, verdicts: Sequence[Verdict], views: Sequence[StateView], generation: int) -> PolicyStatus:
    states = tuple(
        StateStatus(verdict.name, verdict.level, verdict.finding, verdict.notes, partial(resource_counts, view))
        for verdict, view in zip(verdicts, views, strict=True)
    )
    return PolicyStatus(name, overall(verdicts), generation, states)


def _soonest(outcomes: Iterable[Outcome]) -> float | None:
    return min((outcome.again for outcome in outcomes if outcome.again is not None), default=None)


def _sooner(one: float | None, other: float | None) -> float | None:
    return min((wait for wait in (one, other) if wait is not None), default=None)


def _seconds_until(moment: datetime, now: datetime) -> float:
    return max((moment - now).total_seconds(), 0.0) + 0.05


def _rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
