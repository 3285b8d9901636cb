"""A text of several lines: private keys, blocks of YAML, JSON behind a timestamp; and what a single line has."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from cli.must_gather.redaction import fields, words
from cli.must_gather.redaction.mask import CUT, MASK
from cli.must_gather.redaction.names import is_secret

Redact = Callable[[Any, str], Any]
"""A tree without secrets, by the name that it stands under."""

LONGEST_LINE: Final = 64 << 10
"""Twice what a log may have."""

_STAMP: Final = re.compile(r"(?:\d{4}-\d\d-\d\dT[\d:.]{8,20}(?:Z|[+-]\d\d:\d\d) )?")
"""What the kubelet puts before each line of a log."""

_WRAPPED: Final = re.compile(r"(?:[A-Za-z0-9+/]{40,}+\n)++[A-Za-z0-9+/]*+={0,2}+\n?")
"""A text that is wholly in base64, over several lines."""

_BEGIN: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----")
_END: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----")
_KEY_WORD: Final = 16
_KEY_LINE: Final = 40
"""Letters that a line of a key has at least, but for the last; behind what a logger puts there, nearly a whole line."""
_KEY_LINES: Final = 400
"""A private key has no more."""
_OF_A_KEY: Final = re.compile(
    r"(?<![^\s\"'|>])[A-Za-z0-9+/]++={0,2}+(?=(?:[\"',]|\\++n)*+$)|(?:Proc-Type|DEK-Info): .*+"
)
_AFTER_BEGIN: Final = re.compile(
    r"(?:(?:\\++[nr]|\s){0,4}+[A-Za-z0-9+/]{16,}+={0,2}+)*+(?:(?:\\++[nr]|\s){0,4}+[A-Za-z0-9+/]++={0,2}+$)?"
)

_OPENS_BLOCK: Final = re.compile(
    r"(?P<indent>\s*+(?:- )*+)[\"']?(?P<name>[\w.-]++)[\"']?(?:[ \t]*+=|:)[ \t]*+(?:[|>][-+\d]{0,3}+)?+[ \t]*+(?:#.*)?"
)


def clean(text: str, redact: Redact) -> str:
    """The text without secrets, and without the rest of lines that are too long."""
    if "\n" not in text:
        return _Cleaner(redact)(_cut(text))
    if _WRAPPED.fullmatch(text) and words.is_opaque("".join(text.split()), _holds(redact)):
        return MASK
    return "\n".join(_lines([_cut(line) for line in text.split("\n")], redact))


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}{CUT}"


def _lines(lines: list[str], redact: Redact) -> Iterator[str]:
    """Each line, and one for each block that is left out."""
    lines = _without_keys(lines)
    one, at = _Cleaner(redact), 0
    while at < len(lines):
        end = _block_end(lines, at, named=bool(one.named))
        yield one(lines[at])
        if end > at + 1:
            stamp = _STAMP.match(lines[at + 1])
            yield f"{stamp[0] if stamp else ''}{' ' * _indent(_body(lines[at + 1]))}{MASK}"
        at = end


class _Cleaner:
    """One line after the other."""

    def __init__(self, redact: Redact) -> None:
        self._redact = redact
        self._fields = fields.Line()

    @property
    def named(self) -> str:
        return self._fields.named

    def __call__(self, line: str) -> str:
        body = _body(line)
        return line[: len(line) - len(body)] + self._of(body)

    def _of(self, line: str) -> str:
        line = _within_line(line)
        start = line.find("{")
        if start >= 0 and (found := _tree(line, start)) is not None:
            tree, end = found
            before, behind = line[:start], line[end:]
            name = fields.opens_secret(before)
            middle = rewritten(line[start:end], tree, self._redact, name)
            return f"{self._text(before)}{middle}{self._text(behind)}"
        return self._text(line)

    def _text(self, text: str) -> str:
        if not text:
            return text
        return words.clean(self._fields(text), _holds(self._redact))


def _holds(redact: Redact) -> words.Holds:
    return lambda text: redact(text, "") != text


def _tree(line: str, start: int) -> tuple[Any, int] | None:
    """JSON that begins here, and where it ends."""
    try:
        return parsed(line, start)
    except (ValueError, RecursionError):
        return None


def parsed(text: str, start: int = 0) -> tuple[Any, int]:
    """JSON and where it ends. Raises ValueError, also if a name is there twice: then one of two values is not seen."""
    return json.JSONDecoder(object_pairs_hook=_once).raw_decode(text, start)


def rewritten(text: str, tree: Any, redact: Redact, name: str = "") -> str:
    """The JSON of a tree without its secrets, as it was if there are none. Nobody nests too deep to be followed."""
    try:
        clean = redact(tree, name)
        return text if clean == tree else json.dumps(clean, ensure_ascii=False)
    except RecursionError:
        return MASK


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


# Private keys.


def _within_line(line: str) -> str:
    """A key that has both ends in the line, or only a beginning: what follows goes as long as it looks like a key."""
    if "PRIVATE KEY" not in line:
        return line
    parts, at, end = [], 0, _END.search(line)
    while begin := _BEGIN.search(line, at):
        end = end and _END.search(line, begin.end())
        parts += [line[at : begin.start()], MASK]
        after = _AFTER_BEGIN.match(line, begin.end())
        at = end.end() if end else after.end() if after else begin.end()
    return "".join((*parts, line[at:]))


def _without_keys(lines: list[str]) -> list[str]:
    """Keys over several lines, also those of which a log's limit cut off the beginning or the end."""
    if not any("PRIVATE KEY" in line for line in lines):
        return lines
    lines = [_within_line(line) if _BEGIN.search(line) and _END.search(line) else line for line in lines]
    for at, line in enumerate(lines):
        begin = _BEGIN.search(line)
        if begin:
            _mask_from(lines, at, begin)
        elif end := _END.search(line):
            lines[at] = f"{_STAMP.match(line)[0]}{MASK}{line[end.end() :]}"  # type: ignore[index]  # it matches anything
            _mask_while_of_a_key(lines, range(at - 1, max(-1, at - _KEY_LINES), -1), short=True)
    return lines


