"""What the Pods of an incomplete workload say. Pods are not watched, and not listed more often than they are worth."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from coordinator.kube.client import Kube, Source
from coordinator.kube.errors import REFUSALS
from coordinator.kube.objects import CONTROLLER_REVISION, Ref
from coordinator.kube.pods import latest_refusal
from coordinator.objects import revisions
from coordinator.workloads import Pod, Workload
from coordinator.world import Detail

log = logging.getLogger(__name__)

LEAST_SECONDS: Final = 0.2
PODS_PER_SECOND: Final = 500
"""A list of ten thousand Pods is good for twenty seconds: what is said of them changes slowly, and each costs 35 µs."""


class PodLooks:
    """The latest look at each workload, taken anew when it is too old. What the API server refuses to tell is left out;
    raises KubeError for what a retry may cure."""

    def __init__(self, kube: Kube, uid: Callable[[Ref], str | None]) -> None:
        """`uid` answers with an object's uid, None when it is not there."""
        self._kube = kube
        self._uid = uid
        self._good_until: dict[Ref, tuple[float, Detail]] = {}

    async def look(self, ref: Ref, workload: Workload) -> Detail:
        """The Pods and, where some are missing, the latest refusal: no Pod and no condition tells of those."""
        now = time.monotonic()
        self._good_until = {key: taken for key, taken in self._good_until.items() if taken[0] > now}
        if ref in self._good_until:
            return self._good_until[ref][1]
        try:
            detail = await self._detail(ref, workload)
        except REFUSALS as error:
            log.warning("pods not seen", extra={"object": str(ref), "error": str(error)})
            detail = Detail()
        self._good_until[ref] = time.monotonic() + LEAST_SECONDS + len(detail.pods) / PODS_PER_SECOND, detail
        return detail

    async def _detail(self, ref: Ref, workload: Workload) -> Detail:
        selector = ",".join(f"{key}={value}" for key, value in sorted(workload.selector.items()))
        pods = await self._kube.pods(ref.namespace, selector)
        if workload.on_delete and any(pod.template_generation != workload.template_generation for pod in pods):
            pods = revisions.as_current(pods, workload.template_generation, await self._alike(ref.namespace, selector))
        return Detail(pods, await self._refusal(ref, workload, pods))

    async def _alike(self, namespace: str, selector: str) -> frozenset[str]:
        """The revisions of this workload whose Pods would not be others if they were replaced."""
        source = Source(CONTROLLER_REVISION, namespace, selector)
        items = [item async for page in self._kube.pages(source) for item in page.items or ()]
        return revisions.alike(items)

    async def _refusal(self, ref: Ref, workload: Workload, pods: tuple[Pod, ...]) -> str:
        uid = self._uid(ref)
        if uid is None or len(pods) >= workload.desired:
            return ""
        events = await self._kube.events(ref.namespace, f"involvedObject.uid={uid}")
        return latest_refusal(events, pods, datetime.now(UTC))
