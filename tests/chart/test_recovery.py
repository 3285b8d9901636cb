"""What install.md tells after a helm that failed or was killed, and upgrade.md between Helm and `make deploy`.

Carried out on a real API server. No test may lose a label, a policy, a CRD or what a coordinator made for the policy.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nicfleet import names
from tests.chart.helm import CHART, NAMESPACE, ROOT, Helm, HelmFailed
from tests.chart.test_install import WAIT, apply_policy, authority, deleted, policy, workloads
from tests.chart.test_upgrade import coordinator_and_agent, labels
from tests.controlplane.cluster import ControlPlane
from tests.integration.system.waiting import eventually

INSTALL, UPGRADE = ((ROOT / f"docs/how-to/{page}.md").read_text() for page in ("install", "upgrade"))
IN_NAMESPACE = f"--namespace={NAMESPACE}"
PLUGINS = {"cniPlugins": {"image": "plugins", "repository": "example.com/a", "version": "v1"}}
NOWHERE = "--set=operator.nodeSelector.no=where"
"""The hook's pod fits no node, so helm waits for it until it is killed."""


@pytest.fixture(scope="module")
def used(installer: Helm, plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> ControlPlane:
    """A cluster with labels, a policy and what was made for it, as a release left it that is not there any more."""
    plane.install(ROOT / "deploy/crds")
    installer.run("install", "nicfleet", CHART, IN_NAMESPACE, *WAIT, values={})
    with coordinator_and_agent(plane, tmp_path_factory.mktemp("used")):
        apply_policy(plane, secondaryNetwork=PLUGINS)
        eventually(lambda: made_for_the_policy(plane))
    installer.run("uninstall", "nicfleet", IN_NAMESPACE, "--wait")
    return plane


def made_for_the_policy(plane: ControlPlane) -> dict[str, str]:
    found = plane.get("daemonsets", IN_NAMESPACE, f"--selector={names.STATE_LABEL}")["items"]
    return {each["metadata"]["name"]: each["metadata"]["uid"] for each in found}


@pytest.fixture(autouse=True)
def nothing_of_the_users_is_touched(used: ControlPlane) -> Iterator[None]:
    def kept() -> tuple[Any, ...]:
        mine = policy(used)
        crds = {each["metadata"]["uid"] for each in used.get("crd")["items"]}
        return labels(used), made_for_the_policy(used), mine["metadata"]["uid"], mine["spec"], crds, deleted(used)

    before = kept()
    yield
    assert kept() == before


@contextmanager
def killed(installer: Helm, *arguments: str | Path) -> Iterator[None]:
    """A helm that is killed when the body ends, which waits for it to be where it shall not go on."""
    helm = installer.start(*arguments, IN_NAMESPACE)
    try:
        yield
        assert helm.poll() is None, "it was to be killed in the middle"
    finally:
        helm.kill()
        helm.wait()


def statuses(installer: Helm) -> list[str]:
    """Of the revisions from the first one on."""
    revisions = json.loads(installer.run("history", "nicfleet", IN_NAMESPACE, "--output=json"))
    return [each["status"] for each in revisions]


def status(installer: Helm) -> str:
    """Of the last revision, where the page says to look."""
    return statuses(installer)[-1]


def row(state: str) -> str:
    """What to do at this status, by the page."""
    (found,) = (line for line in INSTALL.splitlines() if line.startswith("| `") and f"`{state}`" in line.split("|")[1])
    return found.split("|")[2]


def command(state: str, word: str, **words: str) -> list[str]:
    """The arguments of the row's command, with its words in capitals replaced."""
    (found,) = (each for each in re.findall(r"`helm ([^`]*)`", row(state)) if each.startswith(word))
    return [words.get(each, each) for each in found.split()]


def refused(installer: Helm, *arguments: str | Path) -> str:
    with pytest.raises(HelmFailed) as failed:
        installer.run(*arguments, IN_NAMESPACE, values={})
    return str(failed.value)


def test_an_install_that_was_killed_in_its_hook(installer: Helm, used: ControlPlane) -> None:
    with killed(installer, "install", "nicfleet", CHART, NOWHERE):
        eventually(lambda: hook(used))
    assert status(installer) == "pending-install"
    assert "cannot re-use a name that is still in use" in refused(installer, "install", "nicfleet", CHART)
    assert "another operation (install/upgrade/rollback) is in progress" in refused(
        installer, "upgrade", "nicfleet", CHART
    )

    installer.run(*command("pending-install", "uninstall"))
    assert hook(used), "it runs on, as the page says"
    installer.run("install", "nicfleet", CHART, IN_NAMESPACE, *WAIT, values={})

    assert status(installer) == "deployed"
    assert hook(used) == ""
    installer.run("uninstall", "nicfleet", IN_NAMESPACE, "--wait")


def hook(plane: ControlPlane) -> str:
    """The uid of its Job; empty without one."""
    name = "--output=jsonpath={.metadata.uid}"
    return plane.kubectl("get", "job", "nicfleet-install-crds", IN_NAMESPACE, "--ignore-not-found", name)


def test_an_install_that_failed(installer: Helm, used: ControlPlane) -> None:
    with pytest.raises(HelmFailed, match="timed out"):
        installer.run("install", "nicfleet", CHART, IN_NAMESPACE, "--timeout=2s", NOWHERE)
    assert status(installer) == "failed"
    assert "cannot re-use a name that is still in use" in refused(installer, "install", "nicfleet", CHART)

    assert {"helm upgrade", "--reset-values"} <= set(re.findall(r"`([^`]*)`", row("failed")))
    installer.run("upgrade", "nicfleet", CHART, IN_NAMESPACE, "--reset-values", *WAIT, values={})

    assert status(installer) == "deployed"
    assert hook(used) == ""
    installer.run("uninstall", "nicfleet", IN_NAMESPACE, "--wait")


def test_an_upgrade_that_was_killed_in_its_hook(installer: Helm, used: ControlPlane) -> None:
    installer.run("install", "nicfleet", CHART, IN_NAMESPACE, *WAIT, values={})
    before = workloads(used)
    with killed(installer, "upgrade", "nicfleet", CHART, NOWHERE):
        eventually(lambda: hook(used))
    assert statuses(installer) == ["deployed", "pending-upgrade"]
    assert "another operation (install/upgrade/rollback) is in progress" in refused(
        installer, "upgrade", "nicfleet", CHART
    )

    installer.run(*command("pending-upgrade", "rollback", REVISION="1"), "--timeout=60s")
    assert status(installer) == "deployed"
    installer.run("upgrade", "nicfleet", CHART, IN_NAMESPACE, "--reset-then-reuse-values", *WAIT)

    assert workloads(used) == before
    assert hook(used) == ""
    installer.run("uninstall", "nicfleet", IN_NAMESPACE, "--wait")


def test_a_rollback_that_was_killed_while_it_waited(installer: Helm, used: ControlPlane) -> None:
    never_ready = {"operator": {"podAnnotations": {"nicfleet.test/image-pull-fails": "no such image"}}}
    installer.run("install", "nicfleet", CHART, IN_NAMESPACE, values=never_ready)
    installer.run("upgrade", "nicfleet", CHART, IN_NAMESPACE, "--reset-values", *WAIT)
    with killed(installer, "rollback", "nicfleet", "1", "--wait"):
        eventually(lambda: "no such image" in coordinators(used))
    assert statuses(installer) == ["superseded", "deployed", "pending-rollback"]

    installer.run(*command("pending-rollback", "rollback", REVISION="2"), "--timeout=60s")

    assert status(installer) == "deployed"
    assert "no such image" not in coordinators(used)
    installer.run("uninstall", "nicfleet", IN_NAMESPACE, "--wait")


def coordinators(plane: ControlPlane) -> str:
    return plane.kubectl("get", "deployment", "nicfleet-coordinator", IN_NAMESPACE, "--output=yaml")


def test_an_uninstall_that_was_killed(installer: Helm, used: ControlPlane) -> None:
    installer.run("install", "nicfleet", CHART, IN_NAMESPACE, *WAIT, values={})
    held = ("patch", "service", "nicfleet-coordinator", IN_NAMESPACE, "--type=merge")
    used.kubectl(*held, '-p={"metadata": {"finalizers": ["example.com/held"]}}')
    with killed(installer, "uninstall", "nicfleet", "--wait"):
        eventually(lambda: "deletionTimestamp" in used.get("service", "nicfleet-coordinator", IN_NAMESPACE)["metadata"])
    used.kubectl(*held, '-p={"metadata": {"finalizers": null}}')
    assert status(installer) == "uninstalling"
    assert "cannot re-use a name that is still in use" in refused(installer, "install", "nicfleet", CHART)
    assert "has no deployed releases" in refused(installer, "upgrade", "nicfleet", CHART)

    installer.run(*command("uninstalling", "uninstall"))
    installer.run("install", "nicfleet", CHART, IN_NAMESPACE, *WAIT, values={})

    assert status(installer) == "deployed"
    installer.run("uninstall", "nicfleet", IN_NAMESPACE, "--wait")


def test_from_make_deploy_to_helm_and_back(installer: Helm, used: ControlPlane, tmp_path: Path) -> None:
    """By the page's commands. The release takes over every object and restarts no pod."""
    to_helm, back = (each.split("\n\n")[1] for each in UPGRADE.split("From ")[1:3])

    run(back.splitlines()[-1], installer, used)
    eventually(lambda: agents(used) == ["worker-1", "worker-2"])
    with coordinator_and_agent(used, tmp_path):
        before = workloads(used), templates(used), authority(used)
        exists = refused(installer, "install", "nicfleet", CHART)
        assert "exists and cannot be imported" in exists
        assert "missing key" in exists

        run(to_helm, installer, used)

        assert (workloads(used), templates(used), authority(used)) == before
    assert status(installer) == "deployed"

    run(back, installer, used)
    with pytest.raises(HelmFailed, match="release: not found"):
        installer.run("status", "nicfleet", IN_NAMESPACE)
    assert workloads(used).keys() == before[0].keys()
    run("make undeploy force=true", installer, used)


def agents(plane: ControlPlane) -> list[str]:
    """The node of each agent's pod; those of a release before may be going still."""
    pods = plane.get("pods", IN_NAMESPACE, "--selector=app.kubernetes.io/name=nicfleet-agent")["items"]
    return sorted(each["spec"].get("nodeName", "") for each in pods)


def templates(plane: ControlPlane) -> dict[str, Any]:
    """What pods are made of, and so whether any is replaced."""
    found = plane.get("deployments,daemonsets", IN_NAMESPACE, "--selector=app.kubernetes.io/part-of=nicfleet")["items"]
    return {each["metadata"]["name"]: each["spec"]["template"] for each in found}


def run(block: str, installer: Helm, plane: ControlPlane) -> None:
    """As a person pastes it."""
    path = f"{plane.kubectl_path.parent}:{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block], cwd=ROOT, check=True, timeout=120,
        env=installer.environment | {"PATH": path},
    )  # fmt: skip
