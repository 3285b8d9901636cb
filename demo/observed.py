"""What the API server shows, kept up to date by watches, and a way to wait until it shows something."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from demo.watch import Watch
from nicfleet import names
from tests.controlplane.cluster import ControlPlane

_NODES = "/api/v1/nodes"
_POLICIES = f"/apis/{names.API_GROUP}/{names.API_VERSION}/nicclusterpolicies"


class Observed:
    """Labels by Node, and the policy. Watches write, the main thread reads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._labels: dict[str, Mapping[str, str]] = {}
        self._policy: Mapping[str, Any] = {}

    @contextmanager
    def following(self, cluster: ControlPlane) -> Iterator[None]:
        """Follow the API server for as long as the context lasts."""
        with ExitStack() as watches:
            watches.enter_context(Watch(cluster, _NODES, self._on_node))
            watches.enter_context(Watch(cluster, _POLICIES, self._on_policy))
            yield

    @property
    def labels(self) -> Mapping[str, Mapping[str, str]]:
        with self._changed:
            return dict(self._labels)

    @property
    def policy(self) -> Mapping[str, Any]:
        """Empty while there is none."""
        with self._changed:
            return self._policy

    def wait_until(self, holds: Callable[[], bool], timeout_seconds: float) -> bool:
        """Wait, and say whether it came true. `holds` may ask for labels and policy."""
        with self._changed:
            return self._changed.wait_for(holds, timeout_seconds)

    def _on_node(self, kind: str, node: Mapping[str, Any]) -> None:
        name = node["metadata"]["name"]
        with self._changed:
            if kind == "DELETED":
                self._labels.pop(name, None)
            else:
                self._labels[name] = node["metadata"]["labels"]
            self._changed.notify_all()

    def _on_policy(self, kind: str, policy: Mapping[str, Any]) -> None:
        with self._changed:
            if policy["metadata"]["name"] == names.POLICY_NAME:
                self._policy = {} if kind == "DELETED" else policy
            self._changed.notify_all()
