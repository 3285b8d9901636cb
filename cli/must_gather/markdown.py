"""The summary as Markdown. Whatever is in a cluster's texts stays text. Pure."""

import html
import re
from collections.abc import Iterable
from typing import Final

from cli.must_gather.summary import Row, Section

_SPECIAL: Final = re.compile(r"([\\`*_\[\]|~#])")


def write(title: str, parts: Iterable[Section]) -> str:
    """One document."""
    return "\n".join((f"# {_text(title)}\n", *(_section(part) for part in parts)))


def _section(part: Section) -> str:
    lines = [f"## {_text(part.title)}\n", *(f"- {_text(sentence)}" for sentence in part.sentences)]
    if part.sentences:
        lines.append("")
    if part.rows:
        lines += [_row(part.columns), _row(("---",) * len(part.columns), escape=False), *map(_row, part.rows), ""]
    if part.left_out:
        lines.append(f"and {part.left_out} more\n")
    if not part.sentences and not part.rows:
        lines.append("None.\n")
    return "\n".join(lines)


def _row(cells: Row, *, escape: bool = True) -> str:
    return f"| {' | '.join(_text(cell) if escape else cell for cell in cells)} |"


def _text(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))
