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
KEPT = [each for each in upstream.made() if each["metadata"]["name"] != STALE]
RESTARTED = {"kube-multus-ds"}
"""Whose template is not upstream's: the page says why."""
DAEMONSETS = {each["metadata"]["name"] for each in KEPT if each["kind"] == "DaemonSet"}


@dataclass(frozen=True, slots=True)
class Moved:
    """A cluster before and after the move. `plan` is what was said of it before anything was done."""

    plane: ControlPlane
    api: Api
    nicfleet: Nicfleet
    before: Objects
    after: Objects
    plan: dict[str, Any]
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
        before = live(api, KEPT)
        with Witness(plane) as witness:
            howto.carry_out("1. Look first")
            howto.carry_out("2. Let it say what it would do")
            (command,) = howto.commands("2. Let it say what it would do")
            plan = json.loads(howto.run(f"{command} --ofed-init-image={INIT_IMAGE} -o json"))
            writes = _writes(plane)
            howto.carry_out("3. Stop the operator and NFD's master")
            install, *look = howto.commands("4. Install nicfleet")
            howto.run(install)
            assert install_crds(plane).count(": updated\n") == 5
            nicfleet = running.enter_context(Nicfleet(plane, folder, "replace"))
            for command in look:
                howto.run(command)
            howto.carry_out("5. Uninstall the operator's chart")
            howto.carry_out("6. Tidy up")
            eventually(lambda: not _left_of_the_release(api))
        yield Moved(plane, api, nicfleet, before, live(api, KEPT), plan, writes, witness)


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


def test_no_label_was_ever_missing(moved: Moved) -> None:
    seen = list(moved.witness.of("Node"))
    assert {event.name for event in seen} == upstream.LABELS.keys()
    for event in seen:
        assert not event.ends
        expected = upstream.LABELS[event.name] | (upstream.WAITS if event.name in upstream.WITH_NIC else {})
        assert event.body["metadata"]["labels"].items() >= expected.items(), event.body["metadata"]


def test_no_daemonset_went_and_no_pod_was_replaced_but_those_named(moved: Moved) -> None:
    for event in moved.witness.of("DaemonSet"):
        assert not (event.name in DAEMONSETS and event.ends), str(event)
    assert [str(event) for event in moved.witness.of("Pod") if _is_of_the_policy(event)] == []
    for name in DAEMONSETS:
        now, before = (objects[f"DaemonSet {name}"] for objects in (moved.after, moved.before))
        assert (now["spec"] == before["spec"]) is (name not in RESTARTED), name


def _is_of_the_policy(event: Seen) -> bool:
    """Such a pod comes or goes that shall do neither."""
    makers = (owner["name"] for owner in event.body["metadata"].get("ownerReferences", ()))
    return any(maker in DAEMONSETS - RESTARTED or maker.startswith("nv-ipam") for maker in makers) and (
        event.ends or event.how == "ADDED"
    )


def test_all_that_the_operator_made_is_nicfleets(moved: Moved) -> None:
    owners = {kind: moved.plane.get(kind.lower(), name)["metadata"]["uid"] for kind, name in upstream.OWNERS.items()}
    for title, now in moved.after.items():
        metadata = now["metadata"]
        managers = {entry["manager"] for entry in metadata["managedFields"] if "subresource" not in entry}
        assert managers <= {names.OBJECTS_MANAGER, "kube-controller-manager", "kube-apiserver"}, title
        assert metadata["uid"] == moved.before[title]["metadata"]["uid"], title
        assert names.HASH_ANNOTATION in metadata["annotations"], title
        assert upstream.REVISION not in metadata["annotations"], title
        owning = [(owner["kind"], owner["uid"], owner["controller"]) for owner in metadata.get("ownerReferences", ())]
        if now["kind"] == "CustomResourceDefinition":
            assert owning == [], title
        else:
            kind = "MacvlanNetwork" if now["kind"] == "NetworkAttachmentDefinition" else "NicClusterPolicy"
            assert owning == [(kind, owners[kind], True)], title


def test_what_nobody_asks_for_any_more_is_gone(moved: Moved) -> None:
    with pytest.raises(Missing):
        moved.api.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/{STALE}")


def test_nothing_is_left_of_the_operator_and_its_nfd(moved: Moved) -> None:
    assert moved.plane.kubectl("get", "crd", "-o", "name").count("nfd.k8s-sigs.io") == 0
    assert "network-operator" not in moved.plane.kubectl("get", "deployments,serviceaccounts", "-A", "-o", "name")
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
    assert set(audit.objects()) == written


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
