"""Leader: what one coordinator at a time does: which part hears of what, and who does the work.

watches ─┬─> fleet <── agents' streams        a change of a node  ─> its labels   (urgent when hardware changed)
             └─> stores                            a change that matters ─> the policy (several at once: one pass)
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

from coordinator.admission.review import Known
from coordinator.config_maps import ConfigMaps
from coordinator.configuration_pods import ConfigurationPods
from coordinator.driver_pods import DriverPods
from coordinator.fleet.finding_log import FindingLog
from coordinator.fleet.fleet import Fleet, Snapshot
from coordinator.fleet.views import FleetView, LabelStatus
from coordinator.intake import Intake, Policy
from coordinator.kube.client import Kube, Source
from coordinator.kube.limiter import Limiter
from coordinator.kube.node_decoding import decode_node
from coordinator.kube.objects import NIC_CLUSTER_POLICY, NIC_NODE_POLICY, NODE, Ref
from coordinator.kube.recorder import EventRecorder
from coordinator.kube.reflector import Reflector
from coordinator.labels.labeller import Labeller
from coordinator.networks.definition import NAD
from coordinator.networks.watch import Networks, live_nodes
from coordinator.node_labels import NodeLabels
from coordinator.node_views import NodeViews
from coordinator.nodes import KubeNode
from coordinator.objects.apply import Applier
from coordinator.objects.index import ObjectIndex
from coordinator.objects.live import LiveObject
from coordinator.objects.render import Renderer
from coordinator.objects.served import ServedPolicy
from coordinator.openshift import OpenShiftFacts
from coordinator.plugin_resources import PluginResources
from coordinator.pod_looks import PodLooks
from coordinator.policy_status import PolicyStatusWriter
from coordinator.queue import WorkQueue
from coordinator.reconcile import Deps, Reconciler
from coordinator.registry.lookups import Lookups
from coordinator.settings import Settings
from coordinator.states.cluster import Cluster
from coordinator.surroundings import cluster_of, config_maps, images
from coordinator.verdicts.readiness import Level
from coordinator.verdicts.view import NodeView
from coordinator.world import Wishes
from nicfleet.inventory import NodeName
from nicfleet.names import NIC_LABEL, POLICY_NAME

log = logging.getLogger(__name__)

POLICY_DELAY: Final = 0.1
"""Seconds in which causes for a pass are merged into one."""

POLICY_DELAY_MOST: Final = 5.0
_REST: Final = 3.0
"""Times the cost of a pass: so much of the time at least is left to labels and agents."""

LABEL_WORKERS: Final = 16
"""As many as the limiter ever lets write at once."""


class Key(NamedTuple):
    """Something to look at: a Node's labels, a network, or all policies."""

    kind: str
    name: str = ""


_PASS: Final = Key("policies")


