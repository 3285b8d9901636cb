"""CRDs that are there already: which may be written, which are used as they stand, which are in the way."""

import json
from typing import Any

import pytest

from coordinator.kube.objects import Ref
from coordinator.objects.crds import crd_stands
from coordinator.objects.live import LiveObject
from coordinator.objects.outcome import Action
from coordinator.objects.ownership import ManagedEntry
from nicfleet.names import OBJECTS_MANAGER
from nicfleet.reasons import Reason

OURS = (ManagedEntry(OBJECTS_MANAGER, "Apply"),)
HELM = (ManagedEntry("helm", "Update"),)


def spec(*versions: str) -> dict[str, Any]:
    served = [{"name": version.strip("-"), "served": not version.startswith("-")} for version in versions]
    return {"spec": {"versions": served}}


@pytest.mark.parametrize(
    ("managed", "live", "wanted", "action"),
    [
        pytest.param(OURS, ("v1",), ("v1",), None, id="ours"),
        pytest.param(OURS, ("v1",), ("v1", "v2"), None, id="ours-and-older"),
        pytest.param(OURS, ("v1", "v2"), ("v1",), Action.UNCHANGED, id="ours-and-newer"),
        pytest.param(HELM, ("v1",), ("v1",), Action.UNCHANGED, id="anothers"),
        pytest.param(HELM, ("v1", "v2"), ("v1",), Action.UNCHANGED, id="anothers-and-newer"),
        pytest.param(HELM, ("v1",), ("v1", "v2"), Action.REFUSED, id="anothers-and-older"),
        pytest.param(HELM, ("v1", "-v2"), ("v1", "v2"), Action.REFUSED, id="anothers-does-not-serve-it-any-more"),
    ],
)
def test_crd_stands(
    managed: tuple[ManagedEntry, ...], live: tuple[str, ...], wanted: tuple[str, ...], action: Action | None
) -> None:
    found = LiveObject(Ref("CustomResourceDefinition", "", "pools.example"), "u", "1", managed=managed)

    outcome = crd_stands(found, json.dumps(spec(*live)).encode(), spec(*wanted))

    assert (outcome and outcome.action) == action


def test_the_sentence_names_the_crd_its_holder_and_the_version() -> None:
    found = LiveObject(Ref("CustomResourceDefinition", "", "pools.example"), "u", "1", managed=HELM)

    outcome = crd_stands(found, json.dumps(spec("v1")).encode(), spec("v1", "v2"))

    assert outcome is not None
    assert outcome.finding is not None
    assert outcome.finding.reason is Reason.CrdUnusable
    assert outcome.finding.message.startswith(
        "CustomResourceDefinition pools.example of field manager helm does not serve v2"
    )
