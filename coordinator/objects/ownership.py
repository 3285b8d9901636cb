"""Who owns which field of an object, as managedFields tell it. Pure.

The API server normalises values, so comparing a live object with the desired one finds differences where there are
none. managedFields say instead which fields each manager set. That memory is on the server, so it also survives a
kill -9 of ours: a restart reads it and writes nothing.

fieldsV1 is a tree: "f:<name>" is a field, "k:<json>" the item of a keyed list by its key fields, "v:<json>" an item of
a set, "." the map or item itself; an empty tree is a whole value. Source: Kubernetes' documentation of server-side
apply and of metav1.FieldsV1.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from nicfleet.names import HASH_ANNOTATION, OBJECTS_MANAGER, STATE_LABEL, USER_EDITS_ANNOTATION

Fields = Mapping[str, Any]
"""A fieldsV1 tree."""


class ManagedEntry(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One entry of metadata.managedFields."""

    manager: str = ""
    operation: str = ""
    api_version: str = ""
    time: str = ""
    fields_type: str = ""
    fields_v1: dict[str, Any] = msgspec.field(default_factory=dict, name="fieldsV1")
    subresource: str = ""


SYSTEM_MANAGERS: Final = frozenset({"kube-controller-manager", "kube-scheduler", "kube-apiserver", "kubelet"})
"""Managers whose fields are never taken from them: they put them back, and rightly so."""

TOLERATED: Final = frozenset({"f:caBundle", "f:ca-bundle.crt", "f:kubectl.kubernetes.io/restartedAt"})
"""Fields that others rightly set inside ours: a certificate injector's, the certificates that OpenShift trusts, and
`kubectl rollout restart`'s."""

_LEFT_TO_OTHERS: Final[Mapping[str, frozenset[str]]] = {
    "ServiceAccount": frozenset({"f:secrets", "f:imagePullSecrets"}),
}
"""By kind, fields that are whoever's sets them: OpenShift adds pull secrets to every account, again when they are taken
away, and people add theirs. No account of ours has any."""

UPSTREAMS_MANAGER: Final = "manager"
"""The field manager of upstream's operator: the name of its program in every release that sets the state label. It
names no other, so the API server takes that. Other operators' programs are called the same and set no such label."""

_NOT_CONTENT: Final = frozenset({"f:metadata", "f:status"})
_OWNER_REFERENCES: Final[Fields] = {"f:metadata": {"f:ownerReferences": {}}}
_STATE_LABEL: Final[Fields] = {"f:metadata": {"f:labels": {f"f:{STATE_LABEL}": {}}}}
# What server-side apply takes out of every manager's fields.
_IDENTITY: Final = frozenset({"apiVersion", "kind", "status"})
_IDENTITY_METADATA: Final = frozenset({"name", "namespace", "uid", "resourceVersion", "managedFields"})


def needs_apply(annotations: Mapping[str, str], managed: Sequence[ManagedEntry], desired: Mapping[str, Any]) -> str:
    """Why an object must be applied, or "" if it stands as desired. `managed` are the live object's managedFields."""
    wanted = desired["metadata"].get("annotations", {})
    if annotations.get(HASH_ANNOTATION) != wanted.get(HASH_ANNOTATION):
        return "the desired object changed"
    return "" if USER_EDITS_ANNOTATION in wanted else drift(managed, desired)


def drift(managed: Sequence[ManagedEntry], desired: Mapping[str, Any]) -> str:
    """What others did to an object of ours, or ""."""
    if foreign := foreign_owners(managed, OBJECTS_MANAGER, desired):
        return f"{', '.join(foreign)} changed it"
    ours = applied_by(managed, OBJECTS_MANAGER)
    if ours is None or not covers_exactly(ours.fields_v1, desired):
        return "a field of ours was changed"
    return ""


def applied_by(managed: Iterable[ManagedEntry], manager: str) -> ManagedEntry | None:
    """The entry of a manager's server-side apply on the object itself."""
    for entry in managed:
        if entry.manager == manager and entry.operation == "Apply" and not entry.subresource:
            return entry
    return None


