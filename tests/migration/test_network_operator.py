"""docs/how-to/migrate-from-network-operator.md, carried out word by word, with a witness of all that happens."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nicfleet import names
from tests.chart.helm import NAMESPACE, Helm
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.nodes import fake_node
from tests.integration.system.api import WORKLOADS, Api, Missing
from tests.integration.system.audit import Audit, Write
from tests.integration.system.fleet import NO_NIC, WITH_DRIVER
from tests.integration.system.product import OFFERED
from tests.integration.system.waiting import eventually
from tests.migration import upstream
from tests.migration.cluster import INIT_IMAGE, Nicfleet, Objects, install_crds, live
from tests.migration.howto import HowTo
from tests.migration.witness import Seen, Witness

PAGE = "migrate-from-network-operator.md"
DRIVER = "mofed-ubuntu22.04-54669c9886-ds"
STALE = "multus-cni-config"
OTHERS = [*upstream.users(), *upstream.documents(upstream.LEFT)]
"""What nobody takes over."""
KEPT = [each for each in upstream.made() if each["metadata"]["name"] != STALE]
RESTARTED = {"kube-multus-ds"}
"""Whose template is not upstream's: the page says why."""
DAEMONSETS = {each["metadata"]["name"] for each in KEPT if each["kind"] == "DaemonSet"}


@dataclass(frozen=True, slots=True)
class Moved:
    """A cluster before and after the move, `said` in between by whoever was asked. `plan` is what was said of it before
    anything was done, `elsewhere` the same for another namespace than the operator's, and `untidied` are the labels of
    a node before the last step."""

    plane: ControlPlane
    api: Api
    nicfleet: Nicfleet
    before: Objects
    after: Objects
    plan: dict[str, Any]
    elsewhere: dict[str, Any]
    said: dict[str, str]
    untidied: dict[str, str]
    writes_of_the_plan: list[str]
    witness: Witness


@pytest.fixture(scope="module")
def moved(
    plane: ControlPlane, helm: Helm, helm_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Moved]:
    folder = tmp_path_factory.mktemp("moved")
    upstream.install(plane, helm, folder)
    howto = HowTo(PAGE, plane, helm_program, folder / "user")
    with closing(Api(plane)) as api, ExitStack() as running:
        before = live(api, KEPT + OTHERS)
        with Witness(plane) as witness:
            howto.carry_out("1. Look first")
            howto.carry_out("2. Let it say what it would do")
            (command,) = howto.commands("2. Let it say what it would do")
            plan = json.loads(howto.run(f"{command} --ofed-init-image={INIT_IMAGE} -o json"))
            plane.kubectl("create", "namespace", "elsewhere")
            elsewhere = json.loads(howto.run(f"{command.replace(NAMESPACE, 'elsewhere')} -o json"))
            said = {"plan": howto.run(command), "diff": howto.run(command.removesuffix(" --no-diff"))}
            writes = _writes(plane)
            plane.apply(upstream.webhook())
            eventually(lambda: "failed calling webhook" in _changed_policy(plane))
            said["while the webhook stood"] = _changed_policy(plane)
            howto.carry_out("3. Stop the operator and NFD's master")
            install, *look = howto.commands("4. Install nicfleet")
            said["notes"] = howto.run(install)
            assert install_crds(plane).count(": updated\n") == 5
            nicfleet = running.enter_context(Nicfleet(plane, folder, "replace"))
            for command in look:
                howto.run(command)
            howto.carry_out("5. Uninstall the operator's chart")
            untidied = api.labels("one")
            howto.carry_out("6. Tidy up")
            eventually(lambda: not _left_of_the_release(api))
        after = live(api, KEPT + OTHERS)
        yield Moved(plane, api, nicfleet, before, after, plan, elsewhere, said, untidied, writes, witness)


def _changed_policy(plane: ControlPlane) -> str:
    """What becomes of a change of the policy that changes nothing in the end."""
    patch = json.dumps({"metadata": {"annotations": {"changed": "by a user"}}})
    change = ("patch", "nicclusterpolicy", names.POLICY_NAME, "--type=merge", "-p", patch, "--dry-run=server")
    return plane.kubectl(*change, check=False)


def _left_of_the_release(api: Api) -> list[str]:
    pods = [each["metadata"]["name"] for each in api.items(f"/api/v1/namespaces/{NAMESPACE}/pods")]
    return [name for name in pods if name.startswith(upstream.RELEASE)]


