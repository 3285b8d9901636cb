"""OpenShift as the coordinator meets it: its kinds as tiny CRDs on a real API server, with the rights that we ship."""

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from random import Random
from typing import Any

import pytest

from coordinator.kube.client import Kube
from coordinator.kube.objects import CLUSTER_VERSION, IMAGE_STREAM, PROXY, Ref, Resource
from coordinator.objects.apply import Applier
from coordinator.objects.desired import desired
from coordinator.objects.index import ObjectIndex
from coordinator.objects.outcome import Action
from coordinator.objects.render import Renderer
from coordinator.openshift import OpenShiftFacts
from coordinator.policy import NicClusterPolicy
from coordinator.states.cluster import Cluster, NodePool, OpenShift
from nicfleet import names
from tests.controlplane.cluster import ControlPlane
from tests.integration.coordinator.background import eventually, running
from tests.integration.coordinator.objects import NAMESPACE, in_step, marked
from tests.integration.coordinator.test_apply import TEMPLATES

STATE = "state-OFED"
TRUSTED_CA = Ref("ConfigMap", NAMESPACE, "ocp-network-operator-trusted-ca")
TOOLKIT = "quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:" + "0123456789abcdef" * 4
VERSION = "416.94.202407030122-0"
POOLS = (
    NodePool(
        "rhcos4.16-1",
        "rhcos",
        "4.16",
        "5.14.0-427.24.1.el9_4.x86_64",
        "amd64",
        ("a",),
        runtimes=("cri-o",),
        ostree_versions=(VERSION,),
    ),
    NodePool("rhel9.4-1", "rhel", "9.4", "5.14.0-427.13.1.el9_4.x86_64", "amd64", ("b",), ostree_versions=(VERSION,)),
)

Obj = dict[str, Any]


