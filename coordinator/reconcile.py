"""One pass over a policy: gather → plan → apply → judge → status, in this order and nowhere else.

A pass is asked for by name, never by event, so it can be asked for too often and never too seldom. Everything it
decides is decided by pure functions; what it remembers between passes is what only it can know.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from pydantic import ValidationError

from coordinator.driver_pods import DriverPods
from coordinator.fleet.fleet import Fleet
from coordinator.fleet.views import PolicyStatus, StateStatus
from coordinator.kube.client import Kube
from coordinator.kube.objects import NIC_CLUSTER_POLICY, Ref, ref_of
from coordinator.kube.recorder import EventRecorder, Regarding
from coordinator.kube.reflector import Reflector
from coordinator.node_views import NodeViews
from coordinator.objects.apply import Applier
from coordinator.objects.desired import Render
from coordinator.objects.index import ObjectIndex
from coordinator.objects.outcome import Action, Outcome
from coordinator.pod_looks import PodLooks
from coordinator.policy import NicClusterPolicy
from coordinator.states import STATES
from coordinator.states.cluster import Cluster
from coordinator.verdicts.announcements import Announcement, Announcer
from coordinator.verdicts.readiness import Level, Verdict, judge, overall, unsettled, unverified
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
from coordinator.world import WORKLOADS, Detail, Plan, World, incomplete, plan, state_views, with_details
from nicfleet.names import POLICY_NAME, STATUS_MANAGER

log = logging.getLogger(__name__)

Policy = Mapping[str, Any]
"""A NicClusterPolicy as JSON."""

STATUS_SECONDS: Final = 2.0
"""Between two status writes that only refine a message."""

WAITING_SECONDS: Final = 5.0
"""Between looks while something is not ready and no watch may tell: Pods are not watched."""

_CONDITION_TYPES: Final = {state.name: state.condition for state in STATES if state.condition is not None}


@dataclass(frozen=True, slots=True)
class Deps:
    """All that a pass reads from and writes to."""

    kube: Kube
    policies: Reflector[Policy]
    views: NodeViews
    index: ObjectIndex
    fleet: Fleet
    applier: Applier
    events: EventRecorder
    driver_pods: DriverPods
    looks: PodLooks
    render: Render
    cluster: Cluster
    clock: Callable[[], datetime]


class Reconciler:
    """Brings the cluster in step with the policy, and the policy's status with the cluster."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._judged: dict[str, PolicyStatus] = {}
        self._announcers: defaultdict[str, Announcer] = defaultdict(Announcer)
        self._written_at = float("-inf")
        self.cost = 0.0
        """CPU seconds of the last pass, with what else ran meanwhile: passes should follow each other more slowly."""

    def status(self, name: str) -> PolicyStatus | None:
        """The latest verdict, with every node behind each finding; for views."""
        return self._judged.get(name)

    async def reconcile(self, name: str) -> float | None:
        """One pass. Returns the seconds after which to look again without being asked, or None.

        Raises KubeError for what a retry may cure.
        """
        policy = self._deps.policies.get(name)
        if policy is None:
            self._judged.pop(name, None)
            self._announcers.pop(name, None)
            return await self._remove(name)
        if "deletionTimestamp" in policy["metadata"]:
            return None  # the garbage collector is at work: what it deletes is no drift
        if name != POLICY_NAME:
            return await self._ignore(policy)
        try:
            parsed = NicClusterPolicy.model_validate(policy)
        except ValidationError as error:
            return await self._refuse(policy, error)
        return await self._pass(policy, parsed)

    async def _pass(self, policy: Policy, parsed: NicClusterPolicy) -> float | None:
        deps, began = self._deps, time.thread_time()
        settled = deps.fleet.settled(deps.clock())  # of the moment that the plan is made from: a pass takes a while
        world = World(parsed, deps.views.all(), self._workloads())
        planned = plan(world, deps.cluster, deps.render)
        outcomes = await self._apply(world, planned)
        world = replace(world, workloads=self._workloads())  # our own writes are known by now
        views = state_views(world, planned, outcomes)
        views = with_details(views, await self._look_into(incomplete(views)))
        pods_remain = await deps.driver_pods.update(views, asked=parsed.spec.ofed_driver is not None)
        await self._tell_repairs(policy, outcomes)
        again = _sooner(_soonest(outcomes), WAITING_SECONDS if pods_remain else None)
        again = await self._conclude(policy, views, again, settled=settled)
        self.cost = time.thread_time() - began
        return again

    async def _remove(self, name: str) -> float | None:
        """The policy is gone: so are its objects. The garbage collector may take half a minute to hear of them."""
        owner = (NIC_CLUSTER_POLICY.kind, name)
        gone = [await self._deps.applier.prune(state.name, owner, keep=()) for state in STATES]
        pods_remain = await self._deps.driver_pods.update((), asked=False)
        return WAITING_SECONDS if any(gone) or pods_remain else None

    def _workloads(self) -> dict[Ref, Workload]:
        """What runs for the states, as the watches have it."""
        live = (item for state in STATES for item in self._deps.index.of_state(state.name))
        return {item.ref: item.workload for item in live if item.workload and item.ref.kind in WORKLOADS}

    async def _apply(self, world: World, planned: Plan) -> dict[str, tuple[Outcome, ...]]:
        """Write every state's objects and remove what is left over; a state that cannot be rendered stays as it is."""
        outcomes = {}
        for name, state in planned.states.items():
            if state.problem is not None:
                continue
            applied = await self._deps.applier.apply(state.objects)
            keep = {ref_of(obj) for obj in state.objects}
            # What could not be written may be in the way of nothing, but its predecessor may still be in use.
            failed = any(outcome.action is Action.REFUSED for outcome in applied)
            pruned = () if failed else await self._deps.applier.prune(name, world.owner, keep)
            outcomes[name] = (*applied, *pruned)
        return outcomes

    async def _look_into(self, workloads: Iterable[LiveWorkload]) -> dict[Ref, Detail]:
        """Ask about the workloads that are not complete."""
        seen = [(Ref(w.kind, w.namespace, w.name), w.live) for w in workloads if w.live is not None]
        details = await asyncio.gather(*(self._deps.looks.look(ref, live) for ref, live in seen))
        return {ref: detail for (ref, _), detail in zip(seen, details, strict=True)}

    async def _conclude(
        self, policy: Policy, views: tuple[StateView, ...], again: float | None, *, settled: bool
    ) -> float | None:
        """Judge, and write the status if it says anything new."""
        now = self._deps.clock()
        generation, previous = policy["metadata"]["generation"], policy.get("status") or {}
        verdicts = [judge(view) for view in views]
        told = judged_generation(previous) == generation
        if not settled and (not told or overall(verdicts) is Level.READY):
            verdicts = self._hold(verdicts, now)
        self._judged[POLICY_NAME] = _for_views(verdicts, generation)
        if not settled and told and all(verdict.unsettled for verdict in verdicts if verdict.finding):
            # What stands was judged by more than is known now. Only what speaks against it is said at once.
            return _seconds_until(self._settles(now), now)
        status = policy_status(verdicts, _CONDITION_TYPES, unverified(views), generation, previous, _rfc3339(now))
        wait = await self._write_status(policy, status, verdicts)
        if overall(verdicts) is not Level.READY:
            again = min(again or WAITING_SECONDS, WAITING_SECONDS)
        return _sooner(wait, again)

    def _hold(self, verdicts: list[Verdict], now: datetime) -> list[Verdict]:
        settles = f"until {_rfc3339(self._settles(now))} at the latest"
        awaited = self._deps.fleet.awaited(now)
        return [unsettled(verdict, awaited, settles) for verdict in verdicts]

    def _settles(self, now: datetime) -> datetime:
        return self._deps.fleet.next_settle(now) or now + timedelta(seconds=1)

    async def _write_status(self, policy: Policy, status: Status, verdicts: Sequence[Verdict] = ()) -> float | None:
        """PUT the status unless it stands there already. Returns when to come back with one that can wait."""
        previous = policy.get("status") or {}
        if status == previous:
            return None
        since = time.monotonic() - self._written_at
        if since < STATUS_SECONDS and not urgent(status, previous):
            return STATUS_SECONDS - since
        answer = await self._deps.kube.replace_status({**policy, "status": status}, manager=STATUS_MANAGER)
        self._written_at = time.monotonic()
        self._deps.policies.learn(answer)
        for news in self._announcers[policy["metadata"]["name"]].news(verdicts, status, previous):
            await self._announce(policy, news)
        return None

    async def _ignore(self, policy: Policy) -> float | None:
        """A policy of another name: upstream's rule, and upstream's words."""
        name = policy["metadata"]["name"]
        reason = f"Unsupported NicClusterPolicy instance {name}. Only instance with name {POLICY_NAME} is supported"
        return await self._write_verdict(policy, ignored_status, Level.IGNORE, reason)

    async def _refuse(self, policy: Policy, error: ValidationError) -> float | None:
        """The API server took it, under a CRD that is not ours, and we cannot read it. What exists stays as it is."""
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        message = f"{field} cannot be used: {first['msg']}; apply the CRDs of this version and correct the field"
        return await self._write_verdict(policy, invalid_status, Level.ERROR, message)

    async def _write_verdict(
        self, policy: Policy, make: Callable[[str, int, Policy, str], Status], level: Level, why: str
    ) -> float | None:
        name, generation = policy["metadata"]["name"], policy["metadata"]["generation"]
        self._judged[name] = PolicyStatus(name, level, generation)
        now = _rfc3339(self._deps.clock())
        return await self._write_status(policy, make(why, generation, policy.get("status") or {}, now))

    async def _tell_repairs(self, policy: Policy, outcomes: Mapping[str, tuple[Outcome, ...]]) -> None:
        for outcome in (outcome for done in outcomes.values() for outcome in done):
            if outcome.finding is not None and outcome.action is Action.REPAIRED:
                finding = outcome.finding
                await self._announce(policy, Announcement(str(outcome.ref), finding.reason, finding.message, True))

    async def _announce(self, policy: Policy, news: Announcement) -> None:
        metadata = policy["metadata"]
        said = {"policy": metadata["name"], "subject": news.subject, "reason": news.reason, "why": news.message}
        log.log(logging.WARNING if news.warning else logging.INFO, "policy finding", extra=said)
        if news.eventful:
            regarding = Regarding(
                policy["apiVersion"], policy["kind"], metadata["name"], metadata["uid"], metadata["generation"]
            )
            kind: Literal["Normal", "Warning"] = "Warning" if news.warning else "Normal"
            await self._deps.events.record(regarding, news.subject, news.reason, news.message, kind)


def _for_views(verdicts: Iterable[Verdict], generation: int) -> PolicyStatus:
    states = tuple(StateStatus(verdict.name, verdict.level, verdict.finding, verdict.notes) for verdict in verdicts)
    return PolicyStatus(POLICY_NAME, overall(verdicts), generation, states)


def _soonest(outcomes: Mapping[str, tuple[Outcome, ...]]) -> float | None:
    waits = [outcome.again for done in outcomes.values() for outcome in done if outcome.again is not None]
    return min(waits, default=None)


def _sooner(one: float | None, other: float | None) -> float | None:
    return min((wait for wait in (one, other) if wait is not None), default=None)


def _seconds_until(moment: datetime, now: datetime) -> float:
    return max((moment - now).total_seconds(), 0.0) + 0.05


def _rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
