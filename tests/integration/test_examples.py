"""Every example and every old file applies unchanged under strict validation, without a warning."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.controlplane.cluster import ControlPlane
from tests.integration.system.waiting import eventually

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "deploy/examples").rglob("*.yaml"), *(ROOT / "tests/yaml").rglob("*.yaml")])
NV_IPAM = ROOT / "tests/unit/golden/state-nv-ipam-cni/everything-set.output.yaml"
"""Its CRDs are those of the address pools."""

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "nvidia-network-operator"}}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


@pytest.fixture(scope="module")
def api(cluster: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane with the CRDs that the files need, as a user has it when the policy is ready."""
    cluster.install(ROOT / "deploy/crds")
    pools = [document for document in documents(NV_IPAM) if document["kind"] == "CustomResourceDefinition"]
    cluster.apply(NAMESPACE)
    cluster.serve(*pools)
    eventually(lambda: "NotFound" not in cluster.kubectl("get", "serviceaccount", "default", check=False))
    yield cluster
    cluster.remove("crd", *(pool["metadata"]["name"] for pool in pools))
    cluster.remove("-f", str(ROOT / "deploy/crds"))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_passes_strict_validation_without_a_warning(api: ControlPlane, path: Path) -> None:
    said = api.kubectl("apply", "--validate=strict", "--dry-run=server", "-f", str(path), check=False)

    lines = said.splitlines()
    assert [line for line in lines if not line.endswith(" created (server dry run)")] == []
    assert len(lines) == len(documents(path))


def test_what_is_written_carelessly_is_stored_cleanly(api: ControlPlane) -> None:
    """No namespace, no null, defaults where null was, and no status that nobody wrote."""
    api.kubectl("apply", "--validate=strict", "-f", str(ROOT / "tests/yaml/old/careless.yaml"))

    stored = api.get("nicclusterpolicy", "nic-cluster-policy")

    api.kubectl("delete", "nicclusterpolicy", "nic-cluster-policy")
    assert "namespace" not in stored["metadata"]
    assert "status" not in stored
    assert stored["spec"] == {
        "tolerations": [],
        "ofedDriver": {
            "image": "doca-driver",
            "repository": "nvcr.io/nvidia/mellanox",
            "version": "25.07-0.9.7.0-0",
            "imagePullSecrets": [],
            "upgradePolicy": {"autoUpgrade": False, "maxParallelUpgrades": 1, "safeLoad": False},
            "certConfig": {},
            "terminationGracePeriodSeconds": 300,
            "forcePrecompiled": False,
        },
        "secondaryNetwork": {
            "multus": {
                "image": "multus-cni",
                "repository": "nvcr.io/nvidia/mellanox",
                "version": "network-operator-v25.7.0",
                "imagePullSecrets": [],
                "containerResources": [],
            }
        },
    }
