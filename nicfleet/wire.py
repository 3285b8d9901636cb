"""Between the inventory's dataclasses and its protobuf messages, which name the same fields.

A field is copied by name and type, so a new field needs no line here. What is not a copy stands out: VFs are folded
(`_fold`, `_unfold`), and an inventory is cut into hashed sections (`sections`, `from_sections`).
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import IntEnum
from functools import cache, partial
from types import NoneType
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

from google.protobuf.message import Message

from nicfleet import inventory
from nicfleet.v1 import fleet_pb2, inventory_pb2, view_pb2

T = TypeVar("T")

NODE_SECTION: Final = "node"
DRIVER_SECTION: Final = "driver"
FUNCTION_PREFIX: Final = "function/"


class IncompleteInventory(ValueError):
    """The sections given do not make an inventory: the node's own is missing."""


def to_wire(value: inventory.Inventory) -> view_pb2.Inventory:
    """The whole inventory as one message, VFs folded."""
    message = view_pb2.Inventory()
    _fill(message.node, value.node)
    _fill(message.driver, value.driver)
    message.functions.extend(function_to_wire(function) for function in value.functions)
    message.module_use.extend(module_use_to_wire(value.module_use))
    return message


def from_wire(message: view_pb2.Inventory) -> inventory.Inventory:
    """The inverse of `to_wire`."""
    return inventory.Inventory(
        node=_read(inventory.Node, message.node),
        driver=_read(inventory.Driver, message.driver),
        functions=tuple(function_from_wire(function) for function in message.functions),
        module_use=module_use_from_wire(message.module_use),
    )


def module_use_to_wire(values: Iterable[inventory.ModuleUse]) -> list[inventory_pb2.ModuleUse]:
    return [_filled(inventory_pb2.ModuleUse(), use) for use in values]


def module_use_from_wire(messages: Iterable[inventory_pb2.ModuleUse]) -> tuple[inventory.ModuleUse, ...]:
    return tuple(_read(inventory.ModuleUse, message) for message in messages)


def function_to_wire(value: inventory.Function) -> inventory_pb2.Function:
    """One function; a PF's VFs are folded into what they share and what is each one's own."""
    message = inventory_pb2.Function()
    _fill(message, value, skip="virtual_functions")
    common, own = _fold([function_to_wire(vf) for vf in value.virtual_functions])
    if common is not None:
        message.virtual_function_common.CopyFrom(common)
    message.virtual_functions.extend(own)
    return message


def function_from_wire(message: inventory_pb2.Function) -> inventory.Function:
    """The inverse of `function_to_wire`. VFs do not nest: a VF's own VFs, if a message claims any, are ignored."""
    virtual_functions = tuple(
        _read(inventory.Function, vf, skip="virtual_functions")
        for vf in _unfold(message.virtual_function_common, message.virtual_functions)
    )
    return _read(inventory.Function, message, skip="virtual_functions", virtual_functions=virtual_functions)


@dataclass(frozen=True, slots=True)
class Sections:
    """An inventory cut for the wire: messages by section name, in order, with their hashes."""

    by_name: Mapping[str, fleet_pb2.Section]

    def manifest(self) -> fleet_pb2.Manifest:
        entries = (fleet_pb2.SectionHash(name=name, hash=part.hash) for name, part in self.by_name.items())
        return fleet_pb2.Manifest(sections=entries)


def sections(value: inventory.Inventory, agent_version: str) -> Sections:
    """Cut an inventory into sections. The hash covers the content and the agent's version, hence its schema."""
    whole = to_wire(value)
    parts = [
        fleet_pb2.Section(name=NODE_SECTION, node=whole.node),
        fleet_pb2.Section(name=DRIVER_SECTION, driver=whole.driver),
        *(fleet_pb2.Section(name=FUNCTION_PREFIX + part.address, function=part) for part in whole.functions),
    ]
    for part in parts:
        content = part.SerializeToString(deterministic=True)
        part.hash = hashlib.blake2b(content, digest_size=16, key=agent_version.encode()[:64]).digest()
    return Sections({part.name: part for part in parts})


def from_sections(
    parts: Iterable[fleet_pb2.Section], module_use: Iterable[inventory_pb2.ModuleUse] = ()
) -> view_pb2.Inventory:
    """Put sections together again; functions in the order of their names.

    Raises IncompleteInventory when there is no node section.
    """
    by_name = {part.name: part for part in parts}
    if NODE_SECTION not in by_name:
        raise IncompleteInventory("the inventory has no section named 'node'")
    whole = view_pb2.Inventory(node=by_name[NODE_SECTION].node, module_use=module_use)
    if DRIVER_SECTION in by_name:
        whole.driver.CopyFrom(by_name[DRIVER_SECTION].driver)
    names = sorted(name for name in by_name if name.startswith(FUNCTION_PREFIX))
    whole.functions.extend(by_name[name].function for name in names)
    return whole


