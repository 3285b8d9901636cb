"""Which nodes still have a pod of the NIC configuration's daemon after the last policy that asked for one.

While one asks, the daemon speaks for itself and nobody looks: see `coordinator.labels.configuration_wait`.
"""

import logging
from collections.abc import Callable, Iterable

from coordinator.kube.client import Kube
from coordinator.kube.errors import REFUSALS
from coordinator.labels.configuration_wait import ConfigurationPod
from nicfleet.names import NIC_CONFIGURATION_DAEMON_LABEL

log = logging.getLogger(__name__)


class ConfigurationPods:
    """The daemon's pod of each node. `on_change(nodes)` hears of every difference; of the first look, with None, that
    something is known of all."""

    def __init__(self, kube: Kube, namespace: str, on_change: Callable[[Iterable[str] | None], None]) -> None:
        self._kube = kube
        self._namespace = namespace
        self._on_change = on_change
        self._seen: frozenset[str] | None = None

    def on(self, node: str) -> ConfigurationPod:
        """The daemon's pod on this node."""
        if self._seen is None:
            return ConfigurationPod.UNKNOWN
        return ConfigurationPod.PRESENT if node in self._seen else ConfigurationPod.NONE

    async def update(self, *, asked: bool) -> bool:
        """Look for pods that still terminate when nobody asks for the daemon: True while there are some, so that
        somebody looks again."""
        if asked:
            self._seen = None
        elif self._seen is None or self._seen:
            await self._look()
        return bool(self._seen)

    async def _look(self) -> None:
        try:
            pods = await self._kube.pods(self._namespace, NIC_CONFIGURATION_DAEMON_LABEL)
        except REFUSALS as error:
            log.warning("pods of the NIC configuration's daemon not seen", extra={"error": str(error)})
            return
        before, self._seen = self._seen, frozenset(pod.node for pod in pods if pod.node)
        if before is None:
            self._on_change(None)
        elif changed := before ^ self._seen:
            self._on_change(changed)