def _writes(plane: ControlPlane) -> list[str]:
    """Requests of `nicfleet plan` that are no dry runs and no reads."""
    asked = (event for event in plane.audit() if event.get("userAgent") == "nicfleet")
    return [e["requestURI"] for e in asked if e["verb"] not in ("get", "list") and "dryRun=All" not in e["requestURI"]]


def test_the_plan_named_all_that_is_taken_over_and_all_that_restarts(moved: Moved) -> None:
    moving = {(e["kind"], e["name"]): (e["change"], e["taken_from"]) for e in moved.plan["objects"]}
    taken = {(each["kind"], each["metadata"]["name"]): ("change", [upstream.OPERATOR]) for each in KEPT}
    assert moving == taken | {("ConfigMap", STALE): ("delete", [])}
    assert all(each["exact"] for each in moved.plan["objects"])
    noticing = [(each["cause"], each["when"], each["subject"], len(each["pods"])) for each in moved.plan["disturbed"]]
    assert noticing == [("rollout", "at once", f"DaemonSet {NAMESPACE}/kube-multus-ds", len(upstream.LABELS))]
    assert moved.plan["problems"] == []
    assert {each["name"] for each in moved.plan["workloads"] if each["rolls"]} == RESTARTED
    (driver,) = moved.plan["drivers"]
    assert (driver["loads"], driver["outdated"], driver["unloads"]) == ([], [], [])
    assert driver["architecture"] == "amd64"
    assert moved.writes_of_the_plan == []


def test_the_plan_shows_fields_when_asked_and_labels_where_agents_have_reported(moved: Moved) -> None:
    assert f"taken over from {upstream.OPERATOR}" in moved.said["plan"]
    assert "Pods that notice" in moved.said["plan"]
    assert "50Mi" not in moved.said["plan"]
    assert "50Mi" in moved.said["diff"]  # multus loses its limit
    assert moved.plan["labels"] == []


def test_a_plan_for_another_namespace_shows_what_that_would_do(moved: Moved) -> None:
    deleted = {each["name"] for each in moved.elsewhere["objects"] if each["change"] == "delete"}
    assert deleted >= DAEMONSETS


def test_the_operators_webhook_refused_every_change_until_it_was_deleted(moved: Moved) -> None:
    assert "failed calling webhook" in moved.said["while the webhook stood"]
    assert "failed calling webhook" not in _changed_policy(moved.plane)


def test_the_notes_say_what_a_value_of_the_operators_did(moved: Moved) -> None:
    assert "\n  sriovNetworkOperator: " in moved.said["notes"]


def test_what_users_have_made_is_as_they_made_it_and_has_nicfleets_status(moved: Moved) -> None:
    for title in (f"{each['kind']} {each['metadata']['name']}" for each in upstream.users()):
        now, before = moved.after[title], moved.before[title]
        assert (now["metadata"]["uid"], now["spec"]) == (before["metadata"]["uid"], before["spec"]), title
        of_status = [e["manager"] for e in now["metadata"]["managedFields"] if e.get("subresource") == "status"]
        assert names.STATUS_MANAGER in of_status, title


def test_no_label_was_ever_missing(moved: Moved) -> None:
    seen = list(moved.witness.of("Node"))
    assert {event.name for event in seen} == upstream.LABELS.keys()
    for event in seen:
        assert not event.ends
        expected = upstream.LABELS[event.name] | (upstream.WAITS if event.name in upstream.WITH_NIC else {})
        assert event.body["metadata"]["labels"].items() >= expected.items(), event.body["metadata"]


def test_labels_that_the_agents_see_too_are_nicfleets(moved: Moved) -> None:
    for node in upstream.WITH_NIC:
        managed = moved.plane.get("node", node, "--show-managed-fields")["metadata"]["managedFields"]
        (ours,) = (each["fieldsV1"] for each in managed if each["manager"] == names.LABELS_MANAGER)
        owned = {key.removeprefix("f:") for key in ours["f:metadata"]["f:labels"]}
        assert owned >= (upstream.SYSTEM | upstream.NIC | upstream.WAITS).keys()
        assert not owned & upstream.ONLY_NFDS.keys()


