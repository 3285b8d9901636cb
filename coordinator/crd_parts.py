"""What a CustomResourceDefinition has, as names that can be compared: which of two is the newer one?"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any


def parts(crd: Mapping[str, Any]) -> frozenset[str]:
    """Served versions, and the fields of each, as `v1: spec.config`."""
    served = [version for version in crd["spec"]["versions"] if version["served"]]
    fields = (f"{v['name']}: {field}" for v in served for field in _fields(_schema(v)))
    return frozenset((*(version["name"] for version in served), *fields))


def shown(found: Collection[str]) -> str:
    """The first, and how many more."""
    first = min(found)
    return first if len(found) == 1 else f"{first} and {len(found) - 1} more"


def _schema(version: Mapping[str, Any]) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = version.get("schema", {}).get("openAPIV3Schema", {})
    return schema


def _fields(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for name, child in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here
        yield from _fields(child, here)
    for part in ("items", "additionalProperties"):
        if isinstance(child := schema.get(part), Mapping):
            yield from _fields(child, f"{path}[]")