def _fold(
    whole: list[inventory_pb2.Function],
) -> tuple[inventory_pb2.Function | None, list[inventory_pb2.Function]]:
    """Split messages into the fields that all share and, for each, the rest.

    A field is shared only if every message has it set: not known is neither 0 nor False.
    """
    if len(whole) < 2:
        return None, whole
    common = inventory_pb2.Function()
    first, *others = ({field.name: value for field, value in message.ListFields()} for message in whole)
    for name, value in first.items():
        if all(name in other and other[name] == value for other in others):
            _assign(common, name, value)
    for message in whole:
        for field, _ in common.ListFields():
            message.ClearField(field.name)  # type: ignore[arg-type]  # the stubs want a literal name
    return common, whole


def _unfold(common: inventory_pb2.Function, own: Iterable[inventory_pb2.Function]) -> Iterable[inventory_pb2.Function]:
    for message in own:
        whole = inventory_pb2.Function()
        whole.CopyFrom(common)
        whole.MergeFrom(message)
        yield whole


def _assign(message: Message, name: str, value: Any) -> None:
    if isinstance(value, Message):
        getattr(message, name).CopyFrom(value)
    elif hasattr(value, "extend"):
        getattr(message, name).extend(value)
    else:
        setattr(message, name, value)


def _filled(message: T, value: object) -> T:
    _fill(message, value)
    return message


def _fill(message: Any, value: Any, skip: str = "") -> None:
    """Copy a dataclass into the message of the same fields; None leaves a field unset."""
    kind: Callable[..., Any] = type(value)
    for name in _types(kind):
        item = getattr(value, name)
        if name == skip or item is None:
            continue
        if is_dataclass(item):
            getattr(message, name).SetInParent()
            _fill(getattr(message, name), item)
        elif isinstance(item, tuple):
            target = getattr(message, name)
            for element in item:
                if is_dataclass(element):
                    _fill(target.add(), element)
                else:
                    target.append(element)
        else:
            setattr(message, name, item)


def _read(kind: Callable[..., T], message: Message, skip: str = "", **given: object) -> T:
    """Build a dataclass from the message of the same fields; an unset optional field is None.

    Only the fields that are set are visited: of an inventory's hundreds most are not, and a coordinator that restarts
    reads thousands of inventories.
    """
    shape = _shape(kind)
    values = shape.unset | given
    for field, value in message.ListFields():
        if field.name != skip and (convert := shape.converters.get(field.name)) is not None:
            values[field.name] = convert(value)
    return kind(**values)


@dataclass(frozen=True, slots=True)
class _Shape:
    """How to read one dataclass: from a message's value to ours, and what a field is that is not set."""

    converters: Mapping[str, Callable[[Any], Any]]
    unset: dict[str, Any]


@cache
def _shape(kind: Any) -> _Shape:
    converters: dict[str, Callable[[Any], Any]] = {}
    unset: dict[str, Any] = {}
    for name, (item, optional, many) in _types(kind).items():
        convert = _converter(item)
        converters[name] = partial(_many, convert) if many else convert
        unset[name] = () if many else None if optional else _unset(item)
    return _Shape(converters, unset)


def _converter(kind: Any) -> Callable[[Any], Any]:
    if _is_message(kind):
        return partial(_read, kind)
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        # A value of a newer agent reads as the first: "none" and "PF" claim the least.
        return partial(_known, {member.value: member for member in kind}, _unset(kind))
    return _same_value


def _many(convert: Callable[[Any], Any], items: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(map(convert, items))


def _known(members: Mapping[int, IntEnum], otherwise: IntEnum, value: int) -> IntEnum:
    return members.get(value, otherwise)


def _same_value(value: object) -> object:
    return value


def _unset(kind: Any) -> Any:
    """What protobuf means by a field without presence that is not set."""
    if _is_message(kind):
        return kind(**_shape(kind).unset)
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        return next(iter(kind))
    return getattr(kind, "__supertype__", kind)()


def _is_message(kind: Any) -> bool:
    return is_dataclass(kind)


@cache
def _types(kind: Any) -> dict[str, tuple[Any, bool, bool]]:
    """Per field: its type, whether it may be None, whether it is a tuple of that type."""
    hints = get_type_hints(kind)
    return {field.name: _taken_apart(hints[field.name]) for field in fields(kind)}


def _taken_apart(hint: Any) -> tuple[Any, bool, bool]:
    if get_origin(hint) is tuple:
        return get_args(hint)[0], False, True
    if NoneType in get_args(hint):
        (kind,) = (arg for arg in get_args(hint) if arg is not NoneType)
        return kind, True, False
    return hint, False, False
