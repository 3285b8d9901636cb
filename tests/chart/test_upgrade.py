"""From charts of before to this one, and off again: what helm and coordinators leave, on a real API server.

`previous/` has packaged charts of earlier commits of this repository, which name them: the first one, from before there
was encryption, and the last one whose coordinators made a Lease that is nobody's.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from coordinator.leadership.lease import NAME as LEASE
from nicfleet import names
from nicfleet.channel import Tls
from nicfleet.names import may_be_written
from tests.chart.helm import CHART, NAMESPACE, ROOT, Helm, HelmFailed
from tests.chart.test_install import (
    ACCOUNT,
    WAIT,
    apply_policy,
    authority,
    deleted,
    policy,
    secret,
    token_of_the_agent,
    workloads,
)
from tests.controlplane.cluster import CRD, ControlPlane
from tests.controlplane.errors import ControlPlaneError
from tests.integration.system.fleet import WITH_DRIVER
from tests.integration.system.processes import Coordinator
from tests.integration.system.simulated import SimulatedAgents
from tests.integration.system.waiting import eventually

PREVIOUS = Path(__file__).parent / "previous"
FIRST, LATEST = (PREVIOUS / f"nicfleet-0.1.0-{commit}.tgz" for commit in ("2c7286d", "441b430"))
PAGE = (ROOT / "docs/how-to/uninstall.md").read_text()
UPGRADE = (ROOT / "docs/how-to/upgrade.md").read_text()
IN_NAMESPACE = f"--namespace={NAMESPACE}"
PASSING = frozenset({"Event", "EndpointSlice", "Endpoints", "ControllerRevision", "ReplicaSet", "APIService"})
"""Kinds that Kubernetes makes, and takes away by itself."""


@contextmanager
def coordinator_and_agent(plane: ControlPlane, folder: Path) -> Iterator[None]:
    """By the accounts of the release. An agent on worker-1 has told of a NIC, and its node is labelled."""
    account = plane.service_account_kubeconfig(NAMESPACE, ACCOUNT)
    coordinator = Coordinator(account, folder, "--leader-elect", insecure=False)
    ca_file = folder / "authority.crt"
    host = f"nicfleet-coordinator.{NAMESPACE}.svc"
    token = partial(token_of_the_agent, plane, "worker-1")
    agents = SimulatedAgents(lambda: coordinator.address, Tls(ca_file, host, token))
    try:
        coordinator.start()
        ca_file.write_bytes(authority(plane))
        agents.report("worker-1", WITH_DRIVER)
        # The last ones to come: what else decides on them is known a little later.
        assert eventually(lambda: labels(plane).keys() >= {names.WAIT_LABEL, names.NIC_CONFIGURATION_WAIT_LABEL})
        yield
    finally:
        agents.close()
        coordinator.kill()


def labels(plane: ControlPlane) -> dict[str, str]:
    found = plane.get("node", "worker-1")["metadata"]["labels"]
    return {key: value for key, value in found.items() if may_be_written(key)}


def written(plane: ControlPlane, since: datetime) -> list[str]:
    """When the coordinator has written a Node since then."""
    user = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
    of_nodes = (each for each in plane.audit() if each.get("objectRef", {}).get("resource") == "nodes")
    mine = (each for each in of_nodes if each["user"]["username"] == user and each["verb"] == "patch")
    times = (each["requestReceivedTimestamp"] for each in mine)
    return [time for time in times if datetime.fromisoformat(time) > since]


def lease_uid(plane: ControlPlane) -> str:
    """Empty without one."""
    return plane.kubectl("get", "lease", LEASE, IN_NAMESPACE, "--ignore-not-found", "--output=jsonpath={.metadata.uid}")


def everything(plane: ControlPlane) -> set[tuple[str, str]]:
    """Kind and name of every object that somebody could delete."""
    return eventually(lambda: _everything(plane))


def _everything(plane: ControlPlane) -> set[tuple[str, str]]:
    """Empty while a kind is listed that is gone."""
    kinds = plane.kubectl("api-resources", "--verbs=list,delete", "--output=name").split()
    line = '{range .items[*]}{.kind} {.metadata.name}{"\\n"}{end}'
    try:
        said = plane.kubectl("get", ",".join(kinds), "--all-namespaces", f"--output=jsonpath={line}")
    except ControlPlaneError:
        return set()
    found = {(kind, name) for kind, _, name in (each.partition(" ") for each in said.splitlines())}
    return {each for each in found if each[0] not in PASSING}


def test_an_upgrade_from_the_chart_before_keeps_labels_workloads_and_certificate(
    installer: Helm, plane: ControlPlane, tmp_path: Path
) -> None:
    installer.run("install", "nicfleet", LATEST, IN_NAMESPACE, *WAIT, values={"agent": {"logLevel": "debug"}})
    plane.install(ROOT / "deploy/crds")
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
    plane.apply(body | {"metadata": {"name": LEASE, "namespace": NAMESPACE}})  # as that chart's coordinator left it
    lease = lease_uid(plane)
    with coordinator_and_agent(plane, tmp_path):
        since = datetime.now(UTC)
        before = labels(plane), workloads(plane), secret(plane), authority(plane), deleted(plane)

        installer.run("upgrade", "nicfleet", CHART, IN_NAMESPACE, "--reset-then-reuse-values", *WAIT)

        after = labels(plane), workloads(plane), secret(plane), authority(plane), deleted(plane)
        assert after == before
        assert written(plane, since) == []
        agent = plane.get("daemonset", "nicfleet-agent", IN_NAMESPACE)["spec"]["template"]["spec"]
        assert {"name": "NICFLEET_LOG_LEVEL", "value": "debug"} in agent["containers"][0]["env"]
        assert lease_uid(plane) == lease
    installer.run("uninstall", "nicfleet", IN_NAMESPACE, "--wait")
    assert eventually(lambda: lease_uid(plane) == "")


def test_a_rollback_takes_back_the_release_alone_and_the_way_forward_stays_open(
    installer: Helm, plane: ControlPlane, tmp_path: Path
) -> None:
    """By the page's command. The CRDs stay as the newer chart's hook left them: a rollback runs none."""
    installer.run("install", "nicfleet", LATEST, IN_NAMESPACE, *WAIT, values={"agent": {"logLevel": "debug"}})
    plane.install(ROOT / "deploy/crds")
    forward = ("upgrade", "nicfleet", CHART, IN_NAMESPACE, "--reset-then-reuse-values", *WAIT)
    (back,) = (line.split()[1:] for line in UPGRADE.splitlines() if line.startswith("    helm rollback "))
    with coordinator_and_agent(plane, tmp_path):
        apply_policy(plane, secondaryNetwork={"cniPlugins": {"image": "plugins", "repository": "a", "version": "v1"}})
        eventually(lambda: of_policies(plane))
        installer.run(*forward)
        before, newer = kept(plane), manifest(installer)

        installer.run(*back, "--timeout=60s")
        assert manifest(installer) == manifest(installer, "--revision=1") != newer
        assert kept(plane) == before

        installer.run(*forward)
        assert manifest(installer) == newer
        assert kept(plane) == before | {"hooks": before["hooks"] + 1}
        plane.kubectl("delete", "nicclusterpolicy", names.POLICY_NAME)
        assert eventually(lambda: of_policies(plane) == {})
    installer.run("uninstall", "nicfleet", IN_NAMESPACE, "--wait")


def kept(plane: ControlPlane) -> dict[str, Any]:
    """What no step of a release may touch, and how often its hook ran."""
    mine = policy(plane)
    return {
        "labels": labels(plane),
        "workloads": workloads(plane) | of_policies(plane),
        "policy": (mine["metadata"]["uid"], mine["metadata"]["generation"], mine["spec"]),
        "crds": {each["metadata"]["uid"]: each["metadata"]["generation"] for each in plane.get("crd")["items"]},
        "certificate": (secret(plane), authority(plane)),
        "deleted": deleted(plane),
        "hooks": hooks_run(plane),
    }


def of_policies(plane: ControlPlane) -> dict[str, str]:
    """The uid of each workload that a policy asked for."""
    found = plane.get("daemonsets", IN_NAMESPACE, f"--selector={names.STATE_LABEL}")["items"]
    return {each["metadata"]["name"]: each["metadata"]["uid"] for each in found}


def manifest(installer: Helm, *which: str) -> str:
    """What the release is made of."""
    return installer.run("get", "manifest", "nicfleet", IN_NAMESPACE, *which)


def test_an_upgrade_from_the_first_chart_keeps_the_workloads(installer: Helm, plane: ControlPlane) -> None:
    """Before there was a certificate. None of its selectors, which nobody can change, is another one now."""
    installer.run("install", "nicfleet", FIRST, IN_NAMESPACE, *WAIT, values={})
    before = workloads(plane), deleted(plane)
    with pytest.raises(HelmFailed, match="at '': missing property 'tls'"):
        installer.run("upgrade", "nicfleet", CHART, IN_NAMESPACE, "--reuse-values")

    installer.run("upgrade", "nicfleet", CHART, IN_NAMESPACE, "--reset-then-reuse-values", *WAIT)

    assert (workloads(plane), deleted(plane)) == before
    installer.run("uninstall", "nicfleet", IN_NAMESPACE, "--wait")


def test_an_upgrade_brings_the_crds_back(installer: Helm, plane: ControlPlane) -> None:
    """By its hook, which runs after helm has looked for a policy to keep."""
    installer.run("install", "nicfleet", CHART, IN_NAMESPACE, *WAIT, values={})
    plane.remove("-f", str(ROOT / "deploy/crds"))
    before = hooks_run(plane)
    installer.run("upgrade", "nicfleet", CHART, IN_NAMESPACE, *WAIT, values={})
    assert hooks_run(plane) == before + 1
    installer.run("uninstall", "nicfleet", IN_NAMESPACE, "--wait")


def test_an_uninstall_leaves_what_the_page_says(installer: Helm, plane: ControlPlane, tmp_path: Path) -> None:
    """Of all kinds that there are. The coordinator runs on meanwhile, as its pod does until it is told to end."""
    plane.remove("-f", str(ROOT / "deploy/crds"))
    before = everything(plane)
    installer.run("install", "nicfleet", CHART, IN_NAMESPACE, *WAIT, values={})
    plane.install(ROOT / "deploy/crds")
    with pytest.raises(HelmFailed, match="timed out"):  # kwok runs no pod but a Job's to its end
        installer.run("test", "nicfleet", IN_NAMESPACE, "--timeout=5s")
    with coordinator_and_agent(plane, tmp_path):
        made = everything(plane) - before
        assert {("Lease", LEASE), ("Secret", "nicfleet-coordinator-tls"), ("ConfigMap", "nicfleet-ca")} <= made
        assert "data" in plane.get("secret", "nicfleet-coordinator-tls", IN_NAMESPACE)
        plane.kubectl("delete", "lease", LEASE, IN_NAMESPACE)
        assert eventually(lambda: lease_uid(plane) != ""), "the coordinator makes it anew"
        lease = lease_uid(plane)
        installer.run("upgrade", "nicfleet", CHART, IN_NAMESPACE, *WAIT, values={"agent": {"logLevel": "debug"}})
        assert lease_uid(plane) == lease
        installer.run("uninstall", "nicfleet", IN_NAMESPACE, "--wait")
        assert eventually(lambda: lease_uid(plane) == "")
        assert eventually(lambda: plane.kubectl("get", "pods", IN_NAMESPACE, "-o", "name") == "pod/nicfleet-check\n")
        assert eventually(lambda: left(plane, before) == {("Pod", "nicfleet-check")})
        crds = {each for each in everything(plane) - before if each[0] == CRD}

    assert len(crds) == 6
    assert row_of("Pod `nicfleet-check`")
    words = (row_of("The CRDs of nicfleet") + row_of("The CRD of NetworkAttachmentDefinitions")).split()
    assert {name for _, name in crds} <= {word.strip("`") for word in words}
    assert labels(plane)
    assert row_of("Labels that nicfleet wrote to nodes")
    mine, common = {"example.com/mine": "a"}, {names.OS_ID_LABEL: labels(plane)[names.OS_ID_LABEL]}
    plane.kubectl("apply", "--server-side", "--field-manager=me", "-f", "-", input=worker(common))
    plane.kubectl("apply", "-f", "-", input=worker(mine))
    run_of_page("kubectl label node", plane)
    assert labels(plane) == common
    assert mine.items() <= plane.get("node", "worker-1")["metadata"]["labels"].items()


def worker(labels: dict[str, str]) -> str:
    """The Node, as a person writes it."""
    metadata = {"name": "worker-1", "labels": labels}
    return json.dumps({"apiVersion": "v1", "kind": "Node", "metadata": metadata})


def left(plane: ControlPlane, before: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """All that was not there before, but for CRDs."""
    return {each for each in everything(plane) - before if each[0] != CRD}


def row_of(word: str) -> str:
    """The line of the page's table about it."""
    (row,) = (line for line in PAGE.splitlines() if line.startswith("|") and word in line.split("|")[1])
    return row


def hooks_run(plane: ControlPlane) -> int:
    """How many Jobs that bring the CRDs in step were made."""
    made = (each.get("objectRef", {}) for each in plane.audit() if each["verb"] == "create")
    return sum((each.get("resource"), each.get("name")) == ("jobs", "nicfleet-install-crds") for each in made)


def run_of_page(word: str, plane: ControlPlane) -> None:
    """Run the page's block that has this in it, as a person pastes it."""
    (block,) = (each for each in PAGE.split("\n\n") if each.startswith("    ") and word in each)
    path = f"{plane.kubectl_path.parent}:{os.environ['PATH']}"
    subprocess.run(["bash", "-euo", "pipefail", "-c", block], check=True, env={"PATH": path, **plane.environment})
