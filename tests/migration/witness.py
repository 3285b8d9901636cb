"""A witness: sees every version of Nodes, DaemonSets and Pods that there ever was, as the watches of the API server
tell them."""

import http.client
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from tests.controlplane.cluster import ControlPlane

WATCHED: Final = {"Node": "/api/v1/nodes", "DaemonSet": "/apis/apps/v1/daemonsets", "Pod": "/api/v1/pods"}

_QUERY: Final = "watch=1&allowWatchBookmarks=1&timeoutSeconds=2"


@dataclass(frozen=True, slots=True)
class Seen:
    """One event: `how` is ADDED, MODIFIED or DELETED."""

    kind: str
    how: str
    body: dict[str, Any]

    @property
    def name(self) -> str:
        name: str = self.body["metadata"]["name"]
        return name

    @property
    def uid(self) -> str:
        uid: str = self.body["metadata"]["uid"]
        return uid

    @property
    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = self.body["metadata"].get("labels", {})
        return labels

    @property
    def ends(self) -> bool:
        """It goes, or is asked to."""
        return self.how == "DELETED" or "deletionTimestamp" in self.body["metadata"]

    def __str__(self) -> str:
        return f"{self.how} {self.kind} {self.name}"


class Witness:
    """A context manager: it looks on until the block ends, and tells what it saw afterwards."""

    def __init__(self, plane: ControlPlane) -> None:
        config = json.loads(plane.kubeconfig.read_text())
        self._token = config["users"][0]["user"]["token"]
        self._host = plane.url.removeprefix("https://")
        self._trust = ssl.create_default_context(cafile=plane.ca)
        self._seen: list[Seen] = []
        self._broken: list[str] = []
        self._done = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        for kind, path in WATCHED.items():
            version = self._get(path)["metadata"]["resourceVersion"]
            thread = threading.Thread(target=self._look_on, args=(kind, path, version), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join(timeout=90)
            assert not thread.is_alive(), "the witness has not told all"
        assert not self._broken, f"the witness was blind for a while: {self._broken}"

    def of(self, kind: str) -> Iterator[Seen]:
        """What was seen of a kind, in its order."""
        return (each for each in self._seen if each.kind == kind)

    def _look_on(self, kind: str, path: str, version: str) -> None:
        """Watches of a few seconds each, one after another: the next begins where the last one ended."""
        try:
            while True:
                # The last one begins after the block has ended, and tells all that happened in it.
                last = self._done.is_set()
                for line in self._watch(f"{path}?{_QUERY}&resourceVersion={version}"):
                    event = json.loads(line)
                    assert event["type"] != "ERROR", line
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        self._seen.append(Seen(kind, event["type"], event["object"]))
                if last:
                    return
        except Exception as error:  # whatever it is, the test has to know of it
            self._broken.append(f"{kind}: {error!r}")

    def _watch(self, path: str) -> Iterator[bytes]:
        connection, answer = self._ask(path)
        try:
            yield from answer
        finally:
            connection.close()

    def _get(self, path: str) -> Any:
        connection, answer = self._ask(path)
        try:
            return json.loads(answer.read())
        finally:
            connection.close()

    def _ask(self, path: str) -> tuple[http.client.HTTPSConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPSConnection(self._host, timeout=30, context=self._trust)
        connection.request("GET", path, headers={"Authorization": f"Bearer {self._token}"})
        answer = connection.getresponse()
        assert answer.status == http.client.OK, (path, answer.status)
        return connection, answer
