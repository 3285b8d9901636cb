"""What components bring along, on a real API server: kinds of cert-manager's, webhooks, volume claims, CRDs."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from coordinator.kube.client import Kube
from coordinator.kube.limiter import Limiter
from coordinator.kube.objects import Ref
from coordinator.objects import apply
from coordinator.objects.apply import Applier
from coordinator.objects.desired import desired
from coordinator.objects.index import ObjectIndex
from coordinator.objects.outcome import Action, Outcome
from coordinator.objects.render import Renderer
from coordinator.policy import NicClusterPolicy
from coordinator.states.cluster import Cluster, OpenShift
from nicfleet import names
from nicfleet.reasons import Reason
from tests.controlplane.cluster import ControlPlane
from tests.integration.coordinator.background import eventually
from tests.integration.coordinator.objects import NAMESPACE, in_step
from tests.integration.system import waiting

ROOT = Path(__file__).parents[3]
RENDER = Renderer(ROOT / "templates")
OWNER = ("NicClusterPolicy", names.POLICY_NAME)
IPAM, CONFIGURATION, SPECTRUM = "state-nv-ipam-cni", "state-nic-configuration-operator", "state-spectrum-x-operator"
WEBHOOK = "nv-ipam-validating-webhook-configuration"
CLAIM = Ref("PersistentVolumeClaim", NAMESPACE, "firmware")

Obj = dict[str, Any]
T = TypeVar("T")


def image(name: str, **fields: Any) -> Obj:
    return {"image": name, "repository": "example.com/nic", "version": "v1"} | fields


def configuration(**storage: Any) -> Obj:
    """The section of the NIC configuration operator with a volume claim."""
    return {
        "operator": image("operator"),
        "configurationDaemon": image("daemon"),
        "nicFirmwareStorage": {"pvcName": CLAIM.name} | storage,
    }


def objects_of(policy: Obj, state: str, *, openshift: bool = False, **sections: Any) -> tuple[Obj, ...]:
    """What a state of the policy makes of these sections."""
    cluster = Cluster(
        NAMESPACE, "/opt/cni/bin", "/etc/cni/net.d", None, (), openshift=OpenShift() if openshift else None
    )
    found = desired(NicClusterPolicy.model_validate(policy | {"spec": sections}), cluster, RENDER)[state]
    assert found.problem is None
    return found.objects


@pytest.fixture(autouse=True)
async def clean(installed: ControlPlane, applier: Applier, index: ObjectIndex) -> AsyncIterator[None]:
    yield
    for state in (IPAM, CONFIGURATION, SPECTRUM):
        await applier.prune(state, OWNER, keep=())
    installed.kubectl("delete", "persistentvolumeclaim", f"--namespace={NAMESPACE}", "--all", "--wait=false")
    patch = '-p={"metadata": {"finalizers": null}}'
    for claim in installed.get("persistentvolumeclaim", f"--namespace={NAMESPACE}")["items"]:
        name = claim["metadata"]["name"]
        installed.kubectl("patch", "persistentvolumeclaim", name, f"--namespace={NAMESPACE}", patch, check=False)
    crds = [crd["metadata"]["name"] for crd in installed.get("crd", f"--selector={names.STATE_LABEL}")["items"]]
    if crds:
        installed.remove("crd", *crds)
    await eventually(lambda: not any(list(index.of_state(state)) for state in (IPAM, CONFIGURATION, SPECTRUM)))


@pytest.fixture
def cert_manager(installed: ControlPlane) -> Iterator[None]:
    """The two kinds of cert-manager's that are used, without the controllers behind them."""
    installed.serve(crd("issuers", "Issuer"), crd("certificates", "Certificate"))
    yield
    installed.remove("crd", "issuers.cert-manager.io", "certificates.cert-manager.io")


def crd(plural: str, kind: str) -> Obj:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.cert-manager.io"},
        "spec": {
            "group": "cert-manager.io",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }


