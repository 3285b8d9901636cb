"""CustomResourceDefinitions, ours made from the policy models: `python -m coordinator.crd` writes deploy/crds/.

pydantic's JSON schema is not yet a structural schema as the API server wants it. The difference is small and all of
it is in `structural`: references are inlined, optional means absent rather than null, and titles go.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel

from coordinator import attachment_crd
from coordinator.policy import NicClusterPolicySpec, NicNodePolicySpec, PolicyStatus, networks
from nicfleet import names

Schema = dict[str, Any]

REFERENCE: Final = "#/$defs/"
READY: Final = '.status.conditions[?(@.type=="Ready")]'
Column = Mapping[str, Any]

STATUS_COLUMNS: Final[tuple[Column, ...]] = (
    {"name": "Status", "type": "string", "jsonPath": ".status.state"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
)
POLICY_COLUMNS: Final = (
    *STATUS_COLUMNS,
    {"name": "Reason", "type": "string", "jsonPath": f"{READY}.reason"},
    {"name": "Message", "type": "string", "jsonPath": f"{READY}.message", "priority": 1},
)
NETWORK_COLUMNS: Final = (
    *STATUS_COLUMNS,
    {"name": "Reason", "type": "string", "jsonPath": ".status.reason", "priority": 1},
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A custom resource: its names, what `kubectl explain` says of it, and the models of spec and status."""

    kind: str
    plural: str
    short_names: tuple[str, ...]
    description: str
    spec: type[BaseModel]
    status: type[BaseModel]
    columns: tuple[Column, ...] = NETWORK_COLUMNS


KINDS: Final = (
    Kind(
        kind="NicClusterPolicy",
        plural="nicclusterpolicies",
        short_names=("ncp",),
        description="What runs for the NVIDIA NICs of this cluster. Only the one named nic-cluster-policy is served.",
        spec=NicClusterPolicySpec,
        status=PolicyStatus,
        columns=POLICY_COLUMNS,
    ),
    Kind(
        kind="NicNodePolicy",
        plural="nicnodepolicies",
        short_names=("nicnode", "nnp"),
        description="The NIC driver and device plugins of some nodes, where one NicClusterPolicy does not fit all.",
        spec=NicNodePolicySpec,
        status=PolicyStatus,
        columns=POLICY_COLUMNS,
    ),
    Kind(
        kind="MacvlanNetwork",
        plural="macvlannetworks",
        short_names=(),
        description="A secondary network of macvlan interfaces, as a NetworkAttachmentDefinition.",
        spec=networks.MacvlanNetworkSpec,
        status=networks.MacvlanNetworkStatus,
    ),
    Kind(
        kind="HostDeviceNetwork",
        plural="hostdevicenetworks",
        short_names=(),
        description="A secondary network of devices moved into pods, as a NetworkAttachmentDefinition.",
        spec=networks.HostDeviceNetworkSpec,
        status=networks.HostDeviceNetworkStatus,
    ),
    Kind(
        kind="IPoIBNetwork",
        plural="ipoibnetworks",
        short_names=(),
        description="A secondary network of IP-over-InfiniBand interfaces, as a NetworkAttachmentDefinition.",
        spec=networks.IPoIBNetworkSpec,
        status=networks.IPoIBNetworkStatus,
    ),
)


def structural(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    """One node of pydantic's schema as the API server accepts it; what stands beside a reference wins over it."""
    node = {key: value for key, value in schema.items() if key not in {"title", "additionalProperties"}}
    if "default" in node and node["default"] is None:
        del node["default"]
    if (reference := node.pop("$ref", None)) is not None:
        return structural(definitions[reference.removeprefix(REFERENCE)], definitions) | node
    if "anyOf" in node and "x-kubernetes-int-or-string" not in node:
        (present,) = (option for option in node.pop("anyOf") if option != {"type": "null"})
        return structural(present, definitions) | node
    if "properties" in node:
        node["properties"] = {name: structural(value, definitions) for name, value in node["properties"].items()}
    if "items" in node:
        node["items"] = structural(node["items"], definitions)
    if isinstance(values := schema.get("additionalProperties"), Mapping):
        node["additionalProperties"] = structural(values, definitions)
    return node


def model_schema(model: type[BaseModel]) -> Schema:
    """The structural schema of a model, with the names and defaults that users write."""
    schema = model.model_json_schema(by_alias=True)
    return structural(schema, schema.pop("$defs", {}))


def definition(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    root = {
        "type": "object",
        "description": kind.description,
        "properties": {
            "apiVersion": {"type": "string", "description": "Version of this schema."},
            "kind": {"type": "string", "description": f"Always {kind.kind}."},
            "metadata": {"type": "object"},
            "spec": model_schema(kind.spec),
            "status": model_schema(kind.status),
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{names.API_GROUP}"},
        "spec": {
            "group": names.API_GROUP,
            "scope": "Cluster",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                **({"shortNames": list(kind.short_names)} if kind.short_names else {}),
            },
            "versions": [
                {
                    "name": names.API_VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": list(kind.columns),
                    "schema": {"openAPIV3Schema": root},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


class _Plain(yaml.SafeDumper):
    """Writes shared parts out in full: people read the file, and anchors read badly."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def file_name(kind: Kind) -> str:
    """The name of the kind's file, in controller-gen's way: `<group>_<plural>.yaml`."""
    return f"{names.API_GROUP}_{kind.plural}.yaml"


def definitions() -> dict[str, dict[str, Any]]:
    """Every CustomResourceDefinition that comes with nicfleet, by the name of its file."""
    return {file_name(kind): definition(kind) for kind in KINDS} | {attachment_crd.FILE: attachment_crd.CRD}


def document(crd: Mapping[str, Any]) -> str:
    """A definition as a YAML file that says where it comes from."""
    ours = crd["spec"]["group"] == names.API_GROUP
    source = "coordinator/policy by `make generate`; edit the models" if ours else "coordinator/attachment_crd.py"
    body = yaml.dump(dict(crd), Dumper=_Plain, sort_keys=False, width=110, allow_unicode=True)
    return f"# Made from {source}.\n{body}"


def main(folder: Path) -> None:
    """Write every definition into a folder, made if absent."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, crd in definitions().items():
        (folder / name).write_text(document(crd), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("deploy/crds"))
