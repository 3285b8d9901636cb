"""An inventory on stdout, in the form asked for. Each form imports what it needs."""

import sys
from typing import Any, Final

from nicfleet.inventory import Inventory

_WIDEST: Final = 250
"""Columns of a page that no terminal limits."""


def as_json(inventory: Inventory) -> str:
    """The JSON form of `nicfleet.v1.Inventory`, fields named as in the proto files."""
    import json

    return json.dumps(_document(inventory), indent=2, ensure_ascii=False)


def as_yaml(inventory: Inventory) -> str:
    """The same as YAML."""
    import yaml

    return yaml.safe_dump(_document(inventory), sort_keys=False, allow_unicode=True).rstrip()


def _document(inventory: Inventory) -> dict[str, Any]:
    from google.protobuf import json_format

    from nicfleet import wire

    return json_format.MessageToDict(wire.to_wire(inventory), preserving_proto_field_name=True)


def print_table(inventory: Inventory) -> None:
    """A page as wide as the terminal; where there is none, as wide as it needs."""
    from rich.console import Console

    from cli.table import render
    from coordinator.fleet.facts import derive

    width = None if sys.stdout.isatty() else _WIDEST
    # Without markup and emoji: rich would make a bus number, the "ab" of 0000:ab:00.0, a picture.
    console = Console(width=width, markup=False, emoji=False, highlight=False)
    console.print(render(inventory, derive(inventory).findings))