@pytest.mark.usefixtures("cert_manager")
@pytest.mark.parametrize("openshift", [False, True], ids=["kubernetes", "openshift"])
@pytest.mark.parametrize(
    ("state", "sections"),
    [
        pytest.param(IPAM, {"nvIpam": image("ipam", enableWebhook=True)}, id="nv-ipam"),
        pytest.param(CONFIGURATION, {"nicConfigurationOperator": configuration()}, id="nic-configuration"),
        pytest.param(SPECTRUM, {"spectrumXOperator": image("spectrum", xPlane=image("xplane"))}, id="spectrum-x"),
    ],
)
async def test_every_object_is_stored_as_sent_and_goes_with_the_section(
    applier: Applier, policy: Obj, state: str, sections: Obj, openshift: bool, caplog: pytest.LogCaptureFixture
) -> None:
    objects = objects_of(policy, state, openshift=openshift, **sections)

    with caplog.at_level(logging.WARNING):
        first = await applier.apply(objects)
        second = await applier.apply(objects)
    pruned = await applier.prune(state, OWNER, keep=())

    assert {outcome.action for outcome in first} == {Action.CREATED}
    assert {outcome.action for outcome in second} == {Action.UNCHANGED}
    assert caplog.records == []
    stay = {"CustomResourceDefinition", "PersistentVolumeClaim"}
    assert {outcome.ref for outcome in pruned} == {outcome.ref for outcome in first if outcome.ref.kind not in stay}


async def test_without_cert_manager_the_rest_of_the_component_is_made_and_the_fix_is_told(
    installed: ControlPlane, applier: Applier, policy: Obj
) -> None:
    objects = objects_of(policy, IPAM, nvIpam=image("ipam", enableWebhook=True))

    outcomes = await applier.apply(objects)

    refused = {outcome.ref.kind: outcome for outcome in outcomes if outcome.action is Action.REFUSED}
    assert refused.keys() == {"Certificate", "Issuer"}
    assert sentence(refused["Issuer"]) == (
        f"cannot apply Issuer {NAMESPACE}/nv-ipam-selfsigned-issuer: the cluster does not know cert-manager.io/v1 "
        "Issuer; install cert-manager, or set spec.nvIpam.enableWebhook to false"
    )
    assert {outcome.action for outcome in outcomes if outcome.ref.kind not in refused} == {Action.CREATED}
    assert installed.get("deployment", "nv-ipam-controller", f"--namespace={NAMESPACE}")


async def test_cert_manager_that_comes_later_heals_it(
    applier: Applier, policy: Obj, request: pytest.FixtureRequest
) -> None:
    objects = objects_of(policy, IPAM, nvIpam=image("ipam", enableWebhook=True))
    await applier.apply(objects)
    request.getfixturevalue("cert_manager")

    outcomes = await applier.apply(objects)

    made = {outcome.ref.kind for outcome in outcomes if outcome.action is Action.CREATED}
    assert made == {"Certificate", "Issuer"}
    assert {outcome.action for outcome in outcomes} == {Action.CREATED, Action.UNCHANGED}


@pytest.mark.usefixtures("cert_manager")
async def test_a_ca_bundle_that_somebody_puts_into_the_webhooks_survives(
    installed: ControlPlane, index: ObjectIndex, applier: Applier, policy: Obj
) -> None:
    """cert-manager and OpenShift do; without it the API server would refuse every pool."""
    section = image("ipam", enableWebhook=True)
    await applier.apply(objects_of(policy, IPAM, nvIpam=section))
    ref = Ref("ValidatingWebhookConfiguration", "", WEBHOOK)
    bundle = "LS0t"
    patch = [{"op": "add", "path": f"/webhooks/{n}/clientConfig/caBundle", "value": bundle} for n in (0, 1)]
    injector = ("--type=json", "--field-manager=cainjector", f"-p={json.dumps(patch)}")
    installed.kubectl("patch", "validatingwebhookconfiguration", WEBHOOK, *injector)
    await in_step(installed, index, ref)

    same = await applier.apply(objects_of(policy, IPAM, nvIpam=section))
    changed = [
        obj | {"metadata": obj["metadata"] | {"annotations": {}}} for obj in objects_of(policy, IPAM, nvIpam=section)
    ]
    written = await applier.apply([obj for obj in changed if obj["kind"] == ref.kind])

    assert {outcome.action for outcome in same} == {Action.UNCHANGED}
    assert [outcome.action for outcome in written] == [Action.UPDATED]
    found = installed.get("validatingwebhookconfiguration", WEBHOOK)["webhooks"]
    assert [webhook["clientConfig"]["caBundle"] for webhook in found] == [bundle, bundle]


