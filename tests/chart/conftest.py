"""helm, and a control plane on which it installs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chart.helm import NAMESPACE, Helm
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.errors import ControlPlaneError
from tests.controlplane.nodes import fake_node
from tests.integration.system.waiting import eventually


@pytest.fixture(scope="session")
def helm(helm_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Without a cluster."""
    return Helm(helm_program, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """One of its own, with two nodes and a namespace: CRDs, and who deletes what, are the whole cluster's."""
    try:
        with ControlPlane() as control_plane:
            control_plane.apply(fake_node("worker-1"), fake_node("worker-2"))
            control_plane.kubectl("create", "namespace", NAMESPACE)
            eventually(lambda: at_rest(control_plane))
            yield control_plane
    except ControlPlaneError as error:
        raise pytest.fail.Exception(f"no control plane: {error}", pytrace=False) from None


def at_rest(plane: ControlPlane) -> bool:
    """All that Kubernetes itself makes of namespaces and nodes is made, and pods may run on every node."""
    nodes = {each["metadata"]["name"]: each["spec"] for each in plane.get("nodes")["items"]}
    namespaces = {each["metadata"]["name"] for each in plane.get("namespaces")["items"]}
    found = plane.get("serviceaccounts,configmaps,leases", "--all-namespaces")["items"]
    made = {(each["kind"], each["metadata"]["namespace"], each["metadata"]["name"]) for each in found}
    wanted = {("ServiceAccount", namespace, "default") for namespace in namespaces}
    wanted |= {("ConfigMap", namespace, "kube-root-ca.crt") for namespace in namespaces}
    wanted |= {("Lease", "kube-node-lease", node) for node in nodes}
    return wanted <= made and not any("taints" in spec for spec in nodes.values())


@pytest.fixture(scope="module")
def installer(helm_program: Path, plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """With the control plane as its cluster."""
    return Helm(helm_program, tmp_path_factory.mktemp("helm"), plane.kubeconfig)
