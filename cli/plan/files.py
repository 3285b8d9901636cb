"""FILEs and inventories from the disk; whatever a person can put right is one sentence."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import msgspec
from google.protobuf import json_format

from cli.look import Refused, inspect
from cli.plan.documents import STDIN, Given, Unusable, documents
from cli.plan.yaml_text import NotYaml, read
from coordinator.kube.node_decoding import decode_node
from coordinator.nodes import KubeNode
from nicfleet import wire
from nicfleet.inventory import Inventory, NodeName
from nicfleet.v1 import view_pb2

_SUFFIXES: Final = (".yaml", ".yml", ".json")
_GZIP: Final = b"\x1f\x8b"
_WANTED: Final = (
    "give a file of nicfleet record, of nicfleet inspect -o json, of kubectl get nodes -o json, or a host tree"
)


@dataclass(slots=True)
class Hosts:
    """What files tell of nodes, by name."""

    inventories: dict[str, Inventory] = field(default_factory=dict)
    nodes: dict[str, KubeNode] = field(default_factory=dict)


def given(paths: Iterable[str]) -> Given:
    """The documents of these FILEs: of a folder all YAML and JSON files in it, of `-` standard input.

    Raises Unusable.
    """
    return documents(text for path in paths for text in _texts(path))


def hosts(paths: Iterable[Path]) -> Hosts:
    """The inventories and Nodes of these files. Raises Unusable."""
    found = Hosts()
    for path in paths:
        for inventory in _inventories(path, found):
            name = str(inventory.node.name)
            if name in found.inventories:
                raise Unusable(f"--inventory: {path} is another inventory of node {name}: give one of each node")
            found.inventories[name] = inventory
    return found


def _texts(path: str) -> Iterator[tuple[str, str]]:
    if path == "-":
        yield STDIN, sys.stdin.read()
        return
    file = Path(path)
    if not file.is_dir():
        yield path, _text("-f", file)
        return
    files = sorted(each for each in file.iterdir() if each.suffix in _SUFFIXES and each.is_file())
    if not files:
        raise Unusable(f"-f: the folder {path} has no file that ends in {', '.join(_SUFFIXES)}")
    for each in files:
        yield str(each), _text("-f", each)


def _text(flag: str, path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise Unusable(f"{flag}: cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise Unusable(f"{flag}: {path} is no text") from error


def _inventories(path: Path, found: Hosts) -> Iterator[Inventory]:
    """The inventories of one file; Nodes in it go to `found`."""
    if path.is_dir() or _is_archive(path):
        try:
            yield inspect(path)
        except Refused as error:
            raise Unusable(str(error).replace("--host-root", "--inventory")) from error
        return
    try:
        bodies = list(read(_text("--inventory", path)))
    except NotYaml as error:
        raise Unusable(f"--inventory: {path} {error}") from error
    for body in bodies:
        yield from _of_body(path, body, found)


def _is_archive(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(2) == _GZIP
    except OSError as error:
        raise Unusable(f"--inventory: cannot read {path}: {error.strerror or error}") from error


def _of_body(path: Path, body: Any, found: Hosts) -> Iterator[Inventory]:
    items: Sequence[Any] = body.get("items", ()) if isinstance(body, Mapping) else ()
    if isinstance(body, Mapping) and body.get("kind") in ("List", "NodeList") and isinstance(items, list):
        for item in items:
            yield from _of_body(path, item, found)
    elif isinstance(body, Mapping) and body.get("kind") == "Node":
        node = _node(path, body)
        found.nodes[node.name] = node
    elif isinstance(body, Mapping) and isinstance(body.get("node"), Mapping):
        yield _inventory(path, body)
    else:
        raise Unusable(f"--inventory: {path} is no inventory: {_WANTED}")


def _node(path: Path, body: Mapping[str, Any]) -> KubeNode:
    metadata = {"uid": "", "resourceVersion": "1", **(body.get("metadata") or {})}
    try:
        return decode_node(json.dumps({**body, "metadata": metadata}).encode())
    except msgspec.MsgspecError as error:
        raise Unusable(f"--inventory: {path} has a Node that cannot be used: {error}") from error


def _inventory(path: Path, body: Mapping[str, Any]) -> Inventory:
    try:
        inventory = wire.from_wire(json_format.ParseDict(dict(body), view_pb2.Inventory()))
    except (json_format.ParseError, ValueError, TypeError) as error:
        raise Unusable(
            f"--inventory: {path} is no inventory of this version: {' '.join(str(error).split())}"
        ) from error
    if inventory.node.name:
        return inventory
    return replace(inventory, node=replace(inventory.node, name=NodeName(path.stem)))
