"""Desired objects on a real API server: written once, repaired when somebody meddles, never taken from others."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
import yaml

from coordinator.kube.client import Kube
from coordinator.kube.limiter import Limiter
from coordinator.kube.objects import Ref, ref_of
from coordinator.objects import repairs
from coordinator.objects.apply import Applier
from coordinator.objects.desired import desired as desired_by_state
from coordinator.objects.index import ObjectIndex
from coordinator.objects.outcome import Action
from coordinator.objects.render import Renderer
from coordinator.policy import NicClusterPolicy
from coordinator.states.cluster import Cluster, NodePool
from nicfleet import names
from nicfleet.reasons import Reason
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.nodes import fake_node
from tests.integration.coordinator.background import eventually
from tests.integration.coordinator.objects import (
    NAMESPACE,
    STATE,
    cluster_role_binding,
    config_map,
    daemonset,
    in_step,
    marked,
)

DRIVER = Ref("DaemonSet", NAMESPACE, "driver")
ROOT = Path(__file__).parents[3]
DEPLOY, TEMPLATES = ROOT / "deploy", ROOT / "templates"
POOL = NodePool("ubuntu22.04-6bd9b7b5", "ubuntu", "22.04", "5.15.0-78-generic", "amd64", ("worker-1",))
OWNER = ("NicClusterPolicy", names.POLICY_NAME)
Obj = dict[str, Any]
T = TypeVar("T")


@pytest.fixture(autouse=True)
def clean(installed: ControlPlane) -> Iterator[None]:
    yield
    installed.kubectl("delete", "daemonset,configmap", f"--namespace={NAMESPACE}", "--all")
    installed.kubectl("delete", "clusterrolebinding", "multus", "--ignore-not-found")


async def test_a_second_pass_sends_nothing_and_neither_does_a_restarted_coordinator(
    installed: ControlPlane, kube: Kube, index: ObjectIndex, applier: Applier, policy: Obj
) -> None:
    desired = [marked(config_map("driver", a="1"), policy), marked(daemonset("driver"), policy)]

    first = await applier.apply(desired)
    before = sent(installed)
    second = await applier.apply(desired)
    third = await Applier(kube, index, Limiter()).apply(desired)
    await asyncio.sleep(0.3)  # for the audit log

    assert [outcome.action for outcome in first] == [Action.CREATED, Action.CREATED]
    assert {outcome.action for outcome in (*second, *third)} == {Action.UNCHANGED}
    assert sent(installed)[len(before) :] == []


@pytest.mark.parametrize("example", ["nicclusterpolicy-whereabouts", "nicclusterpolicy-nv-ipam"])
async def test_every_shipped_object_is_stored_as_sent(
    installed: ControlPlane, applier: Applier, policy: Obj, example: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Else its managed fields would never cover it, and each pass or restart would write it again."""
    spec = yaml.safe_load((DEPLOY / f"examples/{example}.yaml").read_text())["spec"]
    cluster = Cluster(NAMESPACE, "/opt/cni/bin", "/etc/cni/net.d", "example.com/init:1", (POOL,))
    states = desired_by_state(NicClusterPolicy.model_validate(policy | {"spec": spec}), cluster, Renderer(TEMPLATES))
    objects = [obj for state in states.values() for obj in state.objects]

    with caplog.at_level(logging.WARNING):
        first = await applier.apply(objects)
        second = await applier.apply(objects)
    for state, made in states.items():
        if made.objects:
            await applier.prune(state, OWNER, keep=())
    crds = [obj["metadata"]["name"] for obj in objects if obj["kind"] == "CustomResourceDefinition"]
    installed.remove("crd", *crds)

    assert {outcome.action for outcome in first} == {Action.CREATED}
    assert {outcome.action for outcome in second} == {Action.UNCHANGED}
    assert caplog.records == []


async def test_a_changed_wish_is_one_write(installed: ControlPlane, applier: Applier, policy: Obj) -> None:
    await applier.apply([marked(daemonset("driver"), policy)])

    (outcome,) = await applier.apply([marked(daemonset("driver", image="example.com/driver:2"), policy)])

    assert outcome.action is Action.UPDATED
    assert container(installed)["image"] == "example.com/driver:2"


