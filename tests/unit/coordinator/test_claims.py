"""Volume claims that are there: what is applied to them, and what Kubernetes would refuse anyway."""

import json
from typing import Any

import pytest

from coordinator.kube.objects import Ref
from coordinator.objects.claims import fitted, stays


def spec(size: str, storage_class: str | None = None) -> dict[str, Any]:
    named = {} if storage_class is None else {"storageClassName": storage_class}
    return {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": size}}} | named


def live(size: str, storage_class: str | None = None) -> bytes:
    """As the API server has it, with fields of its own."""
    return json.dumps(
        {"kind": "PersistentVolumeClaim", "spec": spec(size, storage_class) | {"volumeName": "v"}}
    ).encode()


@pytest.mark.parametrize(
    ("there", "wanted", "expected"),
    [
        pytest.param(live("1Gi", "nfs"), spec("1Gi", "nfs"), spec("1Gi", "nfs"), id="the-same"),
        pytest.param(live("1Gi", "usual"), spec("1Gi"), spec("1Gi", "usual"), id="the-clusters-class"),
        pytest.param(live("1Gi", "nfs"), spec("2Gi", "nfs"), spec("2Gi", "nfs"), id="more"),
        pytest.param(live("3Gi", "nfs"), spec("2Gi", "nfs"), spec("3Gi", "nfs"), id="enlarged-by-hand"),
        pytest.param(live("1073741824"), spec("1024Mi"), spec("1024Mi"), id="the-same-in-other-words"),
        pytest.param(live("1Gi"), spec("1Gi", "nfs"), spec("1Gi", "nfs"), id="a-class-for-one-without"),
        pytest.param(live("1Gi", "nfs"), spec("1Gi", "ssd"), None, id="another-class"),
        pytest.param(live("1Gi", ""), spec("1Gi", "ssd"), None, id="a-class-for-one-that-must-have-none"),
    ],
)
def test_a_claim_grows_and_changes_in_nothing_else(
    there: bytes, wanted: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    found = fitted(there, {"kind": "PersistentVolumeClaim", "spec": wanted})
    assert found == (expected and {"kind": "PersistentVolumeClaim", "spec": expected})


@pytest.mark.parametrize(
    ("there", "words"),
    [
        pytest.param(live("1Gi", "nfs"), "keeps its size 1Gi and storage class nfs: ", id="class"),
        pytest.param(live("1Gi"), "keeps its size 1Gi and no storage class: ", id="no-class"),
    ],
)
def test_what_it_has_is_told(there: bytes, words: str) -> None:
    finding = stays(Ref("PersistentVolumeClaim", "n", "firmware"), there).finding
    assert finding is not None
    assert finding.message.startswith(f"PersistentVolumeClaim n/firmware {words}")
