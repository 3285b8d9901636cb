"""The CRDs have every field of the API with its type, default and bounds, and none beside it without a reason.

The API is in api_fields.yaml, which is written by hand from the facts, not from the models.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.coordinator.policies import ROOT

TABLE = Path(__file__).with_name("api_fields.yaml")

Node = Mapping[str, Any]
Constraints = dict[str, Any]

KINDS = ("NicClusterPolicy", "NicNodePolicy", "MacvlanNetwork", "HostDeviceNetwork", "IPoIBNetwork")
CHILDREN = ("fields", "items", "values")
WORDS = {"x-kubernetes-list-map-keys": "mapOn", "x-kubernetes-int-or-string": "intOrString"}


@cache
def table() -> Node:
    loaded: Node = yaml.safe_load(TABLE.read_text())
    return loaded


def added() -> list[Node]:
    """The fields that are not in today's API: of older releases, and our own."""
    found: list[Node] = table()["old"] + (table()["own"] or [])
    return found


@cache
def crds() -> Mapping[str, Node]:
    """The CRDs as committed, by kind."""
    found = (yaml.safe_load(path.read_text()) for path in (ROOT / "deploy/crds").glob("mellanox.com_*.yaml"))
    return {crd["spec"]["names"]["kind"]: crd for crd in found}


def version(kind: str) -> Node:
    (only,) = crds()[kind]["spec"]["versions"]
    found: Node = only
    return found


def in_table(field: Node, path: str) -> Iterator[tuple[str, Constraints]]:
    """A field of the table and all below it, by path."""
    own = {key: value for key, value in field.items() if key not in CHILDREN}
    if "items" in field:
        own["type"] = "array"
        yield from in_table(field["items"], f"{path}[]")
    elif "fields" in field:
        own["type"] = "object"
        for name, child in field["fields"].items():
            yield from in_table(child, f"{path}.{name}")
    elif "values" in field:
        own["type"] = "object"
        yield from in_table(field["values"], f"{path}{{}}")
    yield path, own