def template(nic: str = "1023", **fields: Any) -> Obj:
    """A NicConfigurationTemplate."""
    spec = {"nicSelector": {"nicType": nic}, "template": {"numVfs": 1} | fields}
    return {"apiVersion": "configuration.net.nvidia.com/v1alpha1", "kind": "NicConfigurationTemplate", "spec": spec}


def source(**spec: Any) -> Obj:
    return {"apiVersion": "configuration.net.nvidia.com/v1alpha1", "kind": "NicFirmwareSource", "spec": spec}


def rails(**rail: Any) -> Obj:
    topology = [{"name": "rail-1", "mtu": 9216, "nicSelector": {"pfNames": ["ens1np0"]}} | rail]
    spec = {"numVfs": 1, "railTopology": topology}
    return {"apiVersion": "spectrumx.nvidia.com/v1alpha2", "kind": "SpectrumXRailPoolConfig", "spec": spec}


SPECTRUM_X = {"enabled": True, "version": "RA2.0"}


JUDGED = (
    ("rail-1 created", rails(ipam="{}") | {"metadata": {"name": "rail-1"}}),
    ("Only one of cidrPoolRef or ipam can be specified", rails(ipam="{}", cidrPoolRef="pool")),
    ("spec.railTopology[0].nicSelector.pfNames in body should have at least 1", rails(nicSelector={"pfNames": []})),
    ("plain created", template(linkType="Ethernet") | {"metadata": {"name": "plain"}}),
    ("linkType is required unless networkBay is configured", template()),
    ("networkBay can only be configured for ConnectX-9", template(networkBay={"conf": "x"})),
    (
        "spectrumXOptimized can be enabled only for ConnectX-8, ConnectX-9 or BlueField-3 SuperNICs",
        template("101d", linkType="Ethernet", spectrumXOptimized=SPECTRUM_X),
    ),
    (
        "when MultiplaneMode is not none, numberOfPlanes must not be 1",
        template(linkType="Ethernet", spectrumXOptimized=SPECTRUM_X | {"multiplaneMode": "swplb"}),
    ),
    (
        "rawNvConfig parameter names must not use index-range syntax",
        template(linkType="Ethernet", rawNvConfig=[{"name": "NAME[0..3]", "value": "1"}]),
    ),
    ("firmware created", source(binUrlSources=["https://example.com/fw.zip"]) | {"metadata": {"name": "firmware"}}),
    ("spec.binUrlSources in body should have at least 1 items", source(binUrlSources=[])),
)
"""What the API server says, and of what."""


async def test_the_crds_of_components_judge_what_users_write(
    installed: ControlPlane, applier: Applier, policy: Obj
) -> None:
    configured = objects_of(policy, CONFIGURATION, nicConfigurationOperator=configuration())
    spectrum = objects_of(policy, SPECTRUM, spectrumXOperator=image("spectrum"))
    crds = [obj for obj in (*configured, *spectrum) if obj["kind"] == "CustomResourceDefinition"]
    await applier.apply(crds)
    installed.install()  # nothing more; but all are served then

    answers = {words: dry_run(installed, obj) for words, obj in JUDGED}

    assert {words: answer for words, answer in answers.items() if words not in answer} == {}


def dry_run(cluster: ControlPlane, obj: Obj) -> str:
    body = {"metadata": {"name": "x"}} | obj
    create = ("create", "--dry-run=server", f"--namespace={NAMESPACE}", "-f", "-")
    return cluster.kubectl(*create, input=json.dumps(body), check=False)


