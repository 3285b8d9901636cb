"""Where pods go and where CNI files lie on a node is said once, and reaches every component."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml

from coordinator.objects.desired import desired
from coordinator.objects.render import Renderer
from coordinator.policy import NicClusterPolicy
from coordinator.states.cluster import Cluster, OpenShift
from tests.unit.coordinator.policies import POOL, ROOT, TEMPLATES, cluster, image

EXAMPLE = "deploy/examples/nicclusterpolicy-full.yaml"
TOLERATION = {"key": "example.com/dedicated", "operator": "Exists", "effect": "NoSchedule"}
DEPLOYMENTS_TOLERATION = {"key": "example.com/infra", "operator": "Exists"}


def only(label: str) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": label, "operator": "Exists"}]}
    return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}


def everything() -> NicClusterPolicy:
    """Every component at once; whereabouts stands beside nv-ipam, which the example has."""
    example = yaml.safe_load((ROOT / EXAMPLE).read_text())
    given = example["spec"] | {
        "tolerations": [TOLERATION],
        "nodeAffinity": only("example.com/nics"),
        "deploymentTolerations": [DEPLOYMENTS_TOLERATION],
        "deploymentNodeAffinity": only("example.com/infra"),
        "spectrumXOperator": image("spectrum-x-operator"),
    }
    given["secondaryNetwork"] = given["secondaryNetwork"] | {"ipamPlugin": image("whereabouts")}
    return NicClusterPolicy.model_validate(example | {"spec": given})


def workloads(surroundings: Cluster) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """State, kind and pod's spec of each."""
    for name, state in desired(everything(), surroundings, Renderer(TEMPLATES)).items():
        found = [each for each in state.objects if "template" in each.get("spec", {})]
        assert found, f"{name} makes no pods of this policy"
        for each in found:
            yield name, each["kind"], each["spec"]["template"]["spec"]


OPENSHIFT = replace(cluster(POOL), openshift=OpenShift(toolkits={}, use_toolkit=False))


@pytest.mark.parametrize("surroundings", [cluster(POOL), OPENSHIFT], ids=["kubernetes", "openshift"])
def test_tolerations_and_node_affinity_reach_every_pod(surroundings: Cluster) -> None:
    kinds = set()
    for name, kind, pod in workloads(surroundings):
        kinds.add(kind)
        toleration, label = {
            "DaemonSet": (TOLERATION, "example.com/nics"),
            "Deployment": (DEPLOYMENTS_TOLERATION, "example.com/infra"),
        }[kind]
        assert toleration in pod["tolerations"], name
        assert only(label).items() <= pod["affinity"]["nodeAffinity"].items(), name
    assert kinds == {"DaemonSet", "Deployment"}


def test_both_cni_directories_are_set_for_all_in_one_place() -> None:
    """Of MicroK8s, for example. What a component calls them inside of its container is its own affair."""
    own = replace(cluster(POOL), cni_bin_dir="/var/snap/cni/bin", cni_network_dir="/var/snap/cni-network")
    mounted: dict[str, set[str]] = {}
    for name, _, pod in workloads(own):
        paths = {volume["hostPath"]["path"] for volume in pod.get("volumes", ()) if "hostPath" in volume}
        assert not any(path.startswith(("/opt/cni", "/etc/cni")) for path in paths), name
        mounted.setdefault(name, set()).update(path for path in paths if path.startswith("/var/snap/"))

    bin_dir, network_dir = "/var/snap/cni/bin", "/var/snap/cni-network"
    assert {name: paths for name, paths in mounted.items() if paths} == {
        "state-multus-cni": {bin_dir, network_dir},
        "state-container-networking-plugins": {bin_dir},
        "state-ipoib-cni": {bin_dir},
        "state-whereabouts-cni": {bin_dir, network_dir},
        "state-nv-ipam-cni": {bin_dir, f"{network_dir}/nv-ipam.d"},
    }
