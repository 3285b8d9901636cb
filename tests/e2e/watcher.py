"""Watches the labels of all Nodes from beside the product, and proves that it missed nothing."""

import json
import subprocess
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from nicfleet import names
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.errors import ControlPlaneError
from tests.e2e.node import eventually

SECONDS: Final = 30.0
MARK: Final = "nicfleet-e2e-watch"
"""A label that is none of the product's."""


@dataclass(frozen=True, slots=True)
class Event:
    """One of a watch: of which Node, at which resourceVersion, and its labels then, none once it is deleted."""

    kind: str
    node: str
    version: str
    labels: Mapping[str, str]

    @property
    def ours(self) -> dict[str, str]:
        """The labels on nicfleet's list."""
        return {key: value for key, value in sorted(self.labels.items()) if names.may_be_written(key)}


class LabelWatch:
    """`kubectl get nodes --watch` from now on. A context manager."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        folder.mkdir()
        self._plane = plane
        self._output = folder / "events.json"
        self._errors = folder / "errors.txt"

    def __enter__(self) -> Self:
        command = [str(self._plane.kubectl_path), f"--kubeconfig={self._plane.kubeconfig}", "get", "nodes"]
        command += ["--watch", "--output-watch-events", "--output=json"]
        with self._output.open("w") as output, self._errors.open("w") as errors:
            self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        try:
            self._wait(lambda: self._events() != [], "the watch's first event")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.wait()

    def seen(self, node: str) -> list[Event]:
        """Every event of a Node until now, two at least. Raises ControlPlaneError when that cannot be said.

        One kubectl has one watch, which tells all changes in their order or ends. So it lacks none before the last
        one, which is made here.
        """
        mark = uuid.uuid4().hex
        self._plane.kubectl("label", "node", node, f"{MARK}={mark}", "--overwrite")

        def until_now() -> list[Event]:
            events = [event for event in self._events() if event.node == node]
            ends = [count for count, event in enumerate(events, 1) if event.labels.get(MARK) == mark]
            return events[: ends[0]] if ends else []

        self._wait(lambda: until_now() != [], f"the event of Node {node} with {MARK}={mark}")
        return until_now()

    def _wait(self, holds: Callable[[], bool], what: str) -> None:
        def holds_now() -> bool:
            ended = self._child.poll()  # first: what it wrote before it ended counts
            if holds():
                return True
            if ended is not None:
                raise ControlPlaneError(f"the watch ended before {what}: {self._errors.read_text().strip()}")
            return False

        eventually(holds_now, SECONDS, what)

    def _events(self) -> list[Event]:
        return list(events(self._output.read_text()))


def events(stream: str) -> Iterator[Event]:
    """What kubectl printed so far. Raises ControlPlaneError for anything but events of Nodes."""
    for document in _documents(stream):
        found = document.get("object", {})
        if found.get("kind") != "Node":
            raise ControlPlaneError(f"the watch told: {json.dumps(document)[:500]}")
        metadata = found["metadata"]
        labels = {} if document["type"] == "DELETED" else metadata.get("labels", {})
        yield Event(document["type"], metadata["name"], metadata["resourceVersion"], labels)


def lacking(seen: Sequence[Event], keys: Collection[str]) -> list[str]:
    """Which events lack some of these labels: a sentence for each."""
    return [
        f"{event.kind} of {event.node} at {event.version} is without {', '.join(missing)}"
        for event in seen
        if (missing := sorted(set(keys) - event.labels.keys()))
    ]


def told(seen: Sequence[Event]) -> str:
    """Events for a person who reads the log: of labels on nicfleet's list, those that differ from the event before."""
    lines = []
    before: dict[str, str] = {}
    for count, event in enumerate(seen):
        now = event.ours
        changes = [f"{key}={value}" for key, value in now.items() if before.get(key) != value]
        changes += [f"without {key}" for key in before if key not in now]
        what = "; ".join(changes) if count else ""
        lines.append(f"  {event.version:>6} {event.kind:8} {len(now)} labels {what}".rstrip())
        before = now
    return "\n".join(lines)


def _documents(text: str) -> Iterator[dict[str, Any]]:
    """Whole JSON documents, one after the other; the last one may still be on its way."""
    decoder = json.JSONDecoder()
    rest = text.lstrip()
    while rest:
        try:
            document, end = decoder.raw_decode(rest)
        except json.JSONDecodeError:
            return
        yield document
        rest = rest[end:].lstrip()
