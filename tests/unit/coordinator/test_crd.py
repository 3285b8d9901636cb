"""The committed CRDs are what the models say, in the form the API server accepts."""

from collections.abc import Iterator
from typing import Any

import pytest

from coordinator.crd import KINDS, Kind, definition, definitions, document
from tests.unit.coordinator.policies import ROOT

CRDS = ROOT / "deploy/crds"

IDS = [kind.kind for kind in KINDS]


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for part, suffix in (("items", "[]"), ("additionalProperties", "{}")):
        if part in schema:
            yield from nodes(schema[part], path + suffix)


def root(kind: Kind) -> dict[str, Any]:
    (version,) = definition(kind)["spec"]["versions"]
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return schema


@pytest.mark.parametrize("name", definitions())
def test_committed_file_is_current(name: str) -> None:
    assert (CRDS / name).read_text() == document(definitions()[name]), "run `make generate`"


def test_no_file_without_a_definition() -> None:
    assert {path.name for path in CRDS.glob("*.yaml")} == definitions().keys()


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_every_node_is_structural(kind: Kind) -> None:
    for path, node in nodes(root(kind)):
        assert "type" in node or node.get("x-kubernetes-int-or-string"), path
        assert node.keys().isdisjoint({"$ref", "$defs", "title", "oneOf", "allOf", "const", "nullable"}), path
        assert "default" not in node or node["default"] is not None, path


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_every_field_is_explained(kind: Kind) -> None:
    silent = [
        path
        for path, node in nodes(root(kind))
        if path.endswith(tuple("abcdefghijklmnopqrstuvwxyz"))
        and path != ".metadata"
        and not node.get("description", "").endswith(".")
    ]
    assert silent == []
