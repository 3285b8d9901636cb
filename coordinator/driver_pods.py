"""Which nodes have a driver pod, and whether it is ready: upstream's evidence, used where no live agent can say.

Pods are not watched. A driver DaemonSet that is rolled out needs no look, but for tainted nodes while it has Pods that
it does not count; otherwise a pass has listed its Pods anyway.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from coordinator.kube.client import Kube
from coordinator.kube.errors import REFUSALS
from coordinator.labels.wait import DriverPod
from coordinator.verdicts.view import LiveWorkload, StateView
from coordinator.workloads import Pod
from nicfleet.names import OFED_DRIVER_LABEL

log = logging.getLogger(__name__)

_CONTAINER: Final = "mofed-container"


class DriverPods:
    """The driver pod of each node. `on_change(nodes)` hears of every difference; of the first look, with None, that
    something is known of all."""

    def __init__(self, kube: Kube, namespace: str, on_change: Callable[[Iterable[str] | None], None]) -> None:
        self._kube = kube
        self._namespace = namespace
        self._on_change = on_change
        self._seen: Mapping[str, DriverPod] | None = None

    def on(self, node: str) -> DriverPod:
        """The driver pod of this node."""
        return DriverPod.UNKNOWN if self._seen is None else self._seen.get(node, DriverPod.NONE)

    def forget(self) -> None:
        """Another driver is asked for: what was seen of the pods was held against the one before."""
        self._seen = None

    async def update(self, views: Iterable[StateView], *, asked: bool) -> bool:
        """Take in what a pass saw. When no driver is asked for, pods that still terminate are looked for: True while
        there are some, so that somebody looks again."""
        drivers = [view for view in views if view.driver]
        if asked and (not drivers or any(view.problem for view in drivers)):
            return False  # the policy cannot be carried out as it is, so what is there was not looked at
        if asked:
            workloads = [workload for view in drivers for workload in view.workloads]
            pods = await self._look() if any(map(_may_have_more, workloads)) else ()
            self._learn(_of(workloads, pods))
            return False
        if (self._seen is None or self._seen) and (pods := await self._look()) is not None:
            self._learn(_by_node(pods, current=""))
        return bool(self._seen)

    async def _look(self) -> tuple[Pod, ...] | None:
        """All driver pods; None when the API server does not tell."""
        try:
            return await self._kube.pods(self._namespace, OFED_DRIVER_LABEL)
        except REFUSALS as error:
            log.warning("driver pods not seen", extra={"error": str(error)})
            return None

    def _learn(self, seen: Mapping[str, DriverPod]) -> None:
        before, self._seen = self._seen, seen
        if before is None:
            self._on_change(None)
        elif changed := {node for node in before.keys() | seen.keys() if before.get(node) is not seen.get(node)}:
            self._on_change(changed)


def _of(workloads: Iterable[LiveWorkload], others: tuple[Pod, ...] | None) -> dict[str, DriverPod]:
    """`others` are all driver pods, if there may be some on nodes that a taint took; None: they are not known."""
    seen: dict[str, DriverPod] = {}
    for workload in workloads:
        placement, live = workload.placement, workload.live
        if live is not None and workload.rolled_out:
            # Its controller does not count them, and their pods may run all the same.
            seen |= dict.fromkeys(placement.away, DriverPod.UNKNOWN)
            if others is None and _may_have_more(workload):
                seen |= dict.fromkeys(placement.tainted, DriverPod.UNKNOWN)
            elif others:
                there = (pod for pod in others if pod.node in placement.tainted)
                seen |= _by_node(there, live.template_generation)
            seen |= dict.fromkeys(placement.admitted, DriverPod.READY)
        elif live is not None:
            seen |= _by_node(workload.pods, live.template_generation)
    return seen


def _may_have_more(workload: LiveWorkload) -> bool:
    """Whether Pods of a rolled out DaemonSet may be on nodes that a taint keeps new ones off: it has some that it would
    not put there now, or has not counted anew since."""
    placement, live = workload.placement, workload.live
    if live is None or not placement.tainted or not workload.rolled_out:
        return False
    return live.misscheduled > 0 or live.desired != len(placement.admitted)


def _by_node(pods: Iterable[Pod], current: str) -> dict[str, DriverPod]:
    """Of two pods on one node (one going, one coming) the driver is ready when either is."""
    seen: dict[str, DriverPod] = {}
    for pod in pods:
        if pod.node and seen.get(pod.node) is not DriverPod.READY:
            seen[pod.node] = _state(pod, current)
    return seen


def _state(pod: Pod, current: str) -> DriverPod:
    if pod.deleting or not any(c.name == _CONTAINER and c.ready for c in pod.containers):
        return DriverPod.NOT_READY
    return DriverPod.READY if pod.template_generation == current else DriverPod.OUTDATED
