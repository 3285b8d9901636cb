"""The CRDs' installation on a real API server: once, again without a write, and never over somebody else's."""

import asyncio
import copy
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from coordinator.attachment_crd import CRD, FILE
from coordinator.crd import definitions
from tests.controlplane.cluster import ControlPlane

ROOT = Path(__file__).parents[3]
NAD = CRD["metadata"]["name"]
MACVLAN = "macvlannetworks.mellanox.com"
REFUSED = 2
"""Another attempt would not mend it."""


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    """One for each test: CRDs are the whole cluster's, and deleting one that was just made may take minutes."""
    with ControlPlane(["etcd", "kube-apiserver"]) as control_plane:
        yield control_plane


def run(plane: ControlPlane, *arguments: str) -> tuple[int, dict[str, str]]:
    """The exit code, and what is said of each CRD."""
    command = [sys.executable, "-m", "coordinator.install_crds", f"--kubeconfig={plane.kubeconfig}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=dict(os.environ))
    assert done.stderr == ""
    lines = [line.partition(": ") for line in done.stdout.splitlines()]
    return done.returncode, {name: said for name, _, said in lines}


def writes(plane: ControlPlane) -> int:
    """Requests so far that could have changed a CRD."""
    return sum(
        1
        for event in plane.audit()
        if event.get("objectRef", {}).get("resource") == "customresourcedefinitions"
        and event["verb"] not in ("get", "list", "watch")
        and event["user"]["username"] != "system:apiserver"
    )


def stored(plane: ControlPlane, name: str) -> dict[str, Any]:
    found: dict[str, Any] = plane.get("crd", name, "--show-managed-fields")
    return {"spec": found["spec"], "managers": [each["manager"] for each in found["metadata"]["managedFields"]]}


async def test_a_fresh_cluster_gets_all_and_a_second_run_writes_nothing(plane: ControlPlane) -> None:
    first = run(plane)
    before = writes(plane)
    second = run(plane, f"--folder={ROOT / 'deploy/crds'}")
    await asyncio.sleep(0.3)  # for the audit log

    names = [crd["metadata"]["name"] for crd in definitions().values()]
    assert first == (0, dict.fromkeys(names, "created"))
    assert second == (0, dict.fromkeys(sorted(names), "unchanged"))
    assert writes(plane) == before
    assert stored(plane, NAD)["spec"]["names"]["shortNames"] == ["net-attach-def", "nad"]


def test_another_products_nad_is_left_alone(plane: ControlPlane) -> None:
    theirs = copy.deepcopy(CRD)
    theirs["spec"]["names"]["shortNames"] = ["net-attach-def"]
    plane.serve(theirs)
    before = stored(plane, NAD)

    code, said = run(plane)

    assert code == 0
    assert said[NAD].startswith("left alone: it is of field manager ")
    assert stored(plane, NAD) == before


def test_another_products_nad_that_cannot_be_used_is_an_error_and_left_alone(plane: ControlPlane) -> None:
    theirs = copy.deepcopy(CRD)
    theirs["spec"]["versions"][0]["name"] = "v2"
    plane.serve(theirs)
    before = stored(plane, NAD)

    code, said = run(plane)

    assert code == REFUSED
    assert "does not serve v1, which is needed" in said[NAD]
    assert said[MACVLAN] == "created"
    assert stored(plane, NAD) == before


@pytest.mark.parametrize("newer", ["version", "field"])
def test_a_newer_one_is_left_alone(plane: ControlPlane, tmp_path: Path, newer: str) -> None:
    theirs = copy.deepcopy(definitions()["mellanox.com_macvlannetworks.yaml"])
    (version,) = theirs["spec"]["versions"]
    if newer == "version":
        theirs["spec"]["versions"].append({**copy.deepcopy(version), "name": "v1beta1", "storage": False})
    else:
        version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["later"] = {"type": "string"}
    (tmp_path / "newer.yaml").write_text(yaml.safe_dump(theirs))
    assert run(plane, f"--folder={tmp_path}") == (0, {MACVLAN: "created"})
    plane.install()  # nothing more; but the server has written what it writes into a new one then
    before = stored(plane, MACVLAN)

    code, said = run(plane)

    assert code == 0
    assert said[MACVLAN].startswith("left alone: it is newer: this version does not know ")
    assert stored(plane, MACVLAN) == before


def test_one_of_another_release_ends_the_installation_until_it_is_given_up(plane: ControlPlane) -> None:
    theirs = copy.deepcopy(definitions()["mellanox.com_macvlannetworks.yaml"])
    spec = theirs["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    spec["renamed"] = spec.pop("metaPlugins")
    plane.apply(theirs)
    before = stored(plane, MACVLAN)

    code, said = run(plane)
    assert code == REFUSED
    assert said[MACVLAN].startswith("refused: it is of another release, it has v1alpha1: spec.renamed, which ")
    assert stored(plane, MACVLAN) == before

    _, _, told = said[MACVLAN].partition("with kubectl ")
    plane.kubectl(*shlex.split(told.replace("deploy/crds", str(ROOT / "deploy/crds"))))
    code, said = run(plane)
    assert (code, said[MACVLAN]) == (0, "updated")


def test_upstreams_older_one_is_brought_up_to_date(plane: ControlPlane) -> None:
    older = copy.deepcopy(definitions()["mellanox.com_macvlannetworks.yaml"])
    properties = older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    del properties["spec"]["properties"]["metaPlugins"]
    plane.apply(older)

    first, second = run(plane), run(plane)

    assert first[1][MACVLAN] == "updated"
    assert second[1][MACVLAN] == "unchanged"
    schema = stored(plane, MACVLAN)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert "metaPlugins" in schema["properties"]["spec"]["properties"]


def test_the_file_of_the_nad_is_one_of_them() -> None:
    assert yaml.safe_load((ROOT / "deploy/crds" / FILE).read_text()) == CRD
