"""A Node's JSON (15 KB and more) → the KubeNode that decisions need. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from sys import intern
from typing import Final

import msgspec

from coordinator.nodes import KubeNode, Taint
from nicfleet import names

_FEATURE_LABELS: Final = names.NFD_OWNED_ANNOTATION
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


_OUR_FIELDS: Final = frozenset(f"f:{key}" for key in names.LABEL_KEYS)
_OUR_FIELD_PREFIXES: Final = tuple(f"f:{prefix}" for prefix in names.LABEL_PREFIXES)
_NFD_WRITES: Final = {key.removeprefix(names.NFD): key for key in names.LABEL_KEYS}

_NOT_EXTENDED: Final = ("hugepages-", "attachable-volumes-")
_COUNT: Final = re.compile(r"([0-9]{1,18})([kMGTPE]?)")
_THOUSANDS: Final = {suffix: 1000**power for power, suffix in enumerate(("", *"kMGTPE"))}


class _Partial(msgspec.Struct, frozen=True, rename="camel"):
    pass


class _MetadataFields(msgspec.Struct, frozen=True):
    labels: dict[str, msgspec.Raw] = msgspec.field(default_factory=dict, name="f:labels")


class _Fields(msgspec.Struct, frozen=True):
    metadata: _MetadataFields = msgspec.field(default_factory=_MetadataFields, name="f:metadata")


class _Managed(_Partial, frozen=True):
    manager: str = ""
    operation: str = ""
    fields: _Fields = msgspec.field(default_factory=_Fields, name="fieldsV1")

    @property
    def ours(self) -> bool:
        return self.manager == names.LABELS_MANAGER and self.operation == "Apply"

    def label_keys(self) -> Iterator[str]:
        return (field[2:] for field in self.fields.metadata.labels if field != ".")

    def listed_label_keys(self) -> Iterator[str]:
        """The label keys that it owns and nicfleet may write."""
        fields = self.fields.metadata.labels
        yield from (field[2:] for field in fields.keys() & _OUR_FIELDS)
        yield from (field[2:] for field in fields if field.startswith(_OUR_FIELD_PREFIXES))


class _Meta(_Partial, frozen=True):
    name: str
    uid: str
    resource_version: str
    creation_timestamp: datetime = _EPOCH
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    managed_fields: tuple[_Managed, ...] | None = None


class _Taint(_Partial, frozen=True):
    key: str
    effect: str
    value: str = ""


class _Spec(_Partial, frozen=True):
    taints: tuple[_Taint, ...] | None = None


class _Address(_Partial, frozen=True):
    type: str
    address: str


class _NodeInfo(_Partial, frozen=True):
    architecture: str = ""
    container_runtime_version: str = ""


class _Status(_Partial, frozen=True):
    addresses: tuple[_Address, ...] | None = None
    allocatable: dict[str, str] | None = None
    node_info: _NodeInfo = _NodeInfo()


class _Node(_Partial, frozen=True):
    metadata: _Meta
    spec: _Spec = _Spec()
    status: _Status = _Status()


_decode = msgspec.json.Decoder(_Node).decode


def decode_node(raw: bytes | msgspec.Raw) -> KubeNode:
    node = _decode(raw)
    meta, status = node.metadata, node.status
    # The same keys and values are on thousands of nodes: one copy of each instead of 100 MB.
    labels = {intern(key): intern(value) for key, value in (meta.labels or {}).items()}
    managed = meta.managed_fields or ()
    return KubeNode(
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resource_version,
        created=meta.creation_timestamp,
        labels=labels,
        owned=frozenset(key for entry in managed if entry.ours for key in entry.label_keys()),
        others=_other_owners(managed),
        nfd_keys=_claimed_by_nfd(meta.annotations or {}),
        taints=tuple(Taint(taint.key, taint.value, taint.effect) for taint in node.spec.taints or ()),
        internal_ips=tuple(a.address for a in status.addresses or () if a.type == "InternalIP"),
        architecture=status.node_info.architecture or labels.get(names.ARCH_LABEL, ""),
        runtime=intern(status.node_info.container_runtime_version.partition("://")[0]),
        allocatable=_extended(status.allocatable or {}),
    )


def _extended(allocatable: Mapping[str, str]) -> dict[str, int]:
    """The extended resources, which device plugins offer; not what schedulers keep under Kubernetes' own names."""
    found = {}
    for name, quantity in allocatable.items():
        if "/" in name and "kubernetes.io/" not in name and not name.startswith(_NOT_EXTENDED):
            count = _COUNT.fullmatch(quantity)  # whole numbers, and a thousand is written 1k
            if count is not None:
                found[intern(name)] = int(count[1]) * _THOUSANDS[count[2]]
    return found


def _other_owners(managed: Iterable[_Managed]) -> dict[str, tuple[str, ...]]:
    owners: dict[str, set[str]] = {}
    for entry in managed:
        if not entry.ours:
            for key in entry.listed_label_keys():
                owners.setdefault(key, set()).add(entry.manager)
    return {key: tuple(sorted(managers)) for key, managers in owners.items()}


def _claimed_by_nfd(annotations: dict[str, str]) -> frozenset[str]:
    """Keys of ours in NFD's records; it leaves its own prefix out of them."""
    records = (
        value.split(",")
        for name, value in annotations.items()
        if name == _FEATURE_LABELS or name.endswith("." + _FEATURE_LABELS)
    )
    return frozenset(_NFD_WRITES[key] for record in records for key in record if key in _NFD_WRITES)
