"""The policy API and the objects made from it, before the real API server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.crd import KINDS
from tests.controlplane.cluster import ControlPlane

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "deploy/examples").glob("nicclusterpolicy-*.yaml"))
OUTPUTS = [
    path for path in sorted((ROOT / "tests/unit/golden").glob("*/*.output.yaml")) if path.read_text().startswith("---")
]
NAMESPACES = ("nvidia-network-operator", "nic")


@pytest.fixture(scope="module")
def api(cluster: ControlPlane) -> ControlPlane:
    """The control plane with our CRDs and the namespaces of the golden cases."""
    cluster.install(ROOT / "deploy/crds")
    cluster.apply(*({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in NAMESPACES))
    return cluster


@pytest.fixture
def policy(api: ControlPlane) -> Iterator[str]:
    """A policy that nobody serves, gone after the test."""
    name = "policy-api-test"
    api.apply(
        {
            "apiVersion": "mellanox.com/v1alpha1",
            "kind": "NicClusterPolicy",
            "metadata": {"name": name},
            "spec": {"ofedDriver": {"image": "doca-driver", "upgradePolicy": {"drain": {}}}},
        }
    )
    yield name
    api.kubectl("delete", "nicclusterpolicy", name)


def test_the_schema_is_structural(api: ControlPlane) -> None:
    for kind in KINDS:
        conditions = api.get("crd", f"{kind.plural}.mellanox.com")["status"]["conditions"]
        assert "NonStructuralSchema" not in {condition["type"] for condition in conditions}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_pass_strict_validation(api: ControlPlane, path: Path) -> None:
    said = api.kubectl("apply", "--validate=strict", "--dry-run=server", "-f", str(path))
    assert said == "nicclusterpolicy.mellanox.com/nic-cluster-policy created (server dry run)\n"


def test_an_unknown_field_is_refused(api: ControlPlane) -> None:
    body = {
        "apiVersion": "mellanox.com/v1alpha1",
        "kind": "NicClusterPolicy",
        "metadata": {"name": "nic-cluster-policy"},
        "spec": {"ofedDrivers": {}},
    }
    said = api.kubectl("apply", "--dry-run=server", "-f", "-", input=json.dumps(body), check=False)
    assert 'unknown field "spec.ofedDrivers"' in said


def test_defaults_are_filled_in_level_by_level(api: ControlPlane, policy: str) -> None:
    driver = api.get("nicclusterpolicy", policy)["spec"]["ofedDriver"]
    assert driver == {
        "image": "doca-driver",
        "imagePullSecrets": [],
        "terminationGracePeriodSeconds": 300,
        "forcePrecompiled": False,
        "upgradePolicy": {
            "autoUpgrade": False,
            "maxParallelUpgrades": 1,
            "safeLoad": False,
            "drain": {"enable": True, "force": False, "timeoutSeconds": 300, "deleteEmptyDir": False},
        },
    }


def test_columns_show_the_ready_conditions_reason(api: ControlPlane, policy: str) -> None:
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": "FleetSettling",
        "message": "Waiting for 3 nodes.",
        "lastTransitionTime": "2026-11-25T00:00:00Z",
        "observedGeneration": 1,
    }
    patch = json.dumps({"status": {"state": "notReady", "conditions": [condition]}})
    api.kubectl("patch", "nicclusterpolicy", policy, "--subresource=status", "--type=merge", f"--patch={patch}")
    head, row = api.kubectl("get", "ncp", policy, "-o", "wide").splitlines()
    assert head.split() == ["NAME", "STATUS", "AGE", "REASON", "MESSAGE"]
    assert "FleetSettling" in row
    assert row.endswith("Waiting for 3 nodes.")


def test_kubectl_explain_reads_well(api: ControlPlane) -> None:
    said = " ".join(api.kubectl("explain", "nicclusterpolicy.spec.ofedDriver.startupProbe").split())
    assert "the default allows 20 minutes for a build on the node" in said


@pytest.mark.parametrize("path", OUTPUTS, ids=lambda path: f"{path.parent.name}/{path.name.split('.')[0]}")
def test_desired_objects_are_accepted_by_server_side_apply(api: ControlPlane, path: Path) -> None:
    said = api.kubectl(
        "apply", "--server-side", "--field-manager=nicfleet-objects", "--validate=strict", "--dry-run=server",
        "-f", str(path),
    )  # fmt: skip
    assert len(said.splitlines()) == path.read_text().count("\nkind: ")