def crd(kind: Resource) -> Obj:
    """A kind that keeps whatever it is given."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": kind.version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{kind.group}"},
        "spec": {
            "group": kind.group,
            "names": {"kind": kind.kind, "plural": kind.plural, "singular": kind.kind.lower()},
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [version],
        },
    }


def thing(kind: Resource, name: str, spec: Obj, namespace: str = "") -> Obj:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "spec": spec}


def tags(*found: tuple[str, str]) -> Obj:
    return {"tags": [{"name": name, "from": {"kind": "DockerImage", "name": image}} for name, image in found]}


@pytest.fixture(scope="module")
def openshift(installed: ControlPlane) -> Iterator[ControlPlane]:
    crds = [crd(kind) for kind in (CLUSTER_VERSION, PROXY, IMAGE_STREAM)]
    installed.serve(*crds)
    installed.kubectl("create", "namespace", "openshift")
    yield installed
    installed.remove("crd", *(each["metadata"]["name"] for each in crds))
    installed.remove("namespace", "openshift")


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
async def facts(openshift: ControlPlane, kube: Kube, heard: list[str]) -> AsyncIterator[OpenShiftFacts]:
    openshift.apply(thing(CLUSTER_VERSION, "version", {"clusterID": "x"}))
    found = OpenShiftFacts(kube, True, lambda: heard.append("changed"), Random(1))
    async with running(found.run()):
        await eventually(lambda: len(heard) == 3)  # it is OpenShift; there are no proxies; and no streams
        yield found


async def test_any_other_kubernetes(installed: ControlPlane, kube: Kube) -> None:
    found = OpenShiftFacts(kube, True, lambda: None, Random(1))
    async with running(found.run()):
        await eventually(found.detected.is_set)
    assert found.read() is None


async def test_openshift_without_a_proxy_and_toolkit(facts: OpenShiftFacts) -> None:
    await eventually(lambda: facts.read() == OpenShift(proxy={}, trusted_ca=False, toolkits={}))


async def test_proxy_and_toolkit_are_followed(openshift: ControlPlane, facts: OpenShiftFacts, heard: list[str]) -> None:
    spec = {"httpsProxy": "http://p:3128", "noProxy": "", "trustedCA": {"name": "user-ca"}}
    openshift.apply(thing(PROXY, "cluster", spec))
    openshift.apply(thing(PROXY, "another", {"httpProxy": "http://elsewhere"}))
    openshift.apply(thing(IMAGE_STREAM, "driver-toolkit", tags((VERSION, TOOLKIT), ("latest", TOOLKIT)), "openshift"))
    openshift.apply(thing(IMAGE_STREAM, "cli", tags((VERSION, "cli:1")), "openshift"))
    wanted = OpenShift(
        proxy={"HTTPS_PROXY": "http://p:3128"}, trusted_ca=True, toolkits={VERSION: TOOLKIT, "latest": TOOLKIT}
    )
    await eventually(lambda: facts.read() == wanted)
    before = len(heard)
    openshift.kubectl("delete", PROXY.plural, "cluster", "another")
    await eventually(lambda: facts.read() == OpenShift(proxy={}, toolkits=wanted.toolkits))
    assert len(heard) == before + 1
    openshift.kubectl("delete", IMAGE_STREAM.plural, "driver-toolkit", "cli", "--namespace=openshift")


def driver_objects(policy: Obj) -> tuple[Obj, ...]:
    """Everything that the driver's state can make, on OpenShift with subscriptions and sources of one's own."""
    driver = {
        "image": "doca-driver",
        "repository": "nvcr.io/nvidia/mellanox",
        "version": "25.07-0.9.7.0-0",
        "repoConfig": {"name": "own.repositories"},
        "containerResources": [{"name": "openshift-driver-toolkit-ctr", "requests": {"cpu": "500m"}}],
    }
    where = Cluster(
        NAMESPACE,
        "/var/lib/cni/bin",
        "/etc/cni/net.d",
        "example.com/init:1",
        POOLS,
        openshift=OpenShift(proxy={"HTTPS_PROXY": "http://p:3128"}, trusted_ca=True, toolkits={VERSION: TOOLKIT}),
        config_maps={"own.repositories": {"a.repo": "", "b.repo": ""}},
    )
    parsed = NicClusterPolicy.model_validate(policy | {"spec": {"ofedDriver": driver}})
    found = desired(parsed, where, Renderer(TEMPLATES))[STATE]
    assert found.problem is None
    return found.objects


@pytest.fixture
def removed(installed: ControlPlane) -> Iterator[None]:
    yield
    kinds = "daemonset,configmap,role,rolebinding,serviceaccount,clusterrole,clusterrolebinding"
    installed.kubectl("delete", kinds, f"--namespace={NAMESPACE}", f"--selector={names.STATE_LABEL}={STATE}")
    installed.kubectl("delete", "configmap", TRUSTED_CA.name, f"--namespace={NAMESPACE}", "--ignore-not-found")


def in_openshifts_name(cluster: ControlPlane, value: str) -> None:
    """OpenShift's network operator writes the certificates."""
    patch = json.dumps({"data": {"ca-bundle.crt": value}})
    cluster.kubectl(
        "patch",
        "configmap",
        TRUSTED_CA.name,
        f"--namespace={NAMESPACE}",
        "--field-manager=cluster-network-operator",
        f"--patch={patch}",
        "--type=merge",
    )


@pytest.mark.usefixtures("removed")
async def test_all_of_the_driver_is_stored_as_sent_and_certificates_written_into_it_are_no_drift(
    installed: ControlPlane, applier: Applier, index: ObjectIndex, policy: Obj, caplog: pytest.LogCaptureFixture
) -> None:
    objects = driver_objects(policy)
    with caplog.at_level(logging.WARNING):
        first = await applier.apply(objects)
    assert {outcome.action for outcome in first} == {Action.CREATED}
    assert caplog.records == []

    in_openshifts_name(installed, "PEM")
    await in_step(installed, index, TRUSTED_CA)
    assert {outcome.action for outcome in await applier.apply(objects)} == {Action.UNCHANGED}
    changed = [obj | {"metadata": obj["metadata"] | {"annotations": {names.HASH_ANNOTATION: "x"}}} for obj in objects]
    assert {outcome.action for outcome in await applier.apply(changed)} == {Action.UPDATED}
    assert installed.get("configmap", TRUSTED_CA.name, f"--namespace={NAMESPACE}")["data"] == {"ca-bundle.crt": "PEM"}


ACCOUNT = Ref("ServiceAccount", NAMESPACE, "account")
ADDED = {"secrets": [{"name": "account-dockercfg-x"}], "imagePullSecrets": [{"name": "account-dockercfg-x"}]}


def account() -> Obj:
    return {"apiVersion": "v1", "kind": ACCOUNT.kind, "metadata": {"name": ACCOUNT.name, "namespace": NAMESPACE}}


