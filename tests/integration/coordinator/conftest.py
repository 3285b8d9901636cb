"""The coordinator's client and caches against the real API server, as its own ServiceAccount."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from coordinator.kube.client import Kube
from coordinator.kube.limiter import Limiter
from coordinator.objects.apply import Applier
from coordinator.objects.index import ObjectIndex
from nicfleet import names
from tests.controlplane.cluster import ControlPlane
from tests.integration.coordinator.background import connections_ended, eventually, running
from tests.integration.system import waiting

DEPLOY = Path(__file__).parents[3] / "deploy"


@pytest.fixture(scope="package")
def installed(cluster: ControlPlane) -> Iterator[ControlPlane]:
    """CRDs, namespace and rights, as a user installs them."""
    cluster.install(DEPLOY / "manifests/namespace.yaml", DEPLOY / "manifests", DEPLOY / "crds")
    account = ("get", "serviceaccount", "default", f"--namespace={names.DEFAULT_NAMESPACE}")
    waiting.eventually(lambda: "NotFound" not in cluster.kubectl(*account, check=False))  # no Pod can be made before
    yield cluster
    cluster.remove("-f", str(DEPLOY / "manifests"), "-f", str(DEPLOY / "crds"))


@pytest.fixture(scope="package")
def kubeconfig(installed: ControlPlane) -> Path:
    return installed.service_account_kubeconfig(names.DEFAULT_NAMESPACE, "nicfleet-coordinator")


@pytest.fixture(autouse=True)
async def _no_connection_is_left() -> AsyncIterator[None]:
    """The first of a test's fixtures, and so the last to end."""
    yield
    await connections_ended()


@pytest.fixture(scope="module")
def policy(installed: ControlPlane) -> dict[str, Any]:
    """A policy that owns the tests' objects; without it the garbage collector would take them.

    Not of the package: files of tests that want no policy delete it.
    """
    body = {
        "apiVersion": "mellanox.com/v1alpha1",
        "kind": "NicClusterPolicy",
        "metadata": {"name": names.POLICY_NAME},
        "spec": {},
    }
    installed.apply(body)
    found: dict[str, Any] = installed.get("nicclusterpolicy", names.POLICY_NAME)
    return found


@pytest.fixture
async def kube(kubeconfig: Path) -> AsyncIterator[Kube]:
    client = await Kube.connect(kubeconfig)
    yield client
    await client.close()


@pytest.fixture
async def index(kube: Kube) -> AsyncIterator[ObjectIndex]:
    """In sync, and kept so."""
    found = ObjectIndex(kube, lambda ref, old, new: None, Random(1))
    async with running(found.run()):
        await eventually(lambda: found.synced)
        yield found


@pytest.fixture
def applier(kube: Kube, index: ObjectIndex) -> Applier:
    return Applier(kube, index, Limiter())
