"""What a message of an agent may be. Everything is checked here once, before it reaches the fleet. Pure.

A hash is opaque and only compared. Sizes are far above any real host: 8 PFs of 127 VFs stay under 100 KB.
"""

import re
from collections.abc import Iterable
from typing import Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from nicfleet import wire
from nicfleet.v1 import fleet_pb2

MAX_MESSAGE: Final = 4 * 1024 * 1024
"""Bytes of one message."""
MAX_INVENTORY: Final = 8 * 1024 * 1024
"""Bytes of one node's sections with their VFs unfolded: a small message can stand for a huge inventory."""
MAX_FUNCTIONS: Final = 10_000
"""Network functions of one node, VFs included."""

_MAX_SECTIONS: Final = 1024
_MAX_GREETING: Final = 256 * 1024
"""Bytes. A manifest of all sections takes less; what nobody knows yet is not to weigh more."""
_MAX_HASH: Final = 32
_MAX_TEXT: Final = 1024
_MAX_REPEATED: Final = 4096
_MAX_IDENTIFIER: Final = 64

_NODE_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MAX_NODE_NAME: Final = 253
_PCI_ADDRESS: Final = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_IDENTIFIER: Final = re.compile(r"[\x21-\x7e]*")


class OutOfBounds(ValueError):
    """A message breaks a bound; the text is one sentence for the agent's log."""


def check_greeting(size: int) -> None:
    """The bytes of a stream's first message, before it is read. Raises OutOfBounds."""
    if size > _MAX_GREETING:
        raise OutOfBounds(f"the first message has {size} bytes, {_MAX_GREETING} are allowed")


def check_hello(hello: fleet_pb2.Hello) -> None:
    """Raises OutOfBounds."""
    name = hello.node_name
    if len(name) > _MAX_NODE_NAME or not _NODE_NAME.fullmatch(name):
        raise OutOfBounds(f"hello.node_name {_shown(name)} is not the name of a Kubernetes Node")
    if not hello.instance_id:
        raise OutOfBounds("hello.instance_id is empty")
    for field in ("instance_id", "boot_id", "agent_version"):
        value = getattr(hello, field)
        if len(value) > _MAX_IDENTIFIER or not _IDENTIFIER.fullmatch(value):
            raise OutOfBounds(
                f"hello.{field} {_shown(value)} must be at most {_MAX_IDENTIFIER} printable ASCII characters, no space"
            )
    try:
        hello.started.ToDatetime()
    except (ValueError, OverflowError):
        raise OutOfBounds("hello.started is not a point in time") from None
    _check_manifest(hello.manifest)


def check_update(update: fleet_pb2.Update) -> None:
    """Raises OutOfBounds."""
    if update.ByteSize() > MAX_MESSAGE:
        raise OutOfBounds(f"update has {update.ByteSize()} bytes, {MAX_MESSAGE} are allowed")
    _check_manifest(update.manifest)
    hashes = {entry.name: entry.hash for entry in update.manifest.sections}
    _unique("update.sections", (section.name for section in update.sections))
    for section in update.sections:
        if hashes.get(section.name) != section.hash:
            raise OutOfBounds(f"section {_shown(section.name)} is not in update.manifest with the same hash")
        _check_body(section)
        _check_content(section, section.name)
    if len(update.module_use) > _MAX_REPEATED:
        raise OutOfBounds(f"update.module_use has {len(update.module_use)} entries, {_MAX_REPEATED} are allowed")
    for use in update.module_use:
        _check_content(use, "update.module_use")


def function_count(section: fleet_pb2.Section) -> int:
    """Network functions in the section, VFs included."""
    return 1 + len(section.function.virtual_functions) if section.HasField("function") else 0


def unfolded_size(section: fleet_pb2.Section) -> int:
    """Bytes of the section with the part that all VFs share repeated for each."""
    function = section.function
    return section.ByteSize() + len(function.virtual_functions) * function.virtual_function_common.ByteSize()


def check_inventory(*, size: int, functions: int) -> None:
    """All sections of one node together. Raises OutOfBounds."""
    if size > MAX_INVENTORY:
        raise OutOfBounds(f"the inventory unfolds to {size} bytes, {MAX_INVENTORY} are allowed")
    if functions > MAX_FUNCTIONS:
        raise OutOfBounds(f"the inventory has {functions} network functions, {MAX_FUNCTIONS} are allowed")


def _check_manifest(manifest: fleet_pb2.Manifest) -> None:
    if len(manifest.sections) > _MAX_SECTIONS:
        raise OutOfBounds(f"the manifest has {len(manifest.sections)} sections, {_MAX_SECTIONS} are allowed")
    _unique("the manifest", (entry.name for entry in manifest.sections))
    for entry in manifest.sections:
        if entry.name not in (wire.NODE_SECTION, wire.DRIVER_SECTION):
            prefix, address = entry.name[: len(wire.FUNCTION_PREFIX)], entry.name[len(wire.FUNCTION_PREFIX) :]
            if prefix != wire.FUNCTION_PREFIX or not _PCI_ADDRESS.fullmatch(address):
                raise OutOfBounds(f"the manifest names {_shown(entry.name)}, which is no section")
        if not 0 < len(entry.hash) <= _MAX_HASH:
            raise OutOfBounds(
                f"the hash of section {entry.name} has {len(entry.hash)} bytes, 1 to {_MAX_HASH} are allowed"
            )
    if all(entry.name != wire.NODE_SECTION for entry in manifest.sections):
        raise OutOfBounds(f"the manifest has no section {wire.NODE_SECTION!r}")


def _check_body(section: fleet_pb2.Section) -> None:
    kind = "function" if section.name.startswith(wire.FUNCTION_PREFIX) else section.name
    if section.WhichOneof("body") != kind:
        raise OutOfBounds(f"section {section.name} does not hold a {kind}")
    if kind != "function":
        return
    function = section.function
    if wire.FUNCTION_PREFIX + function.address != section.name:
        raise OutOfBounds(f"section {section.name} holds function {_shown(function.address)}")
    if function_count(section) > MAX_FUNCTIONS:
        raise OutOfBounds(
            f"section {section.name} has {function_count(section)} functions, {MAX_FUNCTIONS} are allowed"
        )
    if unfolded_size(section) > MAX_INVENTORY:
        raise OutOfBounds(f"section {section.name} unfolds to more than {MAX_INVENTORY} bytes")
    for vf in (function.virtual_function_common, *function.virtual_functions):
        if vf.virtual_functions or vf.HasField("virtual_function_common"):
            raise OutOfBounds(f"section {section.name} has virtual functions of virtual functions")


def _check_content(message: Message, where: str) -> None:
    """Every text and every list below the message is of a sane length."""
    for field, value in message.ListFields():
        values = value if field.is_repeated else (value,)
        if field.is_repeated and field.name != "virtual_functions" and len(value) > _MAX_REPEATED:
            raise OutOfBounds(f"{where}: {field.name} has {len(value)} entries, {_MAX_REPEATED} are allowed")
        if field.type == FieldDescriptor.TYPE_STRING:
            for text in values:
                if len(text) > _MAX_TEXT:
                    raise OutOfBounds(f"{where}: {field.name} has {len(text)} characters, {_MAX_TEXT} are allowed")
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for item in values:
                _check_content(item, where)


def _unique(where: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise OutOfBounds(f"{where} names section {_shown(name)} twice")
        seen.add(name)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:80] + "…")
