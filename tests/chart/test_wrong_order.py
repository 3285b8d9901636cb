"""Uninstalled with a policy still there, as docs/how-to/uninstall.md has it, on a real API server."""

from pathlib import Path

from nicfleet import names
from tests.chart.helm import CHART, NAMESPACE, ROOT, Helm
from tests.chart.test_install import WAIT, apply_policy
from tests.chart.test_upgrade import PAGE, coordinator_and_agent, row_of
from tests.controlplane.cluster import ControlPlane
from tests.integration.system.waiting import eventually

IN_NAMESPACE = f"--namespace={NAMESPACE}"
STORAGE = {"create": True, "pvcName": "firmware", "storageClassName": "shared", "availableStorageSize": "1Gi"}


def component(image: str) -> dict[str, str]:
    return {"image": image, "repository": "example.com/a", "version": "v1"}


def test_what_was_made_for_a_policy_goes_with_it_and_needs_no_coordinator(
    installer: Helm, plane: ControlPlane, tmp_path: Path
) -> None:
    plane.install(ROOT / "deploy/crds")
    installer.run("install", "nicfleet", CHART, IN_NAMESPACE, *WAIT, values={})
    with coordinator_and_agent(plane, tmp_path):
        storing = {"operator": component("a"), "configurationDaemon": component("b"), "nicFirmwareStorage": STORAGE}
        apply_policy(plane, nvIpam=component("c"), nicConfigurationOperator=storing)
        plane.kubectl("apply", "-f", str(ROOT / "deploy/examples/macvlannetwork.yaml"))
        made = {"daemonset", "deployment", "serviceaccount", "clusterrole", "clusterrolebinding", "configmap"}
        assert eventually(lambda: made | {"persistentvolumeclaim"} <= kinds(plane))
        assert eventually(lambda: definitions(plane))
    installer.run("uninstall", "nicfleet", IN_NAMESPACE, "--wait")

    (first,) = (line.split() for line in PAGE.splitlines() if line.startswith("    kubectl delete nicclusterpolicies,"))
    plane.kubectl(*first[1:])

    # The garbage collector looks for kinds that it does not know yet, such as those of young CRDs, every 30 s only.
    assert eventually(lambda: kinds(plane) == {"customresourcedefinition", "persistentvolumeclaim"}, within=120)
    assert eventually(lambda: not definitions(plane), within=120)
    assert "CRDs that a policy's components brought" in PAGE
    assert row_of("PersistentVolumeClaim")


def kinds(plane: ControlPlane) -> set[str]:
    """Of the objects that a policy asked for. What is made of them, such as pods, has no such label."""
    listed = plane.kubectl("api-resources", "--verbs=list,delete", "--output=name").split()
    found = plane.kubectl("get", ",".join(listed), "-A", f"--selector={names.STATE_LABEL}", "--output=name").split()
    return {each.partition("/")[0].partition(".")[0] for each in found}


def definitions(plane: ControlPlane) -> str:
    return plane.kubectl("get", "network-attachment-definitions", "--all-namespaces", "--output=name")