def storage_class(name: str, *, grows: bool) -> Obj:
    """The class that claims without one get."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "example.com/nobody",
        "allowVolumeExpansion": grows,
    }


def classes_of_claims(cluster: ControlPlane) -> str:
    """The class that a claim without one gets now; the API server learns of classes a little later."""
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    asking = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "asking"}, "spec": spec}
    create = ("create", "--dry-run=server", "--output=json", "--filename=-")
    made: Obj = json.loads(cluster.kubectl(*create, input=json.dumps(asking)))["spec"]
    return str(made.get("storageClassName", ""))


def in_use(cluster: ControlPlane, name: str, *objects: Obj, grows: bool) -> Iterator[None]:
    """A class, from when it is the one that claims get until it is no more."""
    cluster.apply(storage_class(name, grows=grows), *objects)
    waiting.eventually(lambda: classes_of_claims(cluster) == name)
    yield
    cluster.kubectl("delete", "storageclass", name)
    waiting.eventually(lambda: classes_of_claims(cluster) == "")


@pytest.fixture
def default_class(installed: ControlPlane) -> Iterator[None]:
    yield from in_use(installed, "usual", grows=False)


@pytest.fixture
def growing_class(installed: ControlPlane) -> Iterator[None]:
    """A default class whose volumes can grow, and a volume of it for the claim."""
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "volume"},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "capacity": {"storage": "1Gi"},
            "storageClassName": "growing",
            "claimRef": {"name": CLAIM.name, "namespace": NAMESPACE},
            "hostPath": {"path": "/nowhere"},
        },
    }
    yield from in_use(installed, "growing", volume, grows=True)
    installed.kubectl("delete", "persistentvolume", "volume", "--wait=false")
    installed.kubectl("patch", "persistentvolume", "volume", '-p={"metadata": {"finalizers": null}}', check=False)


def claim_of(policy: Obj, **storage: Any) -> Obj:
    objects = objects_of(policy, CONFIGURATION, nicConfigurationOperator=configuration(**storage))
    (claim,) = (obj for obj in objects if obj["kind"] == CLAIM.kind)
    return claim


@pytest.mark.usefixtures("default_class")
async def test_a_claim_keeps_what_the_cluster_fills_in(
    installed: ControlPlane, applier: Applier, policy: Obj, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        actions = [outcome.action for _ in range(2) for outcome in await applier.apply([claim_of(policy)])]

    assert actions == [Action.CREATED, Action.UNCHANGED]
    assert caplog.records == []
    assert claim(installed)["spec"]["storageClassName"] == "usual"


class Counting(Limiter):
    """Counts the writes."""

    writes = 0

    async def run(self, call: Callable[[], Awaitable[T]], *, urgent: bool = False) -> T:
        self.writes += 1
        return await super().run(call, urgent=urgent)


@pytest.mark.usefixtures("default_class")
@pytest.mark.parametrize(
    ("storage", "tries"),
    [
        pytest.param({"storageClassName": "other"}, 0, id="class"),
        pytest.param({"availableStorageSize": "2Gi"}, 1, id="size"),
    ],
)
async def test_a_claim_that_cannot_change_is_told_in_one_sentence_and_not_sent_again_and_again(
    installed: ControlPlane,
    kube: Kube,
    index: ObjectIndex,
    policy: Obj,
    storage: Obj,
    tries: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apply, "FOREIGN_SECONDS", 600.0)  # the second pass comes in time, however slow the machine
    limiter = Counting()
    applier = Applier(kube, index, limiter)
    await applier.apply([claim_of(policy)])
    limiter.writes = 0
    before = await noticed(installed)

    (first,), (second,) = [await applier.apply([claim_of(policy, **storage)]) for _ in range(2)]
    (back,) = await applier.apply([claim_of(policy)])

    assert first.action is second.action is Action.REFUSED
    assert sentence(first) == sentence(second)
    assert sentence(first) == (
        f"{CLAIM} keeps its size 1Gi and storage class usual: Kubernetes lets a claim grow only while it is bound and "
        "its class allows volume expansion, and changes nothing else; ask for what it has, or for another pvcName"
    )
    assert limiter.writes == tries
    assert claim(installed) == before
    assert back.action is Action.UNCHANGED


@pytest.mark.usefixtures("growing_class")
async def test_a_volume_that_can_grow_grows_by_the_policy_or_by_hand(
    installed: ControlPlane, index: ObjectIndex, applier: Applier, policy: Obj
) -> None:
    await applier.apply([claim_of(policy)])
    await eventually(lambda: claim(installed)["status"]["phase"] == "Bound")

    (grown,) = await applier.apply([claim_of(policy, availableStorageSize="2Gi")])
    more = '{"spec": {"resources": {"requests": {"storage": "3Gi"}}}}'
    installed.kubectl("patch", "persistentvolumeclaim", CLAIM.name, f"--namespace={NAMESPACE}", f"-p={more}")
    await in_step(installed, index, CLAIM)
    (by_hand,) = await applier.apply([claim_of(policy, availableStorageSize="2Gi")])
    (less,) = await applier.apply([claim_of(policy, availableStorageSize="1Gi")])

    assert grown.action is Action.UPDATED
    assert by_hand.action is Action.UNCHANGED
    assert less.action is Action.UPDATED  # nobody's files are cut off
    assert claim(installed)["spec"]["resources"]["requests"]["storage"] == "3Gi"


@pytest.mark.usefixtures("default_class")
async def test_a_claim_of_upstreams_operator_is_taken_over_and_outlives_the_policy(
    installed: ControlPlane, index: ObjectIndex, applier: Applier, policy: Obj
) -> None:
    theirs = claim_of(policy)
    owner = {"apiVersion": policy["apiVersion"], "kind": policy["kind"], "name": policy["metadata"]["name"]}
    theirs["metadata"] |= {
        "annotations": {"nvidia.network-operator.revision": "42"},
        "ownerReferences": [owner | {"uid": policy["metadata"]["uid"], "controller": True}],
    }
    installed.kubectl("create", "-f", "-", input=json.dumps(theirs))
    before = await noticed(installed)
    await in_step(installed, index, CLAIM)

    (outcome,) = await applier.apply([claim_of(policy)])
    (again,) = await applier.apply([claim_of(policy)])

    assert (outcome.action, again.action) == (Action.UPDATED, Action.UNCHANGED)
    assert claim(installed)["spec"] == before["spec"]
    assert "ownerReferences" not in claim(installed)["metadata"]


async def test_a_claim_of_somebody_else_is_used_by_asking_for_none(
    installed: ControlPlane, applier: Applier, policy: Obj
) -> None:
    theirs = claim_of(policy)
    theirs["metadata"] = {"name": CLAIM.name, "namespace": NAMESPACE}
    installed.apply(theirs)

    (outcome,) = await applier.apply([claim_of(policy)])

    assert outcome.action is Action.REFUSED
    assert sentence(outcome) == (
        f"{CLAIM} belongs to field manager kubectl-client-side-apply and is left alone; to use it set "
        "nicFirmwareStorage.create to false, else choose another pvcName"
    )


async def noticed(cluster: ControlPlane) -> Obj:
    """The claim, when the controller of volumes has written into it that a provisioner is waited for."""
    key = "volume.kubernetes.io/storage-provisioner"
    await asyncio.to_thread(waiting.eventually, lambda: claim(cluster)["metadata"]["annotations"][key])
    return claim(cluster)


def claim(cluster: ControlPlane) -> Obj:
    found: Obj = cluster.get("persistentvolumeclaim", CLAIM.name, f"--namespace={NAMESPACE}")
    return found


def sentence(outcome: Outcome) -> str:
    assert outcome.finding is not None
    assert outcome.finding.reason in (Reason.ApplyFailed, Reason.ObjectConflict)
    assert "\n" not in outcome.finding.message
    return outcome.finding.message
