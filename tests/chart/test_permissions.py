"""What the accounts of the chart may do, but for the coordinator's: tests/rbac has that."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from coordinator.crd import definitions
from tests.chart.helm import NAMESPACE, ROOT, Helm
from tests.chart.variants import VARIANTS
from tests.controlplane.cluster import ControlPlane
from tests.rbac.compare import Differences, differences
from tests.rbac.documented import AGENT, CHECK, HOOK, documented, exceptions_of, rights_of
from tests.rbac.rights import granted
from tests.rbac.used import events_of, refused, used

TABLE = documented("The CRD hook")


def of_the_hook(helm: Helm) -> list[dict[str, Any]]:
    return [each for each in helm.template() if each["metadata"]["name"] == HOOK and each["kind"] != "Job"]


def test_the_page_has_the_rights_of_the_hook(helm: Helm) -> None:
    assert rights_of(TABLE) == granted(of_the_hook(helm), (NAMESPACE, HOOK))


def test_the_page_has_the_rights_of_the_check(helm: Helm) -> None:
    """That it uses them, and no other: tests/chart/test_install.py."""
    roles = [each for each in helm.template() if each["kind"] in ("Role", "RoleBinding")]
    assert rights_of(documented("The check")) == granted(roles, (NAMESPACE, CHECK))


def test_the_hook_uses_every_right_that_it_has_and_no_other(helm: Helm, plane: ControlPlane) -> None:
    """It makes the CRDs, and then looks at those that are there."""
    objects = of_the_hook(helm)
    plane.remove("crd", *(crd["metadata"]["name"] for crd in definitions().values()))
    plane.apply(*objects)
    kubeconfig = plane.service_account_kubeconfig(NAMESPACE, HOOK)

    for done in ("created", "unchanged"):
        said = install_crds(kubeconfig)
        assert {line.partition(": ")[2] for line in said.splitlines()} == {done}

    rights = granted(objects, (NAMESPACE, HOOK))
    plane.kubectl("get", "namespace", "default")  # logged after all that has ended by now
    events = events_of(plane.audit(), f"system:serviceaccount:{NAMESPACE}:{HOOK}")
    assert differences(rights, used(events, rights), exceptions_of(TABLE)) == Differences()
    assert refused(events) == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_agents_have_no_right(helm: Helm, variant: str) -> None:
    """Whatever the values: neither by name nor by a group."""
    for each in helm.template(VARIANTS[variant]):
        subjects = each["subjects"] if each["kind"].endswith("Binding") else ()
        assert [subject["kind"] for subject in subjects] in ([], ["ServiceAccount"])
        assert not any(subject["name"].endswith(AGENT.partition("-")[2]) for subject in subjects)


def install_crds(kubeconfig: Path) -> str:
    command = [sys.executable, "-m", "coordinator.install_crds", f"--kubeconfig={kubeconfig}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
