"""Plain manifests, for clusters without Helm: what the chart makes, and both make targets on a real API server."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from nicfleet import names
from tests.chart.helm import CHART, NAMESPACE, ROOT, Helm
from tests.controlplane.cluster import ControlPlane

MANIFEST = ROOT / "deploy/nicfleet.yaml"
KINDS = "deployments,daemonsets,services,serviceaccounts,roles,rolebindings,networkpolicies,poddisruptionbudgets"
FILLED_BY_THE_COORDINATOR = {("Secret", names.TLS_SECRET), ("ConfigMap", names.CA_CONFIG_MAP)}
OURS = "app.kubernetes.io/part-of=nicfleet"


def documents() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(MANIFEST.read_text()))


def identity(each: dict[str, Any]) -> tuple[str, str]:
    return each["kind"], each["metadata"]["name"]


def without_helm(each: dict[str, Any]) -> dict[str, Any]:
    labels = each["metadata"]["labels"]
    kept = {key: value for key, value in labels.items() if key not in ("helm.sh/chart", "app.kubernetes.io/managed-by")}
    return each | {"metadata": each["metadata"] | {"labels": kept}}


def make(target: str, plane: ControlPlane | None = None, **variables: str) -> str:
    """What a target says on both outputs. Raises CalledProcessError."""
    given = {"KUBECTL": str(plane.kubectl_path)} if plane else {}
    words = [f"{name}={value}" for name, value in (given | variables).items()]
    environment = {**os.environ, **(plane.environment if plane else {"KUBECONFIG": os.devnull})}
    done = subprocess.run(
        ["make", "--silent", target, *words], cwd=ROOT, env=environment, check=True, timeout=300, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.stdout


def test_the_manifest_is_current(helm_program: Path) -> None:
    """If this fails: make manifests."""
    made = subprocess.run(
        [ROOT / "deploy/manifests/manifests.sh", "generate"], capture_output=True, check=True, text=True
    )
    assert MANIFEST.read_text() == made.stdout


def test_it_is_what_the_chart_makes_without_hooks(helm: Helm) -> None:
    namespace, *objects = documents()
    hooked = [each for each in helm.template() if "helm.sh/hook" not in each["metadata"].get("annotations", {})]

    key = identity
    assert sorted(objects, key=key) == sorted((without_helm(each) for each in hooked), key=key)
    assert identity(namespace) == ("Namespace", NAMESPACE)
    assert namespace["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "privileged"}


def test_the_webhooks_service_leads_to_the_coordinator() -> None:
    """Of deploy/webhook, which is applied beside it."""
    service = next(yaml.safe_load_all((ROOT / "deploy/webhook/webhook.yaml").read_text()))
    (deployment,) = (each for each in documents() if each["kind"] == "Deployment")

    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert service["metadata"]["namespace"] == deployment["metadata"]["namespace"]


def test_nothing_in_it_is_secret() -> None:
    """It is the same for everyone who applies it, and overwrites nothing that the coordinator wrote."""
    filled = [each for each in documents() if identity(each) in FILLED_BY_THE_COORDINATOR]
    assert len(filled) == len([each for each in documents() if each["kind"] in ("Secret", "ConfigMap")]) == 2
    assert not [each for each in filled if {"data", "stringData", "binaryData"} & each.keys()]
    assert "PRIVATE KEY" not in MANIFEST.read_text()


@pytest.mark.parametrize(
    "variables",
    [{"REGISTRY": ""}, {"VERSION": ""}, {"IMAGE_NAME": "a|b"}, {"REGISTRY": "x y"}, {"VERSION": "1&2"}],
)
def test_an_image_that_is_none_is_refused(plane: ControlPlane, variables: dict[str, str]) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        make("deploy", plane, **variables)
    assert "give REGISTRY, IMAGE_NAME and VERSION as to make image" in failed.value.output


def test_deployed_again_and_taken_back(plane: ControlPlane) -> None:
    make("deploy", plane, REGISTRY="registry.example.com:5000/team", IMAGE_NAME="nics", VERSION="v9")

    def containers(kind: str) -> list[str]:
        (workload,) = plane.get(kind, f"--namespace={NAMESPACE}", "-l", OURS)["items"]
        return [each["image"] for each in workload["spec"]["template"]["spec"]["containers"]]

    assert containers("deployments") == ["registry.example.com:5000/team/nics:v9"]
    assert containers("daemonsets") == ["registry.example.com:5000/team/nics-agent:v9"]
    labels = plane.get("namespace", NAMESPACE)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "privileged"

    before = _versions(plane)
    make("deploy", plane, REGISTRY="registry.example.com:5000/team", IMAGE_NAME="nics", VERSION="v9")
    assert _versions(plane) == before

    body = {"apiVersion": f"{names.API_GROUP}/v1alpha1", "kind": "NicClusterPolicy", "spec": {}}
    plane.apply(body | {"metadata": {"name": names.POLICY_NAME}})
    with pytest.raises(subprocess.CalledProcessError) as too_early:
        make("undeploy", plane)
    first, second, *_ = too_early.value.output.splitlines()
    assert first == f"  nicclusterpolicy.mellanox.com/{names.POLICY_NAME}"
    assert second.startswith("undeploy: these are still there, and nobody would watch over what was made for them")
    assert _versions(plane) == before, "nothing is taken away"

    said = make("undeploy", plane, force="true")
    assert "left: namespace nvidia-network-operator, the CRDs, labels of nodes\n" in said
    assert f"\n  nicclusterpolicy.mellanox.com/{names.POLICY_NAME}\n" in said
    assert plane.get("nicclusterpolicy", names.POLICY_NAME)["spec"] == {}
    assert plane.get("namespace", NAMESPACE)["status"]["phase"] == "Active"
    everything = f"{KINDS},clusterroles,clusterrolebindings"
    assert plane.kubectl("get", everything, "-A", "-l", OURS, "-o", "name").split() == []

    targets = [each.get("objectRef", {}) for each in plane.audit() if each["verb"] in ("patch", "delete")]
    scaled = [index for index, each in enumerate(targets) if each.get("subresource") == "scale"]
    config_maps = [index for index, each in enumerate(targets) if each.get("name") == names.CA_CONFIG_MAP]
    assert scaled[0] < config_maps[-1], "no coordinator may be there to write it anew"

    plane.kubectl("delete", "nicclusterpolicy", names.POLICY_NAME)
    again = make("undeploy", plane)
    assert again.splitlines()[-1] == "left: namespace nvidia-network-operator, the CRDs, labels of nodes"
    with pytest.raises(subprocess.CalledProcessError) as strict:
        make("undeploy", plane, **{"ignore-not-found": "false"})
    assert "not found" in strict.value.output


def test_each_kind_is_asked_for_by_itself(plane: ControlPlane) -> None:
    """One CRD is not there, and of two kinds whoever undeploys may not know."""
    plane.install(ROOT / "deploy/crds")
    plane.remove("crd", "ipoibnetworks.mellanox.com")
    body = {"apiVersion": f"{names.API_GROUP}/v1alpha1", "kind": "NicClusterPolicy", "spec": {}}
    plane.apply(body | {"metadata": {"name": names.POLICY_NAME}})
    of_kubernetes = ["", "apps", "rbac.authorization.k8s.io", "policy", "networking.k8s.io", "coordination.k8s.io"]
    readable = ["nicclusterpolicies", "nicnodepolicies", "ipoibnetworks"]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "undeployer"},
        "rules": [
            {"apiGroups": of_kubernetes, "resources": ["*"], "verbs": ["*"]},
            {"apiGroups": [names.API_GROUP], "resources": readable, "verbs": ["list"]},
        ],
    }
    plane.apply(role)
    plane.kubectl("create", "serviceaccount", "undeployer", "--namespace=default")
    plane.kubectl(
        "create", "clusterrolebinding", "undeployer", "--clusterrole=undeployer", "--serviceaccount=default:undeployer"
    )

    undeployer = str(plane.service_account_kubeconfig("default", "undeployer"))
    with pytest.raises(subprocess.CalledProcessError, match="status 2"):
        make("undeploy", plane, KUBECONFIG=undeployer)
    plane.kubectl("delete", "nicclusterpolicy", names.POLICY_NAME)
    with pytest.raises(subprocess.CalledProcessError) as unknown_ones:
        make("undeploy", plane, KUBECONFIG=undeployer)
    assert "nicclusterpolicy" not in unknown_ones.value.output
    plane.apply(body | {"metadata": {"name": names.POLICY_NAME}})

    said = make("undeploy", plane, KUBECONFIG=undeployer, force="true")

    assert f"\n  nicclusterpolicy.mellanox.com/{names.POLICY_NAME}\n" in said
    unknown = [line for line in said.splitlines() if "of which it is not known" in line]
    assert [line.split()[0] for line in unknown] == ["macvlannetworks,", "hostdevicenetworks,"]
    assert all("forbidden" in line for line in unknown)
    assert "ipoibnetworks" not in said
    plane.kubectl("delete", "nicclusterpolicy", names.POLICY_NAME)


def test_beside_a_release_of_helm_nothing_is_done(installer: Helm, plane: ControlPlane) -> None:
    """Also not to one in another namespace: the rights have the same names."""
    plane.kubectl("create", "namespace", "elsewhere")
    installer.run("install", "nics", CHART, "--namespace=elsewhere", values={"upgradeCRDs": False})
    everywhere = ("get", KINDS, "--all-namespaces", "-l", OURS, "-o", "name")
    before = plane.kubectl(*everywhere)
    for target, verb in (("deploy", "upgrade"), ("undeploy", "uninstall")):
        with pytest.raises(subprocess.CalledProcessError) as refused:
            make(target, plane)
        first, *_ = refused.value.output.splitlines()
        assert first == f"{target}: this is Helm's: helm {verb} nics --namespace elsewhere"
    assert plane.kubectl(*everywhere) == before != ""
    installer.run("uninstall", "nics", "--namespace=elsewhere", "--wait")
    plane.remove("namespace", "elsewhere")


def test_where_no_cluster_answers_one_line_says_so(plane: ControlPlane) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        make("deploy", plane, KUBECONFIG=os.devnull)
    first, *others = refused.value.output.splitlines()
    assert first.startswith("deploy: whether Helm has installed it is not known: The connection to the server")
    assert all(re.match(r"make(\[\d+\])?: ", line) for line in others)


def test_undeployed_where_nothing_ever_was(plane: ControlPlane) -> None:
    """Without the CRDs, too."""
    plane.remove("-f", str(ROOT / "deploy/crds"))
    assert make("undeploy", plane).startswith("left: namespace")


def _versions(plane: ControlPlane) -> dict[tuple[str, str], str]:
    """Generations: of workloads the status goes on by itself."""
    found = plane.get(KINDS, f"--namespace={NAMESPACE}", "-l", OURS)["items"]
    return {
        identity(each): str(each["metadata"].get("generation", each["metadata"]["resourceVersion"])) for each in found
    }
