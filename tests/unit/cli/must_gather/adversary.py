"""Texts that a pattern has most work with, made of itself: what each of its repeats takes, over and over."""

import re
from collections.abc import Iterable, Iterator

# Private, and all that knows what is in a pattern: where it changes, this fails loudly.
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final, NamedTuple

_REPEATS: Final = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)
_MANY: Final = 32
"""Times from which on a repeat counts."""
_ANYTHING: Final = "a0 \t-!=:\"'\\n/"
_CATEGORIES: Final = {
    op.CATEGORY_DIGIT: r"\d", op.CATEGORY_NOT_DIGIT: r"\D", op.CATEGORY_SPACE: r"\s", op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w", op.CATEGORY_NOT_WORD: r"\W",
}  # fmt: skip


class Pump(NamedTuple):
    """`text` is written many times behind `before`."""

    before: str
    text: str

    def __call__(self, length: int, behind: str) -> str:
        return f"{self.before}{self.text * (length // len(self.text))}{behind}"


def pumps(pattern: re.Pattern[str]) -> frozenset[Pump]:
    """For each repeat of the pattern, with whatever character it takes; and for what stands before it."""
    tree = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    alphabet = "".join(dict.fromkeys([*_characters(tree), *_ANYTHING]))
    return frozenset(pump for pump in _pumps(tree, "", alphabet) if pump.text)


def _pumps(tree: Iterable[Any], before: str, alphabet: str) -> Iterator[Pump]:
    for code, value in tree:
        for inner in _inside(code, value):
            yield from _pumps(inner, before, alphabet)
        if code in _REPEATS and value[1] >= _MANY:
            for text in _samples(value[2], alphabet):
                yield Pump(before, text)
                yield Pump("", before + text)
        before += next(_samples([(code, value)], alphabet), "")
    yield Pump("", before)


def _inside(code: Any, value: Any) -> list[Any]:
    if code in _REPEATS:
        return [value[2]]
    if code in (op.ASSERT, op.ASSERT_NOT):
        return [value[1]]
    if code is op.BRANCH:
        return list(value[1])
    if code is op.SUBPATTERN:
        return [value[3]]
    return [value] if code is op.ATOMIC_GROUP else []


def _samples(tree: Iterable[Any], alphabet: str) -> Iterator[str]:
    """Texts that match, nearly: the first item in all its ways, the rest in one."""
    items = list(tree)
    if not items:
        yield ""
        return
    (code, value), rest = items[0], next(_samples(items[1:], alphabet), "")
    if code is op.LITERAL:
        yield chr(value) + rest
    elif code in (op.IN, op.NOT_LITERAL, op.ANY):
        for char in alphabet:
            if _takes(code, value, char):
                yield char + rest
    elif code in _REPEATS:
        for text in _samples(value[2], alphabet):
            yield text * max(1, value[0]) + rest
    elif code in (op.ASSERT, op.ASSERT_NOT):
        yield rest
    else:
        inside = _inside(code, value)
        for inner in inside:
            for text in _samples(inner, alphabet):
                yield text + rest
        if not inside:
            yield rest


def _takes(code: Any, value: Any, char: str) -> bool:
    if code is op.ANY:
        return char != "\n"
    if code is op.NOT_LITERAL:
        return char != chr(value)
    negated = value[0][0] is op.NEGATE
    return any(_has(kind, each, char) for kind, each in value) != negated


def _has(kind: Any, value: Any, char: str) -> bool:
    if kind is op.LITERAL:
        return char == chr(value)
    if kind is op.RANGE:
        return bool(value[0] <= ord(char) <= value[1])
    return kind is op.CATEGORY and re.match(_CATEGORIES[value], char) is not None


def _characters(tree: Iterable[Any]) -> Iterator[str]:
    """That the pattern speaks of."""
    for code, value in tree:
        if code in (op.LITERAL, op.NOT_LITERAL):
            yield chr(value)
        elif code is op.RANGE:
            yield from (chr(value[0]), chr(value[1]))
        elif code is op.IN:
            yield from _characters(value)
        for inner in _inside(code, value):
            yield from _characters(inner)
