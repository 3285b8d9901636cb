"""What a CustomResourceDefinition has, as names that can be compared: which of two is the newer one? Pure."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

BROUGHT_IN_STEP: Final = (
    "helm upgrade brings it in step where upgradeCRDs is on; without Helm, run python -m coordinator.install_crds or "
    "kubectl apply --server-side -f deploy/crds"
)
"""What helps where a CRD lacks something, or is not there at all."""


def parts(crd: Mapping[str, Any]) -> frozenset[str]:
    """Served versions, and the fields of each, as `v1: spec.config`."""
    served = [version for version in crd["spec"]["versions"] if version["served"]]
    fields = (f"{v['name']}: {field}" for v in served for field in _fields(_schema(v)))
    return frozenset((*(version["name"] for version in served), *fields))


def shown(found: Collection[str]) -> str:
    """The first, and how many more."""
    first = min(found)
    return first if len(found) == 1 else f"{first} and {len(found) - 1} more"


def trouble(live: Mapping[str, Any], desired: Mapping[str, Any]) -> str:
    """What the CRD that is there is, for a version that needs the desired one, and what helps; "" when it will do."""
    missing, unknown = parts(desired) - parts(live), parts(live) - parts(desired)
    if not missing:
        return ""
    if not unknown:
        return f"too old, it has no {shown(missing)}: {BROUGHT_IN_STEP}"
    file = f"{desired['spec']['group']}_{desired['spec']['names']['plural']}.yaml"
    return (
        f"of another release, it has {shown(unknown)}, which this version does not know, and no {shown(missing)}: use "
        "a version that knows both, or give up what is stored in fields that this one does not know, with "
        f"kubectl apply --server-side --force-conflicts -f deploy/crds/{file}"
    )


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