@pytest.mark.parametrize(
    "meddling",
    [
        pytest.param(("set", "image", "daemonset/driver", "driver=example.com/mine"), id="image"),
        pytest.param(("set", "env", "daemonset/driver", "DEBUG=1"), id="env-var-added"),
        pytest.param(("set", "env", "daemonset/driver", "A-"), id="env-var-removed"),
        pytest.param(("label", "daemonset/driver", f"{names.STATE_LABEL}-"), id="state-label-removed"),
        pytest.param(
            ("patch", "daemonset/driver", "--type=json", '-p=[{"op":"remove","path":"/metadata/ownerReferences"}]'),
            id="owner-removed",
        ),
    ],
)
async def test_a_hand_edit_is_put_back_and_told(
    installed: ControlPlane, index: ObjectIndex, applier: Applier, policy: Obj, meddling: tuple[str, ...]
) -> None:
    desired = [marked(daemonset("driver"), policy)]
    await applier.apply(desired)
    before = installed.get("daemonset", "driver", f"--namespace={NAMESPACE}")

    installed.kubectl(*meddling, f"--namespace={NAMESPACE}")
    await in_step(installed, index, DRIVER)
    (outcome,) = await applier.apply(desired)
    after = installed.get("daemonset", "driver", f"--namespace={NAMESPACE}")

    assert outcome.action is Action.REPAIRED
    assert outcome.finding is not None
    assert outcome.finding.reason is Reason.DriftRepaired
    assert after["spec"] == before["spec"]
    assert after["metadata"]["labels"] == before["metadata"]["labels"]
    assert after["metadata"]["ownerReferences"] == before["metadata"]["ownerReferences"]
    assert [o.action for o in await applier.apply(desired)] == [Action.UNCHANGED]


@pytest.mark.parametrize(
    "harmless",
    [
        pytest.param(("rollout", "restart", "daemonset/driver"), id="rollout-restart"),
        pytest.param(("annotate", "daemonset/driver", "team=network"), id="annotation"),
        pytest.param(("label", "daemonset/driver", "team=network"), id="label"),
    ],
)
async def test_what_is_not_ours_to_decide_is_left(
    installed: ControlPlane, index: ObjectIndex, applier: Applier, policy: Obj, harmless: tuple[str, ...]
) -> None:
    desired = [marked(daemonset("driver"), policy)]
    await applier.apply(desired)

    installed.kubectl(*harmless, f"--namespace={NAMESPACE}")
    await in_step(installed, index, DRIVER)

    assert [o.action for o in await applier.apply(desired)] == [Action.UNCHANGED]


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second repair is due when no test is at work any more, however slow the machine."""
    monkeypatch.setattr(repairs, "_FIRST", 600.0)
    monkeypatch.setattr(repairs, "_LONGEST", 600.0)


@pytest.mark.usefixtures("_patient")
async def test_somebody_who_never_gives_up_is_not_fought_at_full_speed(
    installed: ControlPlane, index: ObjectIndex, applier: Applier, policy: Obj
) -> None:
    desired = [marked(config_map("driver", a="1"), policy)]
    ref = ref_of(desired[0])
    actions = []
    await applier.apply(desired)
    for value in ("2", "3"):
        patch = json.dumps({"data": {"a": value}})
        installed.kubectl("patch", "configmap", "driver", f"--namespace={NAMESPACE}", f"-p={patch}")
        await in_step(installed, index, ref)
        (outcome,) = await applier.apply(desired)
        actions.append(outcome.action)

    assert actions == [Action.REPAIRED, Action.WAITING]
    assert outcome.again is not None
    assert 0 < outcome.again <= repairs._FIRST
    assert outcome.finding is not None
    assert "kubectl-patch" in outcome.finding.message


class Interrupted(Limiter):
    """Before the second of its calls somebody else acts."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self._act = act
        self._calls = 0

    async def run(self, call: Callable[[], Awaitable[T]], *, urgent: bool = False) -> T:
        self._calls += 1
        if self._calls == 2:
            await asyncio.to_thread(self._act)
        return await super().run(call, urgent=urgent)


