"""The coordinator's ServiceAccount may do its work and nothing else: asked of a real API server."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
import yaml

from coordinator.kube.objects import DEPLOYABLE, NETWORKS, ref_of
from coordinator.objects.desired import UNOWNED, desired
from coordinator.objects.render import Obj, Renderer
from coordinator.policy import NicClusterPolicy
from coordinator.states.cluster import Cluster, NodePool
from nicfleet import names
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.errors import ControlPlaneError
from tests.integration.system.waiting import eventually

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
NAMESPACE = names.DEFAULT_NAMESPACE
ACCOUNT = "nicfleet-coordinator"
POOL = NodePool("ubuntu22.04-6bd9b7b5", "ubuntu", "22.04", "5.15.0-78-generic", "amd64", ("worker-1",))
GOLDEN = ROOT / "tests/unit/golden"
EXAMPLES = ("nicclusterpolicy-whereabouts.yaml", "nicclusterpolicy-nv-ipam.yaml")
NOT_MADE = frozenset({"CronJob", "NetworkAttachmentDefinition"})
"""Kinds that no state makes today: upstream's operator did, and networks do."""


@dataclass(frozen=True, slots=True)
class Question:
    """resourceAttributes of a SubjectAccessReview. Without a namespace: in all of them."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@pytest.fixture(scope="module")
def installed(cluster: ControlPlane) -> Iterator[ControlPlane]:
    cluster.install(DEPLOY / "manifests/namespace.yaml", DEPLOY / "manifests", DEPLOY / "crds")
    yield cluster
    cluster.remove("-f", str(DEPLOY / "manifests"), "-f", str(DEPLOY / "crds"))


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_object_of_the_examples_can_be_applied_and_pruned(installed: ControlPlane, example: str) -> None:
    as_coordinator = f"--kubeconfig={installed.service_account_kubeconfig(NAMESPACE, ACCOUNT)}"
    installed.kubectl("apply", "-f", str(DEPLOY / "examples" / example))
    objects = objects_of(installed.get("nicclusterpolicy", names.POLICY_NAME))
    assert {"ClusterRole", "CustomResourceDefinition", "DaemonSet"} <= {obj["kind"] for obj in objects}

    crds = [obj for obj in objects if obj["kind"] == "CustomResourceDefinition"]
    others = [obj for obj in objects if obj not in crds]

    installed.kubectl("apply", as_coordinator, "--server-side", "-f", "-", input=as_list(objects))
    installed.kubectl("delete", as_coordinator, "--wait=false", "-f", "-", input=as_list(others))

    installed.remove("crd", *(crd["metadata"]["name"] for crd in crds))
    installed.kubectl("delete", "nicclusterpolicy", names.POLICY_NAME)


ALLOWED = (
    *(Question("watch", kind.group, kind.plural) for kind in DEPLOYABLE),
    Question("watch", "", "nodes"),
    Question("patch", "", "nodes"),
    Question("watch", "mellanox.com", "nicclusterpolicies"),
    Question("update", "mellanox.com", "nicclusterpolicies", subresource="status"),
    Question("update", "mellanox.com", "nicclusterpolicies", subresource="finalizers"),
    Question("create", "", "events", namespace="default"),
    Question("create", "authentication.k8s.io", "tokenreviews"),
    Question("create", "authorization.k8s.io", "subjectaccessreviews"),
    Question("list", "", "pods"),
    Question("get", "", "secrets", namespace=NAMESPACE),
    Question("list", "config.openshift.io", "clusterversions"),
    Question("watch", "config.openshift.io", "proxies", name="cluster"),
    Question("watch", "image.openshift.io", "imagestreams", namespace="openshift", name="driver-toolkit"),
    *(Question("watch", "mellanox.com", kind.plural) for kind in NETWORKS),
    *(Question("update", "mellanox.com", kind.plural, subresource="status") for kind in NETWORKS),
    *(Question("update", "mellanox.com", kind.plural, subresource="finalizers") for kind in NETWORKS),
    Question("patch", "mellanox.com", "ipoibnetworks"),
    Question("patch", "mellanox.com", "macvlannetworks"),
    *(
        Question(verb, "k8s.cni.cncf.io", "network-attachment-definitions", namespace="default")
        for verb in ("create", "patch", "delete")
    ),
)
REFUSED = (
    Question("list", "", "secrets", namespace=NAMESPACE),
    Question("get", "", "secrets", namespace="kube-system"),
    Question("create", "", "nodes"),
    Question("delete", "", "nodes"),
    Question("patch", "mellanox.com", "nicclusterpolicies"),
    Question("patch", "mellanox.com", "hostdevicenetworks"),
    Question("get", "", "pods", namespace="default"),
    Question("delete", "", "pods"),
    Question("create", "apps", "daemonsets", namespace="kube-system"),
    Question("patch", "", "configmaps", namespace="kube-system"),
    Question("delete", "", "persistentvolumeclaims", namespace=NAMESPACE),
    Question("create", "", "persistentvolumeclaims", namespace="kube-system"),
    Question("create", "rbac.authorization.k8s.io", "roles", namespace=NAMESPACE, name="all-secrets"),
    Question("escalate", "rbac.authorization.k8s.io", "roles", namespace=NAMESPACE, name="all-secrets"),
    Question("create", "rbac.authorization.k8s.io", "rolebindings", namespace=NAMESPACE, name="all-secrets"),
    Question("delete", "apiextensions.k8s.io", "customresourcedefinitions", name="ippools.nv-ipam.nvidia.com"),
    Question("escalate", "rbac.authorization.k8s.io", "clusterroles", name="cluster-admin"),
    Question("bind", "rbac.authorization.k8s.io", "clusterroles", name="cluster-admin"),
)


def test_it_may_read_what_it_decides_on_and_nothing_beyond_its_work(installed: ControlPlane) -> None:
    expected = {**dict.fromkeys(ALLOWED, True), **dict.fromkeys(REFUSED, False)}
    assert eventually(lambda: answers(installed, ALLOWED + REFUSED) == expected)  # the rights are seconds old


def test_it_may_write_and_remove_whatever_a_state_can_make(installed: ControlPlane) -> None:
    """On OpenShift too, and with webhooks and volumes: the golden cases have all of it."""
    made = [text for path in GOLDEN.glob("*/*.output.yaml") if not (text := path.read_text()).startswith("problem: ")]
    objects = [obj for text in made for obj in yaml.safe_load_all(text)]
    questions = dict.fromkeys(question for obj in objects for question in about(obj))

    refused = [question for question, allowed in answers(installed, list(questions)).items() if not allowed]

    assert {question.resource for question in questions} == {
        kind.plural for kind in DEPLOYABLE if kind.kind not in NOT_MADE
    }
    assert refused == []


def test_it_cannot_give_itself_rights_under_another_name(installed: ControlPlane) -> None:
    as_coordinator = f"--kubeconfig={installed.service_account_kubeconfig(NAMESPACE, ACCOUNT)}"
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "all-secrets"},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
    }

    with pytest.raises(ControlPlaneError, match='cannot patch resource "clusterroles"'):
        installed.kubectl("apply", as_coordinator, "--server-side", "-f", "-", input=json.dumps(role))


def objects_of(policy: Obj) -> list[Obj]:
    cluster = Cluster(NAMESPACE, "/opt/cni/bin", "/etc/cni/net.d", None, (POOL,))
    states = desired(NicClusterPolicy.model_validate(policy), cluster, Renderer(ROOT / "templates"))
    return [obj for state in states.values() for obj in state.objects]


def about(obj: Obj) -> Iterator[Question]:
    """What the coordinator must be allowed for an object of a state's."""
    ref = ref_of(obj)
    verbs = ["create", "patch"] if ref.kind in UNOWNED else ["create", "patch", "delete"]
    if ref.kind in ("ClusterRole", "Role"):
        verbs += ["escalate", "bind"]
    for verb in verbs:
        # Some cases are of another namespace; the rights are for the usual one.
        yield Question(verb, ref.resource.group, ref.resource.plural, ref.namespace and NAMESPACE, ref.name)


def answers(cluster: ControlPlane, questions: Sequence[Question]) -> dict[Question, bool]:
    """What the API server says about the coordinator's ServiceAccount."""
    user = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
    reviews = [
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": asdict(question)},
        }
        for question in questions
    ]
    only_verdicts = r"jsonpath={.status.allowed}{'\n'}"
    answered = cluster.kubectl("create", "-f", "-", "-o", only_verdicts, input=as_list(reviews)).split()
    return {question: answer == "true" for question, answer in zip(questions, answered, strict=True)}


def as_list(objects: Sequence[Obj]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
