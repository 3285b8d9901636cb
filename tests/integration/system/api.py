"""The API server as its administrator sees it, over one connection: kubectl takes a fifth of a second for each look.

What a user does, the tests do with kubectl; what they only look at, they look at with this.
"""

import http.client
import json
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from nicfleet import names
from tests.controlplane.cluster import ControlPlane

_GROUP = f"/apis/{names.API_GROUP}/{names.API_VERSION}"
POLICIES = f"{_GROUP}/nicclusterpolicies"
NODE_POLICIES = f"{_GROUP}/nicnodepolicies"
NODES = "/api/v1/nodes"
WORKLOADS = f"/apis/apps/v1/namespaces/{names.DEFAULT_NAMESPACE}"

JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class ApiError(AssertionError):
    """The API server answered with an error."""


class Missing(ApiError, LookupError):
    """There is no such object."""


class Api:
    """Requests as administrator."""

    def __init__(self, plane: ControlPlane) -> None:
        config = json.loads(plane.kubeconfig.read_text())
        self._token = config["users"][0]["user"]["token"]
        self._host = plane.url.removeprefix("https://")
        self._trust = ssl.create_default_context(cafile=plane.ca)
        self._connection = self._connect()

    def close(self) -> None:
        self._connection.close()

    def get(self, path: str) -> Any:
        return self._request("GET", path)

    def items(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(path)["items"]
        return found

    def delete(self, path: str) -> None:
        self._request("DELETE", path)

    def patch(self, path: str, body: Any, content_type: str) -> Any:
        return self._request("PATCH", path, body, content_type)

    def apply_labels(self, node: str, labels: Mapping[str, str], manager: str) -> None:
        """Server-side apply of a Node's labels under a field manager."""
        body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node, "labels": dict(labels)}}
        self.patch(f"{NODES}/{node}?fieldManager={manager}&force=true", body, APPLY_PATCH)

    # What the tests look at.

    def labels(self, node: str) -> dict[str, str]:
        """All labels of a Node."""
        found: dict[str, str] = self.get(f"{NODES}/{node}")["metadata"]["labels"]
        return found

    # Of a policy: the NicClusterPolicy that is served, another one, or with `of=NODE_POLICIES` a NicNodePolicy.

    def policy(self, name: str = names.POLICY_NAME, of: str = POLICIES) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"{of}/{name}")
        return found

    def status(self, name: str = names.POLICY_NAME, of: str = POLICIES) -> dict[str, Any]:
        """Empty before the first verdict."""
        found: dict[str, Any] = self.policy(name, of).get("status", {})
        return found

    def condition(self, kind: str, name: str = names.POLICY_NAME, of: str = POLICIES) -> dict[str, Any]:
        """Raises LookupError while there is none of this type."""
        by_type = {condition["type"]: condition for condition in self.status(name, of).get("conditions", ())}
        found: dict[str, Any] = by_type[kind]
        return found

    def state(self, state: str, name: str = names.POLICY_NAME, of: str = POLICIES) -> dict[str, str]:
        """An entry of `status.appliedStates`. Raises LookupError while there is none."""
        entries = self.status(name, of).get("appliedStates", ())
        by_name: dict[str, dict[str, str]] = {entry["name"]: entry for entry in entries}
        return by_name[state]

    def daemonset(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"{WORKLOADS}/daemonsets/{name}")
        return found

    def told(self, reason: str) -> str:
        """The messages of all Events about policies with this reason, a line each."""
        about = "involvedObject.kind=NicClusterPolicy"
        found = self.items(f"/api/v1/namespaces/default/events?fieldSelector={about},reason={reason}")
        return "\n".join(event["message"] for event in found)

    def _request(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": content_type}
        payload = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, path, payload, headers)
            answer = self._connection.getresponse()
        except (http.client.HTTPException, OSError):  # the server was restarted since the last request
            self._connection.close()
            self._connection = self._connect()
            self._connection.request(method, path, payload, headers)
            answer = self._connection.getresponse()
        text = answer.read()
        if answer.status == HTTPStatus.NOT_FOUND:
            raise Missing(f"{method} {path}: not found")
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise ApiError(f"{method} {path}: {answer.status} {text.decode(errors='replace')}")
        return json.loads(text)

    def _connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._host, timeout=30, context=self._trust)