def in_schema(schema: Node, path: str, *, required: bool = False) -> Iterator[tuple[str, Constraints]]:
    """The same of a schema, in the table's words."""
    needed = schema.get("required", ())
    for name, child in schema.get("properties", {}).items():
        yield from in_schema(child, f"{path}.{name}", required=name in needed)
    if "items" in schema:
        yield from in_schema(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from in_schema(schema["additionalProperties"], f"{path}{{}}")
    yield path, ({"required": True} if required else {}) | _in_our_words(schema)


def _in_our_words(schema: Node) -> Constraints:
    own: Constraints = {}
    for key, value in schema.items():
        match key:
            case "description" | "properties" | "items" | "additionalProperties" | "required":
                pass
            case "anyOf":
                assert value == [{"type": "integer"}, {"type": "string"}]
            case "x-kubernetes-list-type" | "x-kubernetes-map-type":
                if value == "atomic":
                    own["atomic"] = True
            case "x-kubernetes-validations":
                assert [rule["rule"] for rule in value] == ["self == oldSelf"]
                own["immutable"] = True
            case _:
                own[WORDS.get(key, key)] = sorted(value) if key == "enum" else value
    return own


def expected(kind: str) -> dict[str, Constraints]:
    """What the CRD of a kind must have: the API, with what we let pass and what older releases had."""
    facts = table()["kinds"][kind]
    root = {"fields": {part: {"fields": facts[part]} for part in ("spec", "status")}}
    fields = dict(in_table(root, kind))
    for entry in table()["laxer"]:
        for key, value in entry["without"].items() if entry["path"] in fields else ():
            assert fields[entry["path"]].pop(key) == value
        if entry["path"] in fields:
            fields[entry["path"]] |= entry.get("with", {})
    for entry in added():
        parent, _, _ = entry["path"].rpartition(".")
        if parent in fields:
            assert entry["path"] not in fields, f"{entry['path']} is in the API"
            fields |= in_table(entry["field"], entry["path"])
    for constraints in fields.values():
        if "enum" in constraints:
            constraints["enum"] = sorted(constraints["enum"])
    return fields


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_as_in_the_api_and_none_beside_it(kind: str) -> None:
    root = version(kind)["schema"]["openAPIV3Schema"]
    parts = {part: root["properties"][part] for part in ("spec", "status")}
    found = dict(in_schema({**root, "properties": parts}, kind))

    wanted = expected(kind)

    assert sorted(found.keys() - wanted.keys()) == []
    assert sorted(wanted.keys() - found.keys()) == []
    assert {path: found[path] for path in wanted} == wanted


@pytest.mark.parametrize("entry", table()["laxer"] + added(), ids=lambda entry: entry["path"])
def test_a_difference_concerns_a_field_that_is_there_and_says_why(entry: Node) -> None:
    kind, _, _ = entry["path"].partition(".")
    assert entry["path"] in expected(kind)
    assert entry["why"].endswith(".")


@pytest.mark.parametrize("kind", KINDS)
def test_names_scope_and_versions(kind: str) -> None:
    facts, spec = table()["kinds"][kind], crds()[kind]["spec"]
    assert spec["names"] == {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": facts["plural"],
        "singular": kind.lower(),
        **({"shortNames": facts["shortNames"]} if "shortNames" in facts else {}),
    }
    assert crds()[kind]["metadata"]["name"] == f"{facts['plural']}.mellanox.com"
    assert (spec["group"], spec["scope"]) == ("mellanox.com", "Cluster")
    assert "conversion" not in spec
    assert {key: version(kind)[key] for key in ("name", "served", "storage", "subresources")} == {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
    }


@pytest.mark.parametrize("kind", KINDS)
def test_neither_spec_nor_status_is_required_and_metadata_is_free(kind: str) -> None:
    root = version(kind)["schema"]["openAPIV3Schema"]
    assert "required" not in root
    assert root["properties"]["metadata"] == {"type": "object"}
    assert set(root["properties"]) == {"apiVersion", "kind", "metadata", "spec", "status"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_columns_are_status_and_age(kind: str) -> None:
    """Scripts count columns, so ours come after upstream's. Age is a date, so that an age is shown."""
    first, second, *_ = version(kind)["additionalPrinterColumns"]
    assert first == {"name": "Status", "type": "string", "jsonPath": ".status.state"}
    assert second == {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def test_a_value_that_cannot_change_says_so_and_what_to_do() -> None:
    storage = version("NicClusterPolicy")["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"][
        "nicConfigurationOperator"
    ]["properties"]["nicFirmwareStorage"]["properties"]
    for field in ("storageClassName", "availableStorageSize"):
        (rule,) = storage[field]["x-kubernetes-validations"]
        assert rule["message"].startswith(f"{field} is immutable once set")
        assert "nicFirmwareStorage" in rule["message"]


def test_the_kind_of_networks_is_as_everywhere() -> None:
    """NetworkAttachmentDefinition is shared with multus and others: nothing more, nothing less."""
    crd = yaml.safe_load((ROOT / "deploy/crds/k8s.cni.cncf.io_network-attachment-definitions.yaml").read_text())
    spec = crd["spec"]
    (only,) = spec["versions"]
    fields = dict(in_schema(only["schema"]["openAPIV3Schema"], "nad"))
    assert crd["metadata"]["name"] == "network-attachment-definitions.k8s.cni.cncf.io"
    assert (spec["group"], spec["scope"]) == ("k8s.cni.cncf.io", "Namespaced")
    assert spec["names"] == {
        "kind": "NetworkAttachmentDefinition",
        "plural": "network-attachment-definitions",
        "singular": "network-attachment-definition",
        "shortNames": ["net-attach-def", "nad"],
    }
    assert (only["name"], only["served"], only["storage"]) == ("v1", True, True)
    assert only.keys() == {"name", "served", "storage", "schema"}
    assert fields == {
        "nad": {"type": "object"},
        "nad.apiVersion": {"type": "string"},
        "nad.kind": {"type": "string"},
        "nad.metadata": {"type": "object"},
        "nad.spec": {"type": "object"},
        "nad.spec.config": {"type": "string"},
    }
