"""Watches on the API server by way of kubectl, each in a thread of its own."""

import json
import subprocess
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self

from tests.controlplane.cluster import ControlPlane

OnEvent = Callable[[str, Mapping[str, Any]], None]
"""Type of the event (ADDED, MODIFIED, DELETED) and the object; called in the watch's thread."""


_A_DAY: Final = 86400
"""Seconds. Left to itself, the API server ends a watch after half an hour to an hour."""


class Watch:
    """Every object of a collection once, then each change, for as long as the context lasts."""

    def __init__(self, cluster: ControlPlane, collection: str, on_event: OnEvent) -> None:
        """`collection` is the URL path, with a selector as query if one is wanted."""
        separator = "&" if "?" in collection else "?"
        uri = f"{collection}{separator}watch=true&timeoutSeconds={_A_DAY}"
        self._command = [str(cluster.kubectl_path), f"--kubeconfig={cluster.kubeconfig}", "get", "--raw", uri]
        self._on_event = on_event
        self._thread = threading.Thread(target=self._follow, name=f"watch {collection}")

    def __enter__(self) -> Self:
        self._kubectl = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kubectl.kill()
        self._kubectl.wait()
        self._thread.join()

    def _follow(self) -> None:
        assert self._kubectl.stdout is not None
        with self._kubectl.stdout as lines:
            for line in lines:
                event = json.loads(line)
                self._on_event(event["type"], event["object"])