def foreign_owners(managed: Iterable[ManagedEntry], ours: str, desired: Mapping[str, Any]) -> tuple[str, ...]:
    """Managers, other than ours and Kubernetes' own, that own content of the object.

    Content is what is outside metadata and status and, where nobody is to own the object (a CRD, whose deletion takes
    people's objects along), its ownerReferences. Of the operator before us it is everything: its ownerReferences and
    its record of what it wrote would otherwise outlast it.
    """
    return tuple(sorted({entry.manager for entry in managed if _foreign_content(entry, ours, desired)}))


def covers_exactly(fields: Fields, desired: Mapping[str, Any]) -> bool:
    """Whether an apply of `desired` would leave our entry with these very fields.

    Where the tree ends, the server takes the value as a whole (atomic lists and maps, empty maps).
    """
    content = {key: value for key, value in desired.items() if key not in _IDENTITY}
    metadata = {key: value for key, value in desired["metadata"].items() if key not in _IDENTITY_METADATA}
    if metadata:
        content["metadata"] = metadata
    else:
        content.pop("metadata", None)
    return _covers(fields, content)


def folded(managed: Sequence[ManagedEntry], ours: str, desired: Mapping[str, Any]) -> list[ManagedEntry]:
    """managedFields in which the content that foreign managers own belongs to us.

    An apply of ours then removes what it does not contain: with force alone, a field that another manager owns too
    would stay. What is tolerated stays theirs, and so do labels and annotations but of the operator before us, and
    pull secrets of an account, its own too.
    """
    kept, taken = [], []
    for entry in managed:
        content = _foreign_content(entry, ours, desired)
        if not content:
            kept.append(entry)
            continue
        taken.append(content)
        if rest := subtracted(entry.fields_v1, content):
            kept.append(msgspec.structs.replace(entry, fields_v1=rest))
    return _given_to(ours, desired["apiVersion"], kept, taken)


def folded_labels(
    managed: Sequence[ManagedEntry], fold: Mapping[str, Collection[str]], ours: str, api_version: str
) -> list[ManagedEntry]:
    """managedFields in which label keys belong to us and no longer to the managers that `fold` names for each."""
    kept, taken = [], []
    for entry in managed:
        keys = [key for key, managers in fold.items() if entry.manager in managers]
        labels: Fields = {"f:metadata": {"f:labels": {f"f:{key}": {} for key in keys}}}
        theirs = intersected(entry.fields_v1, labels) if keys else {}
        if not theirs:
            kept.append(entry)
            continue
        taken.append(theirs)
        if rest := subtracted(entry.fields_v1, theirs):
            kept.append(msgspec.structs.replace(entry, fields_v1=rest))
    return _given_to(ours, api_version, kept, taken)


def released_labels(managed: Sequence[ManagedEntry], keys: Collection[str], ours: str) -> list[ManagedEntry]:
    """managedFields in which label keys no longer belong to us: an apply without them then leaves them as they are."""
    mine = applied_by(managed, ours)
    if mine is None or not keys:
        return list(managed)
    others = [entry for entry in managed if entry is not mine]
    rest = subtracted(mine.fields_v1, {"f:metadata": {"f:labels": {f"f:{key}": {} for key in keys}}})
    return [*others, msgspec.structs.replace(mine, fields_v1=rest)] if rest else others


def managed_fields_patch(entries: Sequence[ManagedEntry], resource_version: str) -> list[dict[str, Any]]:
    """The JSON patch that writes them; a Conflict if the object has changed since that resourceVersion."""
    return [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": resource_version},
        {"op": "replace", "path": "/metadata/managedFields", "value": msgspec.to_builtins(entries)},
    ]


def merged(one: Fields, other: Fields) -> dict[str, Any]:
    """The union of two trees."""
    result = dict(one)
    for key, branch in other.items():
        result[key] = merged(result[key], branch) if key in result else branch
    return result