@pytest.mark.usefixtures("_patient")
async def test_who_writes_while_we_repair_is_seen_by_the_next_pass(
    installed: ControlPlane, kube: Kube, index: ObjectIndex, applier: Applier, policy: Obj
) -> None:
    def meddle(*change: str) -> None:
        installed.kubectl("set", *change, f"--namespace={NAMESPACE}")

    desired = [marked(daemonset("driver"), policy)]
    await applier.apply(desired)
    meddle("image", "daemonset/driver", "driver=example.com/mine")
    await in_step(installed, index, DRIVER)
    limiter = Interrupted(lambda: meddle("env", "daemonset/driver", "DEBUG=1"))
    interrupted = Applier(kube, index, limiter)

    (first,), (second,) = await interrupted.apply(desired), await interrupted.apply(desired)

    assert first.action is Action.REPAIRED
    assert second.action is Action.WAITING  # until its repair is due; not taken for what the server makes of it
    assert second.finding is not None
    assert "kubectl-set changed it" in second.finding.message


async def test_what_the_server_stores_otherwise_is_nobodys_drift(
    installed: ControlPlane, kube: Kube, index: ObjectIndex, applier: Applier, policy: Obj
) -> None:
    body = config_map("driver", a="1")
    body["metadata"]["generation"] = 7  # the server's to say: it takes the object and drops this
    desired = [marked(body, policy)]
    restarted = Applier(kube, index, Limiter())

    outcomes = [outcome for who in (applier, applier, restarted, restarted) for outcome in await who.apply(desired)]
    installed.kubectl("patch", "configmap", "driver", f"--namespace={NAMESPACE}", '-p={"data": {"a": "2"}}')
    await in_step(installed, index, outcomes[0].ref)
    (repair,) = await applier.apply(desired)

    expected = [Action.CREATED, Action.UNCHANGED, Action.UPDATED, Action.UNCHANGED]
    assert [outcome.action for outcome in outcomes] == expected
    assert [outcome.finding for outcome in outcomes] == [None] * 4
    assert repair.action is Action.REPAIRED


async def test_a_deleted_object_comes_back(
    installed: ControlPlane, index: ObjectIndex, applier: Applier, policy: Obj
) -> None:
    desired = [marked(daemonset("driver"), policy)]
    await applier.apply(desired)

    installed.kubectl("delete", "daemonset", "driver", f"--namespace={NAMESPACE}")
    await eventually(lambda: index.get(DRIVER) is None)

    assert [o.action for o in await applier.apply(desired)] == [Action.CREATED]


async def test_an_object_of_somebody_else_is_left_alone_and_named(
    installed: ControlPlane, applier: Applier, policy: Obj
) -> None:
    installed.apply(daemonset("driver", image="example.com/other:1"))

    (outcome,) = await applier.apply([marked(daemonset("driver"), policy)])

    assert outcome.action is Action.REFUSED
    assert outcome.finding is not None
    assert outcome.finding.reason is Reason.ObjectConflict
    assert f"DaemonSet {NAMESPACE}/driver belongs to field manager kubectl-client-side-apply" in outcome.finding.message
    assert f"kubectl delete daemonset -n {NAMESPACE} driver" in outcome.finding.message
    assert container(installed)["image"] == "example.com/other:1"