class Leader:
    """Owns every part that knows nodes, and its lifetime. It knows nothing, and keeps nothing, before it runs."""

    def __init__(self, kube: Kube, settings: Settings, random: Random) -> None:
        self._kube = kube
        self._settings = settings
        self._queue = WorkQueue[Key](random)
        self.fleet = Fleet(_now, self._node_changed)
        self._nodes = Reflector(kube, Source(NODE), decode_node, self._kube_node_changed, random)
        self._policies: Mapping[str, Reflector[Policy]] = {
            resource.kind: Reflector(
                kube, Source(resource), msgspec.json.decode, partial(self._policy_changed, resource.kind), random
            )
            for resource in (NIC_CLUSTER_POLICY, NIC_NODE_POLICY)
        }
        self._index = ObjectIndex(kube, self._object_changed, random)
        self._limiter = Limiter()
        self._applier = Applier(kube, self._index, self._limiter)
        self._events = EventRecorder(kube)
        self._networks = Networks(
            kube=kube,
            index=self._index,
            applier=self._applier,
            events=self._events,
            nodes=partial(live_nodes, self.fleet),
            settled=lambda: self.fleet.settled(_now()),
            ask=self._look_at_network,
            random=random,
        )
        self._wishes = Wishes(unknown=True)  # until a pass has looked at the policies
        self._findings = FindingLog()
        self._hardware: set[str] = set()  # nodes whose hardware changed since their labels were last looked at
        self._driver_pods = DriverPods(kube, settings.namespace, self._relabel)
        self._configuration_pods = ConfigurationPods(kube, settings.namespace, self._relabel)
        self._labels = NodeLabels(
            fleet=self.fleet,
            mode=settings.label_mode,
            wishes=lambda: self._wishes,
            driver_pod=self._driver_pods.on,
            configuration_pod=self._configuration_pods.on,
            clock=_now,
        )
        self._config_maps = ConfigMaps(kube, settings.namespace, self._reconcile_soon, random)
        self._openshift = OpenShiftFacts(kube, settings.driver_toolkit, self._reconcile_soon, random)
        self._registries = Lookups(
            kube, settings.namespace, settings.driver_image_poll_minutes, self._reconcile_soon, random
        )
        self._node_views = NodeViews(self._nodes, self._view_of)
        self._labeller = Labeller(kube, self._nodes, self._limiter, self._labels.change)
        self._reconciler = Reconciler(self._deps(settings))
        self.view = FleetView(self.fleet, _now, self._label_status, lambda *owner: self._reconciler.status(owner))

    async def run(self, *, policies: bool) -> None:
        """Work until cancelled; `policies` says whether `watch_policies` has to be run too."""
        async with asyncio.TaskGroup() as group:
            if policies:
                group.create_task(self.watch_policies())
            group.create_task(self._nodes.run())
            for part in (self._networks, self._config_maps, self._registries):
                group.create_task(part.run())
            group.create_task(self._index.run())
            group.create_task(self._queue.run(self._handle, LABEL_WORKERS))
            group.create_task(self._announce_sync())

    async def watch_policies(self) -> None:
        """Watch what the admission webhook is to know, and no node: these are few, and a standby watches them too."""
        async with asyncio.TaskGroup() as group:
            for reflector in self._policies.values():
                group.create_task(reflector.run())
            group.create_task(self._openshift.run())

    def unhealthy(self) -> str:
        """Why what is told of the cluster may not be so now; "" when it is."""
        if not self._kube.reachability.ok:
            return f"the API server does not answer: {self._kube.reachability.failure or 'not asked yet'}"
        behind = [r for r in self._reflectors() if not r.synced.is_set() or r.failing_since is not None]
        if behind:
            return f"watches are not in sync: {', '.join(sorted(r.source.resource.plural for r in behind))}"
        why = self._openshift.undetected()
        return f"it is not known whether this is OpenShift: {why}" if why else ""

    @property
    def known(self) -> Known:
        """What the admission webhook judges by. Without nodes it does not see which policies choose the same ones."""
        return Known(
            policies=lambda: Intake.of(policy for kind in self._policies.values() for policy in kind.values()).served,
            nodes=self._nodes.values,
            openshift=lambda: self._openshift.read() is not None,
        )

    def policy_ready(self) -> bool | None:
        """Whether nic-cluster-policy is; None when there is none, or nothing is known of it."""
        status = self._reconciler.status((NIC_CLUSTER_POLICY.kind, POLICY_NAME))
        return None if status is None else status.state == Level.READY

    # Who hears of what.

    def _node_changed(self, name: NodeName, hardware: bool) -> None:
        """The fleet knows something new of a node."""
        self._node_views.changed(name)
        if hardware:
            self._hardware.add(name)
        self._queue.add(Key("Node", name), urgent=hardware)
        self.view.changed(name)
        snapshot = self.fleet.snapshot(name)
        self._findings.tell(name, snapshot.findings if snapshot else ())
        if snapshot is None or _has_nic(snapshot):
            self._reconcile_soon()
            self._networks.nodes_changed()

    def _kube_node_changed(self, name: str, old: KubeNode | None, new: KubeNode | None) -> None:
        if new is None or (old is not None and old.uid != new.uid):
            self.fleet.node_gone(NodeName(name))
        if old is not None and (new is None or old.uid != new.uid):
            self._labeller.forget(old)
        self._node_views.changed(name)
        if new is not None:
            self.fleet.node_seen(new)

    def _policy_changed(self, kind: str, name: str, old: Policy | None, new: Policy | None) -> None:
        if old is not None and new is not None and _edition(old) == _edition(new):
            return
        if new is None and old is not None and _orphans(old):
            self._reconciler.orphaned((kind, name))  # its objects are to stay
        self._queue.add(_PASS)

    def _object_changed(self, ref: Ref, old: LiveObject | None, new: LiveObject | None) -> None:
        if ref.kind == NAD:
            self._networks.object_changed(ref, old, new)
        else:
            self._reconcile_soon()

    def _look_at_network(self, kind: str, name: str, delay: float) -> None:
        if delay:
            self._queue.add_later(Key(kind, name), delay)
        else:
            self._queue.add(Key(kind, name))

    def _reconcile_soon(self) -> None:
        self._queue.add_later(_PASS, min(max(POLICY_DELAY, _REST * self._reconciler.cost), POLICY_DELAY_MOST))

    def _wishes_known(self, wishes: Wishes) -> None:
        if wishes != self._wishes:
            self._wishes = wishes
            self._driver_pods.forget()  # what was seen of the pods was held against another driver
            self._relabel()

    def _relabel(self, nodes: Iterable[str] | None = None) -> None:
        """Look at the labels of these nodes, or of all."""
        for name in self._nodes if nodes is None else nodes:
            self._node_views.changed(name)
            self._queue.add(Key("Node", name))

    # Who does the work.

    async def _handle(self, key: Key) -> float | None:
        if key.kind == NODE.kind:
            return await self._sync_labels(key.name)
        if not self._in_sync():
            return POLICY_DELAY
        return await (self._reconciler.reconcile() if key == _PASS else self._networks.reconcile(*key))

    async def _sync_labels(self, name: str) -> float | None:
        node = self._nodes.get(name)
        if node is None or not self._nodes.synced.is_set():
            self._hardware.discard(name)
            return None
        self._node_views.changed(name)  # also when its time to report is over
        refused = self._labeller.refusals.of(name) is not None
        try:
            if await self._labeller.sync(name, urgent=name in self._hardware):
                self.view.changed(NodeName(name))
        finally:
            if refused != (self._labeller.refusals.of(name) is not None):
                self.view.changed(NodeName(name))
                self._reconcile_soon()
        self._hardware.discard(name)
        return self._labels.moves_in(node)

    async def _announce_sync(self) -> None:
        """Absence means nothing before every Node has been seen."""
        await self._nodes.synced.wait()
        self.fleet.nodes_synced()
        for policies in self._policies.values():
            await policies.synced.wait()
        count = sum(map(len, self._policies.values()))
        log.info("watches in sync", extra={"nodes": len(self._nodes), "policies": count})
        self._relabel()
        self._reconcile_soon()

    # What the parts ask.

    def _deps(self, settings: Settings) -> Deps:
        return Deps(
            policies=self._policies,
            views=self._node_views,
            index=self._index,
            fleet=self.fleet,
            applier=self._applier,
            writer=PolicyStatusWriter(
                self._kube, self._events, lambda kind, answer: self._policies[kind].learn(answer)
            ),
            driver_pods=self._driver_pods,
            configuration_pods=self._configuration_pods,
            looks=PodLooks(self._kube, self._uid_of),
            resources=PluginResources(),
            render=Renderer(settings.templates),
            cluster=self._cluster,
            label_refusals=self._labeller.refusals.of_all,
            on_wishes=self._wishes_known,
            clock=_now,
        )

    def _cluster(self, policies: Sequence[ServedPolicy]) -> Cluster:
        """What the states of these policies see of the cluster."""
        return replace(
            cluster_of(self._settings, self._openshift.read()),
            config_maps=self._config_maps.read(config_maps(policies)),
            driver_tags=self._registries.ask(images(policies)),
        )

    def _in_sync(self) -> bool:
        """Everything is known that there is, and what kind of cluster it is."""
        synced = (reflector.synced.is_set() for reflector in self._reflectors())
        return self._openshift.detected.is_set() and all(synced)

    def _reflectors(self) -> tuple[Reflector[Any], ...]:
        own: tuple[Reflector[Any], ...] = (self._nodes, *self._policies.values(), self._config_maps.reflector)
        return (*own, *self._networks.reflectors, *self._index.reflectors)

    def _view_of(self, node: KubeNode) -> NodeView:
        """With the labels that the Node is about to get: a pass decides by what is known."""
        snapshot = self.fleet.snapshot(NodeName(node.name))
        expected = self._labels.expected(node)
        return NodeView(expected, snapshot.facts, snapshot.live) if snapshot else NodeView(expected)

    def _uid_of(self, ref: Ref) -> str | None:
        live = self._index.get(ref)
        return live.uid if live is not None else None

    def _label_status(self, name: NodeName) -> LabelStatus | None:
        node = self._nodes.get(name)
        if node is None:
            return None
        status, refusal = self._labels.status(node), self._labeller.refusals.of(name)
        return status if refusal is None else replace(status, findings=(*status.findings, refusal))


def _edition(policy: Policy) -> tuple[str, int]:
    """Two of one generation may still be two: deleted and made anew while a watch was away."""
    return policy["metadata"]["uid"], policy["metadata"]["generation"]


def _orphans(policy: Policy) -> bool:
    """It is being deleted with `--cascade=orphan`."""
    return "orphan" in (policy["metadata"].get("finalizers") or ())


def _has_nic(snapshot: Snapshot) -> bool:
    """It has one, or is said to: other nodes cause no passes."""
    reported = snapshot.facts is not None and snapshot.facts.functions > 0
    return reported or (snapshot.node is not None and NIC_LABEL in snapshot.node.labels)


def _now() -> datetime:
    return datetime.now(UTC)
