"""Kubernetes Events: what happened to an object, once.

The name follows from the object, the part of it concerned, the reason and the generation, so telling it again, also
after a restart, is an AlreadyExists and not a second Event.
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from coordinator.kube.client import Kube
from coordinator.kube.errors import Conflict, KubeError
from coordinator.kube.objects import Obj

log = logging.getLogger(__name__)

COMPONENT: Final = "nicfleet-coordinator"
_MOST_REMEMBERED: Final = 1000
_LONGEST_MESSAGE: Final = 1024  # the API server refuses more


@dataclass(frozen=True, slots=True)
class Regarding:
    """The object an Event is about."""

    api_version: str
    kind: str
    name: str
    uid: str
    generation: int = 0
    namespace: str = ""


class EventRecorder:
    """Records Events. A failure is logged and harms nothing else."""

    def __init__(self, kube: Kube, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._kube = kube
        self._clock = clock
        self._told: OrderedDict[str, None] = OrderedDict()

    async def record(
        self, regarding: Regarding, subject: str, reason: str, message: str, kind: Literal["Normal", "Warning"]
    ) -> None:
        """`subject` is the part of the object that it is about; with the reason it makes the Event's identity."""
        event = event_of(regarding, subject, reason, message, kind, self._clock())
        name = event["metadata"]["name"]
        if name in self._told:
            return
        try:
            await self._kube.create_event(event)
        except Conflict:
            pass  # told before a restart
        except KubeError as error:
            log.warning("event not recorded", extra={"reason": reason, "object": regarding.name, "error": str(error)})
            return
        self._told[name] = None
        if len(self._told) > _MOST_REMEMBERED:
            self._told.popitem(last=False)


def event_of(
    regarding: Regarding, subject: str, reason: str, message: str, kind: Literal["Normal", "Warning"], now: datetime
) -> Obj:
    """The Event object. About a cluster-scoped object it lives in `default`: the API server accepts no other."""
    identity = f"{regarding.uid}/{subject}/{reason}/{regarding.generation}"
    time = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    involved = {
        "apiVersion": regarding.api_version,
        "kind": regarding.kind,
        "name": regarding.name,
        "uid": regarding.uid,
    }
    if regarding.namespace:
        involved["namespace"] = regarding.namespace
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{regarding.name[:200]}.{hashlib.sha256(identity.encode()).hexdigest()[:16]}",
            "namespace": regarding.namespace or "default",
        },
        "involvedObject": involved,
        "reason": reason,
        "message": message[:_LONGEST_MESSAGE],
        "type": kind,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": COMPONENT,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }
