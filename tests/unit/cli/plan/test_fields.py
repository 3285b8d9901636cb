"""Parts of objects, by managedFields."""

import json
from typing import Any

import pytest

from cli.plan.fields import ours, part, taken_away, without
from coordinator.objects.live import decode_object
from nicfleet import names

CONTAINER = {"name": "main", "image": "x", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
KEYED: dict[str, Any] = {'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}}


@pytest.mark.parametrize(
    ("value", "fields", "kept", "rest"),
    [
        pytest.param({"a": 1, "b": 2}, {"f:a": {}}, {"a": 1}, {"b": 2}, id="a-key"),
        pytest.param({"a": {"x": 1, "y": 2}}, {"f:a": {"f:x": {}}}, {"a": {"x": 1}}, {"a": {"y": 2}}, id="below"),
        pytest.param({"a": {"x": 1}}, {"f:a": {"f:x": {}}}, {"a": {"x": 1}}, {"a": {}}, id="the-map-is-anothers"),
        pytest.param({"a": {"x": 1}}, {"f:a": {".": {}, "f:x": {}}}, {"a": {"x": 1}}, {}, id="the-map-itself"),
        pytest.param({"a": [1, 2]}, {"f:a": {}}, {"a": [1, 2]}, {}, id="a-list-as-a-whole"),
        pytest.param({"a": ["x", "y"]}, {"f:a": {'v:"x"': {}}}, {"a": ["x"]}, {"a": ["y"]}, id="of-a-set"),
        pytest.param(
            CONTAINER,
            {"f:env": KEYED},
            {"env": [{"name": "A", "value": "1"}]},
            {"name": "main", "image": "x", "env": [{"name": "B", "value": "2"}]},
            id="an-item-by-its-key",
        ),
        pytest.param(
            CONTAINER,
            {"f:env": {'k:{"name":"A"}': {"f:value": {}}}},
            {"env": [{"value": "1"}]},
            {"name": "main", "image": "x", "env": [{"name": "A"}, {"name": "B", "value": "2"}]},
            id="a-field-of-an-item",
        ),
        pytest.param({"a": 1}, {"f:b": {}}, {}, {"a": 1}, id="not-there"),
    ],
)
def test_a_part_and_the_rest(value: Any, fields: dict[str, Any], kept: Any, rest: Any) -> None:
    assert part(value, fields) == kept
    assert without(value, fields) == rest


def entry(manager: str, fields: dict[str, Any], operation: str = "Apply", **more: str) -> dict[str, Any]:
    head = {"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1"}
    return {**head, "fieldsV1": fields, **more}


def config_map(*managed: dict[str, Any]) -> Any:
    metadata = {"name": "x", "uid": "u", "resourceVersion": "1", "managedFields": managed}
    return decode_object(json.dumps({"metadata": metadata}).encode(), "ConfigMap")


DESIRED: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "1"}}
OURS = entry(names.OBJECTS_MANAGER, {"f:data": {"f:a": {}, "f:old": {}}})
THEIRS = entry("kubectl-edit", {"f:data": {"f:added": {}}}, "Update")


def test_what_others_hold_of_the_content_becomes_ours() -> None:
    assert ours(config_map(OURS, THEIRS), DESIRED) == {"f:data": {"f:a": {}, "f:old": {}, "f:added": {}}}


def test_only_what_a_bare_apply_leaves_is_taken_away_besides() -> None:
    """`old` goes by the apply itself; `added` has to be taken over first; what Kubernetes set stays."""
    system = entry("kube-controller-manager", {"f:data": {"f:theirs": {}}}, "Update")
    after = config_map(entry(names.OBJECTS_MANAGER, {"f:data": {"f:a": {}}}), THEIRS, system)

    gone = taken_away(config_map(OURS, THEIRS, system), DESIRED, after)

    assert gone == {"f:data": {"f:old": {}, "f:added": {}}}
    assert without({"data": {"a": "1", "added": "2", "theirs": "3"}}, gone) == {"data": {"a": "1", "theirs": "3"}}


def test_what_two_hold_stays_for_the_other() -> None:
    shared = entry("kube-controller-manager", {"f:data": {"f:old": {}}}, "Update")
    after = config_map(entry(names.OBJECTS_MANAGER, {"f:data": {"f:a": {}}}), shared)
    assert taken_away(config_map(OURS, shared), DESIRED, after) == {}
