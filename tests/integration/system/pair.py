"""Two coordinators of one cluster, and what each of them wrote."""

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from coordinator.leadership.lease import NAME
from nicfleet import names
from tests.controlplane.cluster import ControlPlane
from tests.integration.system.api import Api, Missing
from tests.integration.system.processes import Coordinator
from tests.integration.system.product import account, delete_all
from tests.integration.system.simulated import SimulatedAgents
from tests.integration.system.waiting import eventually

LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{names.DEFAULT_NAMESPACE}/leases/{NAME}"
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_REVIEWS = ("authentication.k8s.io", "authorization.k8s.io")
_CREDENTIAL = "authentication.kubernetes.io/credential-id"


class Written(NamedTuple):
    """A request that changed something. `at` in seconds since 1970, when the API server got it."""

    at: float
    verb: str
    resource: str
    name: str


class One(Coordinator):
    """One of two, told apart by its token."""

    def __init__(self, name: str, plane: ControlPlane, kubeconfig: Path, folder: Path) -> None:
        folder.mkdir()
        super().__init__(kubeconfig, folder, "--leader-elect", f"--pod-name={name}")
        self.name = name
        self._plane = plane
        token = json.loads(kubeconfig.read_text())["users"][0]["user"]["token"]
        payload = token.split(".")[1]
        self._credential = "JTI=" + json.loads(base64.urlsafe_b64decode(payload + "=="))["jti"]

    @property
    def leads(self) -> bool:
        return self.role == "ok, leads"

    def writes(self) -> list[Written]:
        """All but those to the Lease, oldest first."""
        return sorted(self._written(leases=False))

    def claims(self) -> list[Written]:
        """Those to the Lease."""
        return sorted(self._written(leases=True))

    def _written(self, *, leases: bool) -> Iterator[Written]:
        for event in self._plane.audit():
            user, target = event["user"], event.get("objectRef", {})
            mine = self._credential in user.get("extra", {}).get(_CREDENTIAL, ())
            if not mine or event["verb"] not in _WRITES or target.get("apiGroup") in _REVIEWS:
                continue
            done = 200 <= event.get("responseStatus", {}).get("code", 0) < 300
            if done and (target["resource"] == "leases") is leases:
                at = datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp()
                yield Written(at, event["verb"], target["resource"], target.get("name", ""))


class Pair:
    """Two coordinators and their agents, which know both by one name. `remove` them in the end."""

    def __init__(self, plane: ControlPlane, folder: Path, first: Path, second: Path) -> None:
        """`first` and `second` are their kubeconfigs."""
        self.plane = plane
        self.api = Api(plane)
        self.first = One("first", plane, first, folder / "first")
        self.second = One("second", plane, second, folder / "second")
        # As the headless Service's name: every address, of which gRPC takes any.
        both = f"ipv4:{self.first.address},{self.second.address}"
        self.agents = SimulatedAgents(lambda: both)

    def start(self) -> None:
        """The first one leads."""
        self.first.start()
        eventually(lambda: self.first.leads)
        self.second.start()

    def remove(self) -> None:
        """Kill both, and delete all that there is but what `install` made."""
        self.agents.close()
        for one in (self.first, self.second):
            one.kill()
        with suppress(Missing):
            self.api.delete(LEASE)
        delete_all(self.api)
        self.api.close()

    def holder(self) -> str:
        """The Pod that the Lease names."""
        spec: dict[str, Any] = self.api.get(LEASE)["spec"]
        return str(spec["holderIdentity"]).rpartition("_")[0]


def own_account(plane: ControlPlane, folder: Path, name: str) -> Path:
    """The same account, by a token of its own."""
    path = folder / f"{name}.kubeconfig"
    path.write_text(account(plane).read_text())
    return path
