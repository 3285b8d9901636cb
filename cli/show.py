"""An inventory on stdout, in the form asked for."""

import sys
from typing import Any, Final

from nicfleet import wire
from nicfleet.inventory import Inventory

_WIDEST: Final = 250
"""Columns of a page that no terminal limits."""


def as_json(inventory: Inventory) -> str:
    """The JSON form of `nicfleet.v1.Inventory`, fields named as in the proto files."""
    from google.protobuf import json_format

    return json_format.MessageToJson(wire.to_wire(inventory), preserving_proto_field_name=True)


def as_yaml(inventory: Inventory) -> str:
    """The same as YAML."""
    import yaml
    from google.protobuf import json_format

    document: dict[str, Any] = json_format.MessageToDict(wire.to_wire(inventory), preserving_proto_field_name=True)
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def print_table(inventory: Inventory) -> None:
    """A page as wide as the terminal; where there is none, as wide as it needs."""
    from rich.console import Console

    from cli.table import render
    from coordinator.facts import derive

    width = None if sys.stdout.isatty() else _WIDEST
    # Without markup and emoji: rich would make a bus number, the "ab" of 0000:ab:00.0, a picture.
    console = Console(width=width, markup=False, emoji=False, highlight=False)
    console.print(render(inventory, derive(inventory).findings))
