"""Which CRDs are written, which are left alone, and what is said of each."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coordinator.attachment_crd import CRD
from coordinator.crd import KINDS, definition
from coordinator.install_crds import Unusable, judge, main, read
from coordinator.objects.desired import hashed
from nicfleet.names import OBJECTS_MANAGER

OURS = hashed(definition(KINDS[2]))
NAD = hashed(CRD)
Edit = Callable[[dict[str, Any]], None]


def live(desired: Any, manager: str, edit: Edit | None = None) -> bytes:
    """As the API server has it: a manager owns what was sent, then it was edited."""
    found = copy.deepcopy(dict(desired))
    operation = "Apply" if manager == OBJECTS_MANAGER else "Update"
    fields: dict[str, Any] = {"f:metadata": {"f:annotations": {"f:nicfleet.io/desired-hash": {}}}, "f:spec": {}}
    entry = {"manager": manager, "operation": operation, "fieldsV1": fields}
    found["metadata"] = {**found["metadata"], "uid": "u", "resourceVersion": "1", "managedFields": [entry]}
    if edit is not None:
        edit(found)
    return json.dumps(found).encode()


def version_added(crd: dict[str, Any]) -> None:
    not_as_sent(crd)
    crd["spec"]["versions"].append({**crd["spec"]["versions"][0], "name": "v9", "storage": False})


def field_added(crd: dict[str, Any]) -> None:
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["fromTheFuture"] = {"type": "array", "items": {"properties": {"x": {"type": "string"}}}}


def field_removed(crd: dict[str, Any]) -> None:
    crd["metadata"]["annotations"] = {}
    del crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["ipam"]


def field_renamed(crd: dict[str, Any]) -> None:
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    spec["ipamRenamed"] = spec.pop("ipam")


def other_version(crd: dict[str, Any]) -> None:
    crd["spec"]["versions"][0]["name"] = "v0"


def not_as_sent(crd: dict[str, Any]) -> None:
    crd["metadata"]["annotations"] = {"nicfleet.io/desired-hash": "another"}


@pytest.mark.parametrize(
    ("desired", "manager", "edit", "expected"),
    [
        pytest.param(OURS, OBJECTS_MANAGER, None, "macvlannetworks.mellanox.com: unchanged", id="ours-as-sent"),
        pytest.param(OURS, OBJECTS_MANAGER, not_as_sent, None, id="ours-of-an-earlier-version"),
        pytest.param(OURS, "kubectl", field_removed, None, id="upstreams-older-one"),
        pytest.param(OURS, "helm", None, None, id="the-same-by-another-hand-becomes-ours"),
        pytest.param(
            OURS,
            OBJECTS_MANAGER,
            version_added,
            "macvlannetworks.mellanox.com: left alone: it is newer: this version does not know v9 and ",
            id="ours-and-newer",
        ),
        pytest.param(
            OURS,
            "helm",
            field_added,
            "macvlannetworks.mellanox.com: left alone: it is newer: this version does not know v1alpha1: "
            "spec.fromTheFuture and 1 more",
            id="upstreams-and-newer",
        ),
        pytest.param(
            OURS,
            "helm",
            field_renamed,
            "macvlannetworks.mellanox.com: refused: it is of another release, it has v1alpha1: spec.ipamRenamed, which "
            "this version does not know, and no v1alpha1: spec.ipam: use a version that knows both, or give up what is "
            "stored in fields that this one does not know, with kubectl apply --server-side --force-conflicts -f "
            "deploy/crds/mellanox.com_macvlannetworks.yaml",
            id="upstreams-and-neither-newer-nor-older",
        ),
        pytest.param(
            NAD,
            "helm",
            None,
            "network-attachment-definitions.k8s.cni.cncf.io: left alone: it is of field manager helm and serves what "
            "is needed",
            id="nad-of-multus",
        ),
        pytest.param(
            NAD,
            "helm",
            other_version,
            "network-attachment-definitions.k8s.cni.cncf.io: refused: CustomResourceDefinition network-attachment-",
            id="nad-that-cannot-be-used",
        ),
        pytest.param(NAD, OBJECTS_MANAGER, not_as_sent, None, id="nad-of-ours"),
    ],
)
def test_judge(desired: Any, manager: str, edit: Edit | None, expected: str | None) -> None:
    result = judge(live(desired, manager, edit), desired)
    assert (result is None) is (expected is None)
    assert str(result).startswith(expected or "")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(None, "has no CRDs: give a folder", id="nothing"),
        pytest.param("kind: Secret", "has something other than CustomResourceDefinitions", id="other-kind"),
        pytest.param("- a", "has something other than CustomResourceDefinitions", id="no-object"),
        pytest.param("a: [", "is not readable: ", id="no-yaml"),
    ],
)
def test_a_folder_without_crds_is_refused_in_one_sentence(tmp_path: Path, content: str | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / "x.yaml").write_text(content)
    with pytest.raises(Unusable, match=sentence) as refused:
        read(tmp_path)
    assert "\n" not in str(refused.value)


def test_wrong_arguments_end_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--folder", str(tmp_path)]) == 2
    assert main(["--kubeconfig", str(tmp_path / "none")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert all(line.startswith("install_crds: ") for line in said)