def intersected(one: Fields, other: Fields) -> dict[str, Any]:
    """What is in both trees; a leaf of `other` stands for all that is below it in `one`."""
    result = {}
    for key in one.keys() & other.keys():
        branch = intersected(one[key], other[key]) if other[key] else one[key]
        if branch or not one[key]:
            result[key] = branch
    return result


def subtracted(one: Fields, other: Fields) -> dict[str, Any]:
    """What is in `one` and not in `other`; a map that keeps nothing but itself goes too."""
    result = {}
    for key, branch in one.items():
        if key not in other:
            result[key] = branch
        elif branch and (rest := subtracted(branch, other[key])) and rest.keys() != {"."}:
            result[key] = rest
    return {} if result.keys() == {"."} else result


def _foreign_content(entry: ManagedEntry, ours: str, desired: Mapping[str, Any]) -> dict[str, Any]:
    """The content that an entry of somebody else owns; empty for ours and for Kubernetes' own."""
    if entry.manager == ours or entry.manager in SYSTEM_MANAGERS or entry.subresource == "status":
        return {}
    theirs = _LEFT_TO_OTHERS.get(desired["kind"], frozenset())
    fields = {key: branch for key, branch in entry.fields_v1.items() if key not in theirs}
    if entry.manager == UPSTREAMS_MANAGER and intersected(fields, _STATE_LABEL):
        return _without_tolerated({key: branch for key, branch in fields.items() if key != "f:status"})
    content = {key: branch for key, branch in fields.items() if key not in _NOT_CONTENT}
    if "ownerReferences" not in desired["metadata"]:
        content |= intersected(fields, _OWNER_REFERENCES)
    return _without_tolerated(content)


def _without_tolerated(fields: Fields) -> dict[str, Any]:
    result = {}
    for key, branch in fields.items():
        if key in TOLERATED:
            continue
        rest = _without_tolerated(branch)
        if rest.keys() - {"."} or not branch.keys() - {"."}:
            result[key] = rest
    return result


def _given_to(ours: str, api_version: str, kept: list[ManagedEntry], taken: Iterable[Fields]) -> list[ManagedEntry]:
    mine = applied_by(kept, ours) or ManagedEntry(
        manager=ours, operation="Apply", api_version=api_version, fields_type="FieldsV1"
    )
    others = [entry for entry in kept if entry is not mine]
    fields: Fields = mine.fields_v1
    for branch in taken:
        fields = merged(fields, branch)
    return [*others, msgspec.structs.replace(mine, fields_v1=dict(fields))]


def _covers(fields: Fields, value: object) -> bool:
    if not fields:
        return True  # owned as a whole
    children = {key: branch for key, branch in fields.items() if key != "."}
    if isinstance(value, Mapping):
        return _covers_map(children, value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _covers_list(children, value)
    return False


def _covers_map(children: Fields, value: Mapping[str, Any]) -> bool:
    wanted = {f"f:{key}": child for key, child in value.items() if child is not None}
    return children.keys() == wanted.keys() and all(_covers(children[key], child) for key, child in wanted.items())


def _covers_list(children: Fields, items: Sequence[Any]) -> bool:
    if all(key.startswith("v:") for key in children):
        owned = [msgspec.json.decode(key[2:]) for key in children]
        return len(owned) == len(items) and all(item in owned for item in items)
    keyed = [(msgspec.json.decode(key[2:]), branch) for key, branch in children.items() if key.startswith("k:")]
    return len(keyed) == len(children) == len(items) and all(
        any(_is_item(key, branch, item) for key, branch in keyed) for item in items
    )


def _is_item(key: Mapping[str, Any], branch: Fields, item: object) -> bool:
    """A key field that the item lacks was filled in by the server (`protocol` of a port), and is no field of ours."""
    if not isinstance(item, Mapping) or any(item.get(name, value) != value for name, value in key.items()):
        return False
    defaulted = {f"f:{name}" for name in key if name not in item}
    return _covers({name: child for name, child in branch.items() if name not in defaulted}, item)
