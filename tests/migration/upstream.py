"""Upstream's network-operator with its NFD in a cluster, as a release of a stand-in for its chart and the recorded
state: nobody runs the operator, and everything is there that it made."""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from nicfleet import names
from tests.chart.helm import NAMESPACE, ROOT, Helm
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.nodes import fake_node
from tests.integration.system.api import JSON_PATCH, NODES, WORKLOADS, Api
from tests.integration.system.product import OFFERED
from tests.integration.system.waiting import eventually

HERE: Final = Path(__file__).parent
RELEASE: Final = "network-operator"
OPERATOR: Final = "manager"
"""The field manager of upstream's operator: the name of its program."""
NFD: Final = "nfd-master"
NFD_NAMESPACE: Final = "node-feature-discovery"
"""Of an NFD that is not the operator's."""

LEASE: Final = "12620820.mellanox.com"
REVISION: Final = "nvidia.network-operator.revision"
UPGRADE_STATE: Final = "nvidia.com/ofed-driver-upgrade-state"

SYSTEM: Final = {
    names.KERNEL_LABEL: "5.15.0-78-generic",
    names.OS_ID_LABEL: "ubuntu",
    names.OS_VERSION_LABEL: "22.04",
}
NIC: Final = {
    names.NIC_LABEL: "true",
    names.RDMA_CAPABLE_LABEL: "true",
    names.RDMA_AVAILABLE_LABEL: "true",
}
ONLY_NFDS: Final = {
    f"{names.NFD}kernel-version.major": "5",
    f"{names.NFD}cpu-model.vendor_id": "Intel",
    f"{names.NFD}system-os_release.VERSION_ID.major": "22",
}
"""Labels that nicfleet neither writes nor removes."""

WAITS: Final = {names.WAIT_LABEL: "false", names.NIC_CONFIGURATION_WAIT_LABEL: "false"}

WITH_NIC: Final = ("one", "two")
WITHOUT: Final = "plain"
LABELS: Final = dict.fromkeys(WITH_NIC, SYSTEM | NIC | ONLY_NFDS) | {WITHOUT: SYSTEM | ONLY_NFDS}

VALUES: Final = {
    "nfd": {"enabled": True},
    "sriovNetworkOperator": {"enabled": True},
    "operator": {
        "repository": "nvcr.io/nvidia/cloud-native",
        "image": "network-operator",
        "tolerations": [{"key": "infra", "operator": "Exists"}],
    },
}
"""Of the user, for the operator's chart."""

FILES: Final = ("driver", "rdma-shared-device-plugin", "multus", "cni-plugins", "nv-ipam", "network", "stale")

LEFT: Final = "whereabouts"
"""The file and the DaemonSet of a component that an earlier release has left to itself."""
TEAM: Final = "kustomize-controller"
"""The field manager of users who keep the driver's DaemonSet in git, with a label of their own."""
TEAMS: Final = {"team": "nic", names.STATE_LABEL: "state-OFED"}

OWNERS: Final = {"NicClusterPolicy": names.POLICY_NAME, "MacvlanNetwork": "macvlan"}


def documents(name: str) -> list[dict[str, Any]]:
    """The objects of one file of the recorded state."""
    return list(yaml.safe_load_all((HERE / f"upstream-state/{name}.yaml").read_text()))


def made() -> Iterator[dict[str, Any]]:
    """Every object that the operator made."""
    for name in FILES:
        yield from (each for each in documents(name) if "ownerReferences" in each["metadata"])


def users() -> list[dict[str, Any]]:
    """The objects that users have made."""
    return [*documents("policy"), *(each for each in documents("network") if each["kind"] in OWNERS)]


def webhook() -> dict[str, Any]:
    """What an operator with admission control registers; nobody is behind it."""
    name = "network-operator-validating-webhook-configuration"
    rule = {"apiGroups": ["mellanox.com"], "apiVersions": ["v1alpha1"], "operations": ["CREATE", "UPDATE"]}
    hook = {
        "name": "vnicclusterpolicy.kb.io",
        "rules": [rule | {"resources": ["nicclusterpolicies"]}],
        "clientConfig": {"service": {"namespace": NAMESPACE, "name": "network-operator-webhook-service"}},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [hook],
    }


def install_nfd(plane: ControlPlane, helm: Helm, folder: Path) -> None:
    """NFD alone, as its own chart has it, and nodes that it has labelled."""
    chart = folder / "nfd"
    shutil.copytree(HERE / "upstream-chart", chart, ignore=shutil.ignore_patterns("operator.yaml", "webhook.yaml"))
    _register(plane)
    helm.run(
        "install", "nfd", chart, f"--namespace={NFD_NAMESPACE}", "--create-namespace", "--wait", "--timeout=150s",
        "--set=nfdName=nfd-node-feature-discovery", "--set=postDeleteCleanup=true",
    )  # fmt: skip
    api = Api(plane)
    try:
        _label(plane, api, NFD_NAMESPACE, "nfd-node-feature-discovery-worker")
    finally:
        api.close()