def test_no_daemonset_went_and_no_pod_was_replaced_but_those_named(moved: Moved) -> None:
    for event in moved.witness.of("DaemonSet"):
        assert not (event.name in {*DAEMONSETS, upstream.LEFT} and event.ends), str(event)
    assert [str(event) for event in moved.witness.of("Pod") if _is_of_the_policy(event)] == []
    for name in DAEMONSETS:
        now, before = (objects[f"DaemonSet {name}"] for objects in (moved.after, moved.before))
        assert (now["spec"] == before["spec"]) is (name not in RESTARTED), name


def _is_of_the_policy(event: Seen) -> bool:
    """Such a pod comes or goes that shall do neither."""
    makers = (owner["name"] for owner in event.body["metadata"].get("ownerReferences", ()))
    return any(
        maker in {*DAEMONSETS - RESTARTED, upstream.LEFT} or maker.startswith("nv-ipam") for maker in makers
    ) and (event.ends or event.how == "ADDED")


def test_all_that_the_operator_made_is_nicfleets(moved: Moved) -> None:
    owners = {kind: moved.plane.get(kind.lower(), name)["metadata"]["uid"] for kind, name in upstream.OWNERS.items()}
    for title in (f"{each['kind']} {each['metadata']['name']}" for each in KEPT):
        now = moved.after[title]
        metadata = now["metadata"]
        managers = {entry["manager"] for entry in metadata["managedFields"] if "subresource" not in entry}
        others = {upstream.TEAM} if title == f"DaemonSet {DRIVER}" else set()
        assert managers - others <= {names.OBJECTS_MANAGER, "kube-controller-manager", "kube-apiserver"}, title
        assert metadata["uid"] == moved.before[title]["metadata"]["uid"], title
        assert names.HASH_ANNOTATION in metadata["annotations"], title
        assert upstream.REVISION not in metadata["annotations"], title
        owning = [(owner["kind"], owner["uid"], owner["controller"]) for owner in metadata.get("ownerReferences", ())]
        if now["kind"] == "CustomResourceDefinition":
            assert owning == [], title
        else:
            kind = "MacvlanNetwork" if now["kind"] == "NetworkAttachmentDefinition" else "NicClusterPolicy"
            assert owning == [(kind, owners[kind], True)], title


def test_a_label_of_somebody_else_stays_his(moved: Moved) -> None:
    metadata = moved.after[f"DaemonSet {DRIVER}"]["metadata"]
    (team,) = (entry for entry in metadata["managedFields"] if entry["manager"] == upstream.TEAM)
    assert team["fieldsV1"]["f:metadata"]["f:labels"].keys() == {f"f:{key}" for key in upstream.TEAMS}
    assert metadata["labels"].items() >= upstream.TEAMS.items()


def test_what_the_operator_had_left_to_itself_is_nobodys(moved: Moved) -> None:
    now, before = (objects[f"DaemonSet {upstream.LEFT}"] for objects in (moved.after, moved.before))
    for part in ("uid", "generation", "labels", "annotations"):
        assert now["metadata"][part] == before["metadata"][part]
    assert now["spec"] == before["spec"]


def test_what_nobody_asks_for_any_more_is_gone(moved: Moved) -> None:
    with pytest.raises(Missing):
        moved.api.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/{STALE}")


def test_nothing_is_left_of_the_operator_and_its_nfd(moved: Moved) -> None:
    assert moved.plane.kubectl("get", "crd", "-o", "name").count("nfd.k8s-sigs.io") == 0
    assert "network-operator" not in moved.plane.kubectl("get", "deployments,serviceaccounts", "-A", "-o", "name")
    assert upstream.LEASE not in moved.plane.kubectl("get", "leases", "-A", "-o", "name")
    assert moved.untidied[upstream.UPGRADE_STATE] == "upgrade-done"
    for node in upstream.LABELS:
        metadata = moved.plane.get("node", node)["metadata"]
        assert not any(key.startswith("nfd.") for key in metadata["annotations"])
        assert upstream.UPGRADE_STATE not in metadata["labels"]