async def test_an_object_of_upstreams_operator_is_taken_over_whole(
    installed: ControlPlane, index: ObjectIndex, applier: Applier, policy: Obj
) -> None:
    theirs = marked(daemonset("driver", image="example.com/old:1"), policy)
    theirs["metadata"]["annotations"] = {"nvidia.network-operator.revision": "42"}
    theirs["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "OLD", "value": "1"})
    installed.kubectl("create", "-f", "-", input=json.dumps(theirs))
    await in_step(installed, index, DRIVER)

    (outcome,) = await applier.apply([marked(daemonset("driver"), policy)])

    assert outcome.action is Action.UPDATED
    assert [variable["name"] for variable in container(installed)["env"]] == ["A", "B"]


async def test_an_owner_that_upstreams_operator_left_lets_go(
    installed: ControlPlane, index: ObjectIndex, applier: Applier, policy: Obj
) -> None:
    """Several policies of its share objects, which the one that wrote last owns. Two controllers would be refused."""
    # One that is there: an owner that is not would have the garbage collector take the object away.
    spec = {"kind": "NicNodePolicy", "metadata": {"name": "other"}, "spec": {"nodeSelector": {"of": "nobody"}}}
    installed.apply({"apiVersion": policy["apiVersion"], **spec})
    other = installed.get("nicnodepolicy", "other")
    theirs = marked(config_map("shared", a="1"), other)
    theirs["metadata"]["annotations"] = {"nvidia.network-operator.revision": "42"}
    installed.kubectl("create", "--field-manager=manager", "-f", "-", input=json.dumps(theirs))
    ref = ref_of(theirs)
    await eventually(lambda: index.get(ref) is not None)

    (outcome,) = await applier.apply([marked(config_map("shared", a="1"), policy)])

    assert outcome.action is Action.UPDATED
    metadata = installed.get("configmap", "shared", f"--namespace={NAMESPACE}", "--show-managed-fields")["metadata"]
    assert [owner["uid"] for owner in metadata["ownerReferences"]] == [policy["metadata"]["uid"]]
    assert metadata["annotations"].keys() == {names.HASH_ANNOTATION}
    assert [entry["manager"] for entry in metadata["managedFields"]] == [names.OBJECTS_MANAGER]
    installed.kubectl("delete", "nicnodepolicy", "other")


async def test_what_is_no_longer_desired_goes_and_nothing_else(
    installed: ControlPlane, index: ObjectIndex, applier: Applier, policy: Obj
) -> None:
    ours = [marked(config_map(name, a="1"), policy) for name in ("kept", "surplus")]
    other_state = marked(config_map("other-state", a="1"), policy, state="state-multus-cni")
    foreign = config_map("foreign", a="1")
    foreign["metadata"]["labels"] = {names.STATE_LABEL: STATE}  # no ownerReference: somebody's copy
    await applier.apply([*ours, other_state])
    installed.apply(foreign)
    await eventually(lambda: index.get(ref_of(foreign)) is not None)

    (outcome,) = await applier.prune(STATE, OWNER, {ref_of(ours[0])})

    assert (outcome.ref.name, outcome.action) == ("surplus", Action.DELETED)
    left = installed.get("configmap", f"--namespace={NAMESPACE}", f"--selector={names.STATE_LABEL}")
    assert {item["metadata"]["name"] for item in left["items"]} == {"foreign", "kept", "other-state"}
    assert await applier.prune(STATE, OWNER, {ref_of(ours[0])}) == ()


@pytest.fixture
def node(installed: ControlPlane) -> Iterator[str]:
    """A Node that the driver runs on."""
    name = "apply-test"
    installed.apply(fake_node(name, labels=daemonset("any")["spec"]["template"]["spec"]["nodeSelector"]))
    yield name
    installed.kubectl("delete", "daemonset", f"--namespace={NAMESPACE}", "--all")
    installed.kubectl("delete", "pods", f"--namespace={NAMESPACE}", "--all", "--force", "--grace-period=0")
    installed.kubectl("delete", "node", name)


async def test_a_changed_selector_recreates_the_driver_and_its_pod_runs_on(
    installed: ControlPlane, index: ObjectIndex, applier: Applier, policy: Obj, node: str
) -> None:
    await applier.apply([marked(daemonset("driver"), policy)])
    await eventually(lambda: pods_on(installed, node))
    (pod,) = pods_on(installed, node)
    desired = [marked(daemonset("driver", pool="a"), policy)]

    (first,) = await applier.apply(desired)
    await eventually(lambda: index.get(DRIVER) is None)
    (second,) = await applier.apply(desired)

    assert first.action is Action.WAITING  # until the garbage collector has orphaned the Pods
    assert second.action is Action.CREATED
    found = installed.get("daemonset", "driver", f"--namespace={NAMESPACE}")
    assert found["spec"]["selector"]["matchLabels"] == {"app": "driver", "pool": "a"}
    assert pod in pods_on(installed, node)


async def test_a_changed_role_recreates_the_binding(installed: ControlPlane, applier: Applier, policy: Obj) -> None:
    await applier.apply([marked(cluster_role_binding("multus"), policy)])

    (outcome,) = await applier.apply([marked(cluster_role_binding("whereabouts-cni"), policy)])

    assert outcome.action is Action.RECREATED
    assert installed.get("clusterrolebinding", "multus")["roleRef"]["name"] == "whereabouts-cni"


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        pytest.param({"namespace": "default"}, Reason.ApplyFailed, 'in the namespace "default"', id="forbidden"),
        pytest.param(
            {"namespace": "nowhere"}, Reason.NamespaceMissing, "kubectl create namespace nowhere", id="nowhere"
        ),
        pytest.param({"name": "Not_A_Name"}, Reason.ApplyFailed, "Invalid value", id="invalid-name"),
    ],
)
async def test_a_refusal_is_one_sentence_and_the_next_object_goes_on(
    applier: Applier, policy: Obj, change: dict[str, str], reason: Reason, words: str
) -> None:
    bad = marked(config_map("driver", a="1"), policy)
    bad["metadata"] |= change

    refused, good = await applier.apply([bad, marked(config_map("good", a="1"), policy)])

    assert refused.action is Action.REFUSED
    assert refused.finding is not None
    assert refused.finding.reason is reason
    assert words in refused.finding.message
    assert good.action is Action.CREATED