def install(plane: ControlPlane, helm: Helm, folder: Path) -> None:
    """The release, labelled nodes, and the objects under the field managers of those who make them."""
    chart = shutil.copytree(HERE / "upstream-chart", folder / "upstream-chart")
    for crd in (ROOT / "deploy/crds").glob("*.yaml"):
        shutil.copy(crd, chart / "crds")
    _register(plane)
    helm.run(
        "install", RELEASE, chart, f"--namespace={NAMESPACE}", "--create-namespace", "--wait", "--timeout=150s",
        values=VALUES,
    )  # fmt: skip
    api = Api(plane)
    try:
        _label(plane, api, NAMESPACE, f"{RELEASE}-node-feature-discovery-worker")
        for node in WITH_NIC:
            patch = [_add("labels", key, value) for key, value in (WAITS | {UPGRADE_STATE: "upgrade-done"}).items()]
            api.patch(f"{NODES}/{node}?fieldManager={OPERATOR}", patch, JSON_PATCH)
        _make(plane)
        eventually(lambda: _all_run(api))
    finally:
        api.close()


def _register(plane: ControlPlane) -> None:
    plane.apply(*(fake_node(node, resources=OFFERED if node in WITH_NIC else None) for node in LABELS))


def _label(plane: ControlPlane, api: Api, namespace: str, worker: str) -> None:
    """What NFD's worker and its master do."""
    uid = api.get(f"/apis/apps/v1/namespaces/{namespace}/daemonsets/{worker}")["metadata"]["uid"]
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": worker, "uid": uid}
    for node, labels in LABELS.items():
        claim(api, node)
        feature = {
            "apiVersion": "nfd.k8s-sigs.io/v1alpha1",
            "kind": "NodeFeature",
            "metadata": {
                "name": node,
                "namespace": namespace,
                "labels": {"nfd.node.kubernetes.io/node-name": node},
                "ownerReferences": [owner],
            },
            "spec": {"labels": labels},
        }
        plane.kubectl("create", "--field-manager=nfd-worker", "-f", "-", input=json.dumps(feature))


def claim(api: Api, node: str) -> None:
    """What NFD's master writes: a node's labels, and the record of them."""
    labels = LABELS[node]
    claimed = ",".join(sorted(key.removeprefix(names.NFD) for key in labels))
    patch = [_add("labels", key, value) for key, value in labels.items()]
    patch.append(_add("annotations", names.NFD_OWNED_ANNOTATION, claimed))
    api.patch(f"{NODES}/{node}?fieldManager={NFD}", patch, JSON_PATCH)


def _add(field: str, key: str, value: str) -> dict[str, str]:
    return {"op": "add", "path": f"/metadata/{field}/{key.replace('/', '~1')}", "value": value}


def _make(plane: ControlPlane) -> None:
    plane.apply(*users())
    uids = {kind: plane.get(kind.lower(), name)["metadata"]["uid"] for kind, name in OWNERS.items()}
    bodies = yaml.safe_dump_all([*(owned(each, uids) for each in made()), *documents(LEFT)])
    plane.kubectl("create", f"--field-manager={OPERATOR}", "-f", "-", input=bodies)
    (driver,) = (each for each in documents("driver") if each["kind"] == "DaemonSet")
    head = {key: driver[key] for key in ("apiVersion", "kind")}
    named = {"name": driver["metadata"]["name"], "namespace": NAMESPACE, "labels": TEAMS}
    team = json.dumps(head | {"metadata": named})
    plane.kubectl("apply", "--server-side", f"--field-manager={TEAM}", "-f", "-", input=team)
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
    plane.apply(lease | {"metadata": {"name": LEASE, "namespace": NAMESPACE}})
    policy = plane.get("nicclusterpolicy", names.POLICY_NAME)
    policy["status"] = {"state": "ready", "appliedStates": [{"name": "state-OFED", "state": "ready"}]}
    plane.kubectl("replace", "--subresource=status", f"--field-manager={OPERATOR}", "-f", "-", input=json.dumps(policy))


def owned(obj: dict[str, Any], uids: Mapping[str, str]) -> dict[str, Any]:
    """The object with the uids of its owners in this cluster."""
    references = [each | {"uid": uids[each["kind"]]} for each in obj["metadata"]["ownerReferences"]]
    return obj | {"metadata": obj["metadata"] | {"ownerReferences": references}}


def _all_run(api: Api) -> bool:
    """Every DaemonSet has its pods, and all of them are there."""
    found = {each["metadata"]["name"]: each["status"] for each in api.items(f"{WORKLOADS}/daemonsets")}
    wanted = {each["metadata"]["name"] for each in made() if each["kind"] == "DaemonSet"}
    return found.keys() >= wanted and all(
        0 < status["desiredNumberScheduled"] == status.get("numberAvailable", 0) for status in found.values()
    )