def test_the_policy_is_ready_and_takes_a_change(moved: Moved) -> None:
    """Of one component: its pods are replaced, and nobody else's."""
    eventually(lambda: moved.api.condition("Verified")["status"] == "True")
    audit = Audit(moved.plane)
    spec = moved.api.policy()["spec"]["rdmaSharedDevicePlugin"]
    changed = json.loads(spec["config"])
    changed["configList"][0]["rdmaHcaMax"] = 7
    patch = {"spec": {"rdmaSharedDevicePlugin": {"config": json.dumps(changed)}}}

    moved.plane.kubectl("patch", "nicclusterpolicy", names.POLICY_NAME, "--type=merge", "-p", json.dumps(patch))

    eventually(lambda: _rolled_out(moved.api.daemonset("rdma-shared-dp-ds"), generation=2))
    written = {Write("patch", "configmaps", "rdma-devices"), Write("patch", "daemonsets", "rdma-shared-dp-ds")}
    assert eventually(lambda: set(audit.objects()) == written)


def _rolled_out(daemonset: dict[str, Any], generation: int) -> bool:
    status = daemonset["status"]
    counts = {status.get(f"{which}NumberScheduled") for which in ("desired", "updated")} | {status["numberAvailable"]}
    return status["observedGeneration"] == daemonset["metadata"]["generation"] == generation and len(counts) == 1


def test_a_node_of_another_architecture_and_a_toleration_make_no_driver_pod_outdated(moved: Moved) -> None:
    """Both change where driver pods may run, and nothing that runs in them."""
    before = moved.api.daemonset(DRIVER)["spec"]["template"]
    pods = _pods_of(moved.api, DRIVER)

    moved.plane.apply(fake_node("arm", labels={names.ARCH_LABEL: "arm64"}, resources=OFFERED))
    moved.nicfleet.agents.report("arm", WITH_DRIVER)
    eventually(lambda: moved.api.daemonset(DRIVER.replace("-ds", "-arm64-ds"))["status"]["numberReady"] == 1)
    toleration = {"key": "edge", "operator": "Exists"}
    patch = json.dumps({"spec": {"tolerations": [toleration]}})
    moved.plane.kubectl("patch", "nicclusterpolicy", names.POLICY_NAME, "--type=merge", "-p", patch)

    generation = moved.api.policy()["metadata"]["generation"]
    eventually(
        lambda: (c := moved.api.condition("Verified"))["observedGeneration"] == generation and c["status"] == "True"
    )
    driver = moved.api.daemonset(DRIVER)
    assert driver["status"].get("updatedNumberScheduled", 0) == 0  # by the counters of its controller all are outdated
    after = driver["spec"]["template"]
    assert after["spec"].pop("nodeSelector") == before["spec"].pop("nodeSelector") | {names.ARCH_LABEL: "amd64"}
    assert toleration in after["spec"].pop("tolerations")
    before["spec"].pop("tolerations")
    assert after == before
    assert _pods_of(moved.api, DRIVER) == pods


def _pods_of(api: Api, maker: str) -> set[str]:
    """The uids of a DaemonSet's pods."""
    pods = (each["metadata"] for each in api.items(f"/api/v1/namespaces/{NAMESPACE}/pods"))
    return {pod["uid"] for pod in pods if maker in (owner["name"] for owner in pod.get("ownerReferences", ()))}


def test_a_label_that_nfd_wrote_goes_with_the_card(moved: Moved) -> None:
    """Its owner is gone, and it was taken over."""
    moved.nicfleet.agents.report("two", NO_NIC)
    eventually(lambda: names.NIC_LABEL not in moved.api.labels("two"))
    assert moved.api.labels("two").items() >= upstream.ONLY_NFDS.items()
    assert moved.api.get(f"{WORKLOADS}/daemonsets/{DRIVER}")


def test_a_policy_that_asks_for_whereabouts_does_not_take_over_what_was_left(moved: Moved) -> None:
    image = {"image": "whereabouts", "repository": "ghcr.io/k8snetworkplumbingwg", "version": "v0.7.0"}
    patch = json.dumps({"spec": {"secondaryNetwork": {"ipamPlugin": image}}})

    moved.plane.kubectl("patch", "nicclusterpolicy", names.POLICY_NAME, "--type=merge", "-p", patch)

    eventually(lambda: moved.api.state("state-whereabouts-cni")["state"] == "error")
    assert f"DaemonSet {NAMESPACE}/{upstream.LEFT}" in moved.api.state("state-whereabouts-cni")["message"]
    moved.plane.kubectl("delete", "daemonset", upstream.LEFT, f"--namespace={NAMESPACE}")
    eventually(lambda: moved.api.state("state-whereabouts-cni")["state"] == "ready")