@pytest.fixture
async def broken_webhook(installed: ControlPlane) -> AsyncIterator[dict[str, str]]:
    """Objects with these labels are asked about at an address where nobody listens."""
    labels = {"nicfleet.test/webhook": "broken"}
    configuration = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "broken"},
        "webhooks": [
            {
                "name": "broken.nicfleet.test",
                "clientConfig": {"url": "https://127.0.0.1:1/"},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}],
                "objectSelector": {"matchLabels": labels},
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }
        ],
    }
    installed.apply(configuration)
    probe = config_map("probe")
    probe["metadata"]["labels"] = labels
    attempt = ("create", "--dry-run=server", "-f", "-")
    await eventually(lambda: "failed calling" in installed.kubectl(*attempt, input=json.dumps(probe), check=False))
    yield labels
    installed.kubectl("delete", "validatingwebhookconfiguration", "broken")


async def test_a_webhook_that_does_not_work_holds_up_its_object_and_no_other(
    kube: Kube, applier: Applier, policy: Obj, broken_webhook: dict[str, str]
) -> None:
    asked = config_map("driver", a="1")
    asked["metadata"]["labels"] = broken_webhook

    refused, good = await applier.apply([marked(asked, policy), marked(config_map("good", a="1"), policy)])

    assert good.action is Action.CREATED
    assert refused.action is Action.REFUSED
    assert refused.finding is not None
    assert refused.finding.reason is Reason.ApplyFailed
    assert f"cannot apply ConfigMap {NAMESPACE}/driver:" in refused.finding.message
    assert 'failed calling webhook "broken.nicfleet.test"' in refused.finding.message
    assert refused.again is not None
    assert kube.reachability.ok


async def test_a_missing_namespace_is_named_with_the_command(installed: ControlPlane, policy: Obj) -> None:
    admin = await Kube.connect(installed.kubeconfig)
    desired = marked(config_map("driver", a="1"), policy)
    desired["metadata"]["namespace"] = "nowhere"
    try:
        applier = Applier(admin, ObjectIndex(admin, lambda *_: None, Random(1)), Limiter())
        (outcome,) = await applier.apply([desired])
    finally:
        await admin.close()

    assert outcome.finding is not None
    assert outcome.finding.reason is Reason.NamespaceMissing
    assert outcome.finding.message.endswith("kubectl create namespace nowhere")


def container(cluster: ControlPlane) -> Obj:
    found: Obj = cluster.get("daemonset", "driver", f"--namespace={NAMESPACE}")
    first: Obj = found["spec"]["template"]["spec"]["containers"][0]
    return first


def pods_on(cluster: ControlPlane, node: str) -> set[str]:
    """The uids of the Pods on a Node that are not being deleted."""
    found = cluster.get("pods", f"--namespace={NAMESPACE}", f"--field-selector=spec.nodeName={node}")
    return {pod["metadata"]["uid"] for pod in found["items"] if "deletionTimestamp" not in pod["metadata"]}


def sent(cluster: ControlPlane) -> list[tuple[str, str]]:
    """Requests of the coordinator's account about objects in its namespace, watches left out."""
    return [
        (event["verb"], event["objectRef"].get("name", ""))
        for event in cluster.audit()
        if event["user"]["username"].endswith(":nicfleet-coordinator")
        and event["objectRef"].get("namespace") == NAMESPACE
        and event["verb"] not in {"watch", "list"}
    ]
