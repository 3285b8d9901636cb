"""The summary as one HTML page: no script, nothing from elsewhere, and no text that becomes markup. Pure."""

import html
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote

from cli.must_gather.summary import Row, Section

_MOST_LINKS: Final = 2000

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 110rem; padding: 0 1rem; color: #1d232b; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; border-bottom: 1px solid #d5dae1; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; background: #f0f3f6; }
th, td { border: 1px solid #d5dae1; padding: .2rem .5rem; vertical-align: top; overflow-wrap: anywhere; }
nav a { margin-right: 1rem; }
"""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""For the browser: even if something slipped through, it would do nothing."""


def write(title: str, parts: Sequence[Section], files: Sequence[str]) -> str:
    """The page; `files` are linked by their paths beside it."""
    contents = "".join(f'<a href="#s{at}">{_text(part.title)}</a>' for at, part in enumerate(parts))
    body = "".join(_section(at, part) for at, part in enumerate(parts))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{_text(title)}</h1>\n<nav>{contents}</nav>\n{body}{_files(files)}</body></html>\n"
    )


def _section(at: int, part: Section) -> str:
    told = "".join(f"<li>{_text(sentence)}</li>" for sentence in part.sentences)
    lines = [f'<h2 id="s{at}">{_text(part.title)}</h2>', f"<ul>{told}</ul>" if told else ""]
    if part.rows:
        head = _row(part.columns, "th")
        lines.append(f"<table>{head}{''.join(_row(row, 'td') for row in part.rows)}</table>")
    if part.left_out:
        lines.append(f"<p>and {part.left_out} more</p>")
    if not part.sentences and not part.rows:
        lines.append("<p>None.</p>")
    return "\n".join(line for line in lines if line) + "\n"


def _row(cells: Row, tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{_text(cell)}</{tag}>' for cell in cells)}</tr>\n"


def _files(files: Sequence[str]) -> str:
    links = "".join(f'<li><a href="{html.escape(quote(path))}">{_text(path)}</a></li>' for path in _first(files))
    more = f"<p>and {len(files) - _MOST_LINKS} more, all in manifest.json</p>" if len(files) > _MOST_LINKS else ""
    return f"<h2>Files</h2><details><summary>{len(files)} files</summary><ul>{links}</ul>{more}</details>\n"


def _first(files: Sequence[str]) -> Iterable[str]:
    return files[:_MOST_LINKS]


def _text(text: str) -> str:
    return html.escape(text)