def by_openshift(cluster: ControlPlane) -> None:
    """What its image registry's controller applies to every account."""
    manager = "--field-manager=openshift.io/image-registry-pull-secrets_service-account-controller"
    mark = {"annotations": {"openshift.io/internal-registry-pull-secret-ref": "account-dockercfg-x"}}
    theirs = account() | ADDED | {"metadata": account()["metadata"] | mark}
    cluster.kubectl("apply", "--server-side", manager, "--filename=-", input=json.dumps(theirs))


def by_a_person(cluster: ControlPlane) -> None:
    patched(cluster, ADDED)


def patched(cluster: ControlPlane, fields: Obj) -> None:
    where = ("serviceaccount", ACCOUNT.name, f"--namespace={NAMESPACE}")
    cluster.kubectl("patch", *where, f"--patch={json.dumps(fields)}")


def pull_secrets(cluster: ControlPlane) -> Obj:
    found: Obj = cluster.get("serviceaccount", ACCOUNT.name, f"--namespace={NAMESPACE}")
    return {key: found[key] for key in ADDED if key in found}


@pytest.mark.usefixtures("removed")
@pytest.mark.parametrize("add", [by_openshift, by_a_person])
async def test_pull_secrets_that_others_add_to_an_account_are_no_drift_and_outlast_our_writes(
    installed: ControlPlane, applier: Applier, index: ObjectIndex, policy: Obj, add: Callable[[ControlPlane], None]
) -> None:
    await applier.apply([marked(account(), policy)])
    add(installed)
    await in_step(installed, index, ACCOUNT)
    assert [outcome.action for outcome in await applier.apply([marked(account(), policy)])] == [Action.UNCHANGED]

    changed = account() | {"automountServiceAccountToken": False}
    assert [outcome.action for outcome in await applier.apply([marked(changed, policy)])] == [Action.UPDATED]
    assert pull_secrets(installed) == ADDED

    patched(installed, {"automountServiceAccountToken": True})
    await in_step(installed, index, ACCOUNT)
    assert [outcome.action for outcome in await applier.apply([marked(changed, policy)])] == [Action.REPAIRED]
    assert pull_secrets(installed) == ADDED


@pytest.mark.usefixtures("removed")
async def test_upstreams_account_is_taken_over_with_its_pull_secrets(
    installed: ControlPlane, applier: Applier, index: ObjectIndex, policy: Obj
) -> None:
    theirs = marked(account() | ADDED | {"automountServiceAccountToken": True}, policy)
    theirs["metadata"]["annotations"] = {"nvidia.network-operator.revision": "42"}
    installed.kubectl("create", "--field-manager=manager", "--filename=-", input=json.dumps(theirs))
    await in_step(installed, index, ACCOUNT)

    assert [outcome.action for outcome in await applier.apply([marked(account(), policy)])] == [Action.UPDATED]
    assert [outcome.action for outcome in await applier.apply([marked(account(), policy)])] == [Action.UNCHANGED]
    found = installed.get("serviceaccount", ACCOUNT.name, f"--namespace={NAMESPACE}")
    assert "automountServiceAccountToken" not in found
    assert pull_secrets(installed) == ADDED


@pytest.mark.usefixtures("removed")
async def test_upstreams_unlabelled_certificates_are_taken_over_and_then_swept_with_the_driver(
    installed: ControlPlane, applier: Applier, index: ObjectIndex, policy: Obj
) -> None:
    owner = {
        "apiVersion": policy["apiVersion"],
        "kind": policy["kind"],
        "name": policy["metadata"]["name"],
        "uid": policy["metadata"]["uid"],
        "controller": True,
    }
    metadata = {"name": TRUSTED_CA.name, "namespace": NAMESPACE, "ownerReferences": [owner]}
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca-bundle.crt": ""}}
    installed.kubectl("create", "--field-manager=manager", "--filename=-", input=json.dumps(theirs))
    in_openshifts_name(installed, "PEM")

    (outcome,) = await applier.apply(
        [obj for obj in driver_objects(policy) if obj["metadata"]["name"] == TRUSTED_CA.name]
    )

    assert outcome.action is Action.UPDATED
    assert installed.get("configmap", TRUSTED_CA.name, f"--namespace={NAMESPACE}")["data"] == {"ca-bundle.crt": "PEM"}
    await eventually(lambda: index.get(TRUSTED_CA) is not None)
    gone = await applier.prune(STATE, ("NicClusterPolicy", names.POLICY_NAME), keep=())
    assert [each.ref for each in gone] == [TRUSTED_CA]
