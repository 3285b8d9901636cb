"""What a watch of Nodes tells of their labels."""

import json

import pytest

from nicfleet import names
from tests.controlplane.errors import ControlPlaneError
from tests.e2e.watcher import Event, events, lacking, told

NIC = {names.NIC_LABEL: "true"}


def document(kind: str, version: int, labels: dict[str, str] | None) -> str:
    metadata = {"name": "worker", "resourceVersion": str(version), **({"labels": labels} if labels is not None else {})}
    return json.dumps({"type": kind, "object": {"kind": "Node", "metadata": metadata}}, indent=4)


def test_events_are_read_as_far_as_they_are_whole() -> None:
    stream = f"{document('ADDED', 7, NIC)}\n{document('MODIFIED', 9, None)}\n{document('MODIFIED', 11, NIC)[:-5]}"
    assert list(events(stream)) == [Event("ADDED", "worker", "7", NIC), Event("MODIFIED", "worker", "9", {})]
    assert list(events("")) == []


def test_a_node_that_was_deleted_has_no_label_left() -> None:
    (event,) = events(document("DELETED", 7, NIC))
    assert event.labels == {}


def test_what_is_no_event_of_a_node_is_not_passed_over() -> None:
    error = {"type": "ERROR", "object": {"kind": "Status", "message": "too old resource version"}}
    with pytest.raises(ControlPlaneError, match="too old resource version"):
        list(events(json.dumps(error)))


def test_an_event_that_lacks_a_label_is_named() -> None:
    seen = [
        Event("ADDED", "worker", "7", {**NIC, "b": ""}),
        Event("MODIFIED", "worker", "9", {"b": ""}),
        Event("DELETED", "worker", "11", {}),
    ]
    assert lacking(seen[:1], {*NIC, "b"}) == []
    assert lacking(seen, {*NIC, "b"}) == [
        f"MODIFIED of worker at 9 is without {names.NIC_LABEL}",
        f"DELETED of worker at 11 is without b, {names.NIC_LABEL}",
    ]


def test_changes_are_told_of_labels_on_the_list() -> None:
    seen = [
        Event("ADDED", "worker", "7", {**NIC, "foreign": "1"}),
        Event("MODIFIED", "worker", "8", {**NIC, "foreign": "2"}),
        Event("MODIFIED", "worker", "9", {names.WAIT_LABEL: "true"}),
    ]
    assert [" ".join(line.split()) for line in told(seen).splitlines()] == [
        "7 ADDED 1 labels",
        "8 MODIFIED 1 labels",
        f"9 MODIFIED 1 labels {names.WAIT_LABEL}=true; without {names.NIC_LABEL}",
    ]
