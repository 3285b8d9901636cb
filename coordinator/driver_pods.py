"""Which nodes have a driver pod, and whether it is ready: upstream's evidence, used where no live agent can say.

Pods are not watched. A driver DaemonSet that is rolled out needs no look; otherwise a pass has listed its Pods anyway.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from coordinator.kube.client import Kube
from coordinator.verdicts.view import LiveWorkload, StateView
from coordinator.workloads import Pod
from nicfleet.names import OFED_DRIVER_LABEL

_CONTAINER: Final = "mofed-container"


class DriverPods:
    """Node to "its driver pod is ready"; absent: none is there. `on_change(nodes)` hears of every difference."""

    def __init__(self, kube: Kube, namespace: str, on_change: Callable[[Iterable[str]], None]) -> None:
        self._kube = kube
        self._namespace = namespace
        self._on_change = on_change
        self._ready: Mapping[str, bool] | None = None

    def ready(self, node: str) -> bool | None:
        """None when the node has no driver pod, or nothing is known yet."""
        return (self._ready or {}).get(node)

    async def update(self, views: Iterable[StateView], *, asked: bool) -> None:
        """Take in what a pass saw. When no driver is asked for, pods that still terminate are looked for."""
        workloads = [workload for view in views if view.driver for workload in view.workloads]
        if asked:
            current = {node: ready for workload in workloads for node, ready in _of(workload).items()}
        elif self._ready is None or self._ready:
            current = _by_node(await self._kube.pods(self._namespace, OFED_DRIVER_LABEL))
        else:
            return
        before, self._ready = self._ready or {}, current
        changed = {node for node in before.keys() | current.keys() if before.get(node) != current.get(node)}
        if changed:
            self._on_change(changed)


def _of(workload: LiveWorkload) -> dict[str, bool]:
    if workload.rolled_out:
        return dict.fromkeys(workload.placement.admitted, True)
    return _by_node(workload.pods)


def _by_node(pods: Iterable[Pod]) -> dict[str, bool]:
    """Of two pods on one node (one going, one coming) the driver is ready when either is."""
    ready: dict[str, bool] = {}
    for pod in pods:
        if pod.node:
            here = any(c.name == _CONTAINER and c.ready for c in pod.containers) and not pod.deleting
            ready[pod.node] = ready.get(pod.node, False) or here
    return ready
