"""What is new of a network, by a log line and an Event."""

import logging
from typing import Literal

from coordinator.kube.recorder import EventRecorder, Regarding
from coordinator.networks.kinds import Document
from nicfleet.reasons import Finding, Reason

log = logging.getLogger(__name__)


class Announcer:
    """Tells of findings about networks."""

    def __init__(self, events: EventRecorder) -> None:
        self._events = events

    async def announce(self, document: Document, subject: str, finding: Finding) -> None:
        """`subject` is the part of the network that it is about."""
        metadata = document["metadata"]
        said = {"network": f"{document['kind']} {metadata['name']}", "reason": finding.reason, "why": finding.message}
        harmless = finding.reason is Reason.NvIpamRecommended
        log.log(logging.INFO if harmless else logging.WARNING, "network finding", extra=said)
        regarding = Regarding(
            document["apiVersion"], document["kind"], metadata["name"], metadata["uid"], metadata["generation"]
        )
        kind: Literal["Normal", "Warning"] = "Normal" if harmless else "Warning"
        await self._events.record(regarding, subject, finding.reason, finding.message, kind)
