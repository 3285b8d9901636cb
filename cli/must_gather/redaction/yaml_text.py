"""Texts of YAML are trees, as those of JSON are; but secrets are replaced where they stand, so that comments stay.

A text is anybody's: nothing is constructed, an alias is not followed, and size and depth are bounded. What cannot be
read is searched line by line alone. Pure.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from cli.must_gather.redaction import fields
from cli.must_gather.redaction.mask import LEFT_OUT, MASK

MOST: Final = 1 << 20
"""Characters; a ConfigMap has no more."""
_DEEPEST: Final = 64
_TEXTS_WITHIN: Final = 4
"""Of YAML within each other."""
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KEPT: Final[Mapping[str, bool | None]] = {"": None, "~": None, "null": None, "true": True, "false": False}
_BLOCK: Final = ("|", ">")
_MARKS: Final = ("\n", "[", "{", "\\")
"""Without any of these it is one name with its value."""


class Leaf(str):
    """A text within `depth` texts of YAML."""

    __slots__ = ("depth",)

    depth: int


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """From `start` to `end` of the text. `alias` names another one that this one stands for; `block`: `|` or `>`."""

    start: int
    end: int
    value: "Leaf | bool | list[_Node] | dict[str, _Node] | None"
    alias: str = ""
    block: bool = False


class _TooDeep(Exception):
    """Nobody nests so deep."""


def may_be(text: str) -> bool:
    """Whether it is worth a try."""
    if len(text) > MOST or (isinstance(text, Leaf) and text.depth >= _TEXTS_WITHIN):
        return False
    return any(mark in text for mark in _MARKS)


def masked(text: str, redact: Callable[[Any], Any]) -> str:
    """The text without the secrets that it has as a tree, or several; as it is when it is none."""
    reader = _Reader(text)
    spans: dict[tuple[int, int], str] = {}
    try:
        for tree in reader.trees():
            spans.update(_spans(tree, redact(_plain(tree)), reader))
    except RecursionError:
        return MASK
    parts, done = [], 0
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= done:
            parts += [text[done:start], spans[start, end]]
            done = end
    return "".join((*parts, text[done:]))


class _Reader:
    """Reads a text once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.anchors: dict[str, _Node] = {}
        self._depth = text.depth + 1 if isinstance(text, Leaf) else 1

    def trees(self) -> Iterator[_Node]:
        """Of each document that is a mapping or a list, as far as the text can be read."""
        events: Iterator[Any] = yaml.parse(str(self.text), Loader=_Loader)
        try:
            for event in events:
                if isinstance(event, yaml.CollectionStartEvent):
                    yield self._node(event, events, 0)
        except (yaml.YAMLError, UnicodeError, _TooDeep):
            return

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> _Node:
        if depth > _DEEPEST:
            raise _TooDeep
        start, end = event.start_mark.index, event.end_mark.index
        alias = str(event.anchor) if isinstance(event, yaml.AliasEvent) else ""
        value: Leaf | bool | list[_Node] | dict[str, _Node] | None
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            value = self._leaf(self.text[start:end])
        else:
            value, end = self._collection(event, events, depth)
        block = getattr(event, "style", None) in _BLOCK and isinstance(value, str) and bool(value.strip())
        node = _Node(start, start + len(self.text[start:end].rstrip()), value, alias, block)
        if event.anchor and not alias:
            self.anchors[event.anchor] = node
        return node

    def _collection(
        self, event: Any, events: Iterator[Any], depth: int
    ) -> tuple["list[_Node] | dict[str, _Node]", int]:
        nodes: list[_Node] = []
        for inner in events:
            end = inner.end_mark.index
            if isinstance(inner, yaml.CollectionEndEvent):
                break
            nodes.append(self._node(inner, events, depth + 1))
        if isinstance(event, yaml.SequenceStartEvent):
            return nodes, end
        found: dict[str, _Node] = {}
        for key, value in zip(nodes[::2], nodes[1::2], strict=True):
            name = str(key.value) if isinstance(key.value, Leaf) else ""
            # A key that is there twice has two values.
            found[f"{name} {len(found)}" if name in found else name] = value
        return found, end

    def _scalar(self, event: Any) -> Leaf | bool | None:
        plain = event.implicit[0] and event.value.lower() in _KEPT
        return _KEPT[event.value.lower()] if plain else self._leaf(event.value)

    def _leaf(self, value: str) -> Leaf:
        leaf = Leaf(value)
        leaf.depth = self._depth
        return leaf


def _plain(node: _Node) -> Any:
    if isinstance(node.value, list):
        return [_plain(each) for each in node.value]
    if isinstance(node.value, dict):
        return {name: _plain(each) for name, each in node.value.items()}
    return node.value


def _spans(node: _Node, clean: Any, reader: _Reader) -> Iterator[tuple[tuple[int, int], str]]:
    """What of the text is to be replaced, and by what."""
    value = node.value
    if isinstance(value, dict) and isinstance(clean, Mapping) and len(value) == len(clean):
        for inner, cleaned in zip(value.values(), clean.values(), strict=True):
            yield from _spans(inner, cleaned, reader)
    elif isinstance(value, list) and isinstance(clean, list) and len(value) == len(clean):
        for inner, cleaned in zip(value, clean, strict=True):
            yield from _spans(inner, cleaned, reader)
    elif value != clean and not (isinstance(value, Leaf) and clean == MASK and fields.is_kept(value)):
        anchored = reader.anchors.get(node.alias)
        for each in (node, anchored) if anchored is not None else (node,):
            yield (each.start, each.end), _written(reader.text, each, clean)


def _written(text: str, node: _Node, clean: Any) -> str:
    """In the style in which it was."""
    if node.alias or not isinstance(clean, str):
        return MASK
    if node.block:
        header, _, body = text[node.start : node.end].partition("\n")
        indent = body[: min(len(line) - len(line.lstrip(" ")) for line in body.split("\n") if line.strip())]
        return "\n".join((header, *(f"{indent}{line}" for line in clean.rstrip("\n").split("\n"))))
    return clean if clean in (MASK, LEFT_OUT) else json.dumps(clean, ensure_ascii=False)
