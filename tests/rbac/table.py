"""The tables of docs/reference/permissions.md, read as rights. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.rbac.rights import Grant

COLUMNS: Final = ["Where", "API group", "Resources", "Names", "Verbs", "Why", "Step"]
EXCEPTION: Final = "exception"
"""In place of a step."""

_CODE: Final = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Row:
    """A rule, and where it is needed."""

    grants: frozenset[Grant]
    why: str
    step: str


def rows(page: str, heading: str, home: str) -> tuple[Row, ...]:
    """The table below a heading. `home` is the namespace that the page calls "own"."""
    _, _, below = page.partition(f"\n## {heading}\n")
    section, _, _ = below.partition("\n## ")
    header, _, *lines = [_cells(line) for line in section.splitlines() if line.startswith("|")]
    if header != COLUMNS:
        raise ValueError(f"the table below {heading!r} has the columns {header}")
    return tuple(_row(cells, home) for cells in lines)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _row(cells: list[str], home: str) -> Row:
    where, group, resources, names, verbs, why, step = cells
    place = {"cluster": "", "own": home}.get(where, where)
    return Row(frozenset(_grants(place, group, resources, names, verbs)), why, step)


def _grants(place: str, group: str, resources: str, names: str, verbs: str) -> Iterator[Grant]:
    for resource in _CODE.findall(resources):
        for name in _CODE.findall(names) or ("",):
            for verb in _CODE.findall(verbs):
                yield Grant(place, "" if group == "core" else group.strip("`"), resource, name, verb)
