"""Parts of an object as managedFields name them: what an apply of ours sets, and what it takes away. Pure.

The form of these trees is told in `coordinator.objects.ownership`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from coordinator.objects.live import LiveObject
from coordinator.objects.ownership import Fields, applied_by, folded, merged, subtracted
from nicfleet.names import OBJECTS_MANAGER

Json = Any

_SELF: Final = "."


def ours(live: LiveObject, desired: Mapping[str, Any]) -> Fields:
    """The fields that are the coordinator's once it has taken over what others hold of an object's content."""
    entry = applied_by(folded(live.managed, OBJECTS_MANAGER, desired), OBJECTS_MANAGER)
    return entry.fields_v1 if entry is not None else {}


def taken_away(live: LiveObject, desired: Mapping[str, Any], after: LiveObject) -> Fields:
    """The fields that go, beyond those that a bare apply removes: others hold them too, until they are taken over.

    `after` is the object as a bare apply would leave it.
    """
    entries = folded(live.managed, OBJECTS_MANAGER, desired)
    mine, sent = applied_by(entries, OBJECTS_MANAGER), applied_by(after.managed, OBJECTS_MANAGER)
    if mine is None or sent is None:
        return {}
    others: Fields = {}
    for entry in entries:
        if entry is not mine and entry.subresource != "status":
            others = merged(others, entry.fields_v1)
    return subtracted(subtracted(mine.fields_v1, sent.fields_v1), others)


def part(value: Json, fields: Fields) -> Json:
    """Of a value only these fields; where the tree ends, all that is there."""
    if not fields:
        return value
    if isinstance(value, Mapping):
        return {key: part(child, fields[f"f:{key}"]) for key, child in value.items() if f"f:{key}" in fields}
    if isinstance(value, Sequence) and not isinstance(value, str):
        found = [(item, _branch(item, fields)) for item in value]
        return [part(item, branch) for item, branch in found if branch is not None]
    return value


def without(value: Json, fields: Fields) -> Json:
    """A value without these fields; a map or item that is named itself goes when nothing is left of it."""
    if isinstance(value, Mapping):
        kept = {}
        for key, child in value.items():
            branch = fields.get(f"f:{key}")
            if branch is None:
                kept[key] = child
            elif branch and not _is_gone(rest := without(child, branch), branch):
                kept[key] = rest
        return kept
    if isinstance(value, Sequence) and not isinstance(value, str):
        found = [(item, _branch(item, fields)) for item in value]
        return [
            item if branch is None else without(item, branch)
            for item, branch in found
            if branch is None or (branch and _SELF not in branch)
        ]
    return value


def _is_gone(rest: Json, branch: Fields) -> bool:
    return _SELF in branch and rest in ({}, [])


def _branch(item: Json, fields: Fields) -> Fields | None:
    """What the tree says of one item of a list; None when it does not name it."""
    found: Fields | None = None
    for key, branch in fields.items():
        if key.startswith("v:") and msgspec.json.decode(key[2:]) == item:
            found = branch
        elif key.startswith("k:") and isinstance(item, Mapping):
            named = msgspec.json.decode(key[2:])
            found = branch if all(item.get(name) == value for name, value in named.items()) else found
    return found