def _mask_from(lines: list[str], at: int, begin: re.Match[str]) -> None:
    """To the key's end, or as long as lines look like one: a sentence may speak of such a beginning."""
    until = min(len(lines), at + _KEY_LINES)
    for place in range(at + 1, until):
        if _BEGIN.search(lines[place]):
            break
        if end := _END.search(lines[place]):
            lines[at] = f"{lines[at][: begin.start()]}{MASK}"
            lines[at + 1 : place] = [MASK] * (place - at - 1)
            lines[place] = f"{MASK}{lines[place][end.end() :]}"
            return
    lines[at] = _within_line(lines[at])
    _mask_while_of_a_key(lines, range(at + 1, until), short=False)


def _mask_while_of_a_key(lines: list[str], places: range, *, short: bool) -> None:
    """A key's last line may be a `short` one, so that one may come first when they are seen from the end."""
    for place in places:
        found = _OF_A_KEY.search(lines[place])
        if found is None:
            return
        alone = _body(lines[place]).lstrip(" \t>|\"'").startswith(found[0])
        long = len(found[0]) >= (_KEY_WORD if alone else _KEY_LINE)
        if not long and not (alone and short):
            return
        lines[place] = f"{lines[place][: found.start()]}{MASK}"
        short = long and places.step > 0


# Blocks of YAML.


def _block_end(lines: list[str], at: int, *, named: bool) -> int:
    """Behind the lines that are the value of a name that stands alone in its line."""
    found = _OPENS_BLOCK.fullmatch(_body(lines[at]))
    if found is None:
        return at + 1
    name = found["name"]
    if not (is_secret(name) or (named and name == "value")):
        return at + 1
    column, dashed = len(found["indent"]), "-" in found["indent"]
    end = at + 1
    while end < len(lines) and _is_inside(_body(lines[end]), column, dashed=dashed):
        end += 1
    while end > at + 1 and not lines[end - 1].strip():
        end -= 1
    return end


def _is_inside(body: str, column: int, *, dashed: bool) -> bool:
    indent = _indent(body)
    return not body.strip() or indent > column or (indent == column and not dashed and body[indent:].startswith("- "))


def _indent(body: str) -> int:
    return len(body) - len(body.lstrip(" \t"))


def _body(line: str) -> str:
    """Without the kubelet's timestamp."""
    stamp = _STAMP.match(line)
    return line[stamp.end() :] if stamp else line
