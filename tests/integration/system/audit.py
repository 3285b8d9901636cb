"""What the coordinator wrote, as the API server's audit log tells it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from nicfleet import names
from tests.controlplane.cluster import ControlPlane

COORDINATOR = f"system:serviceaccount:{names.DEFAULT_NAMESPACE}:nicfleet-coordinator"
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_NO_WRITES = ("events", "leases", "selfsubjectreviews")
"""The last is a question, although it is posted."""


class Write(NamedTuple):
    """One request that changed something."""

    verb: str
    resource: str
    """Plural, with the subresource after a slash."""
    name: str


class Audit:
    """The coordinator's requests since a mark; the first one is where this begins."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self.mark()

    def mark(self) -> None:
        """Forget what was asked for until now, whenever the log tells of it."""
        self._mark = datetime.now(UTC)

    def writes(self) -> list[Write]:
        """The writes that succeeded since the mark; Events and the Lease are not among them."""
        return [write for event in self._requests() if (write := _write(event)) is not None]

    def objects(self) -> list[Write]:
        """The writes to objects that a policy makes."""
        return [write for write in self.writes() if write.resource not in ("nodes", "nicclusterpolicies/status")]

    def labels(self) -> list[Write]:
        """The writes to Nodes."""
        return [write for write in self.writes() if write.resource == "nodes"]

    def _requests(self) -> Iterator[dict[str, Any]]:
        events = (event for event in self._plane.audit() if event["user"]["username"] == COORDINATOR)
        return (event for event in events if datetime.fromisoformat(event["requestReceivedTimestamp"]) > self._mark)


def _write(event: dict[str, Any]) -> Write | None:
    target, code = event.get("objectRef", {}), event.get("responseStatus", {}).get("code", 0)
    if event["verb"] not in _WRITES or target.get("resource") in _NO_WRITES or not 200 <= code < 300:
        return None
    subresource = f"/{target['subresource']}" if "subresource" in target else ""
    return Write(event["verb"], target["resource"] + subresource, target.get("name", ""))
