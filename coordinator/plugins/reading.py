"""A plugin's configuration read value by value: where each stands, and what is wrong with it.

As Go's JSON reader has it, which the plugins use: keys match whatever their case, and null is as good as absent.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final, TypeVar

from coordinator.policy import InvalidSpec
from coordinator.policy.json_text import json_object

T = TypeVar("T")

_MOST_SHOWN: Final = 80
_LARGEST: Final = 2**63 - 1
_MOST_CAVEATS: Final = 5

_TYPES: Final[Mapping[type, str]] = {str: "a string", list: "a list", dict: "an object"}


@dataclass(slots=True)
class Reading:
    """What was found so far in the text of one field of a policy: all of it, not only the first."""

    root: str
    """Field of the policy that holds the text."""
    problems: list[InvalidSpec] = field(default_factory=list)
    caveats: list[str] = field(default_factory=list)

    def refuse(self, path: str, problem: str, fix: str) -> None:
        """Keep a mistake that makes the configuration useless."""
        self.problems.append(InvalidSpec(self._place(path), problem, fix))

    def caution(self, path: str, problem: str, fix: str) -> None:
        """Keep something that the plugin takes and that has not the effect it seems to have."""
        self.caveats.append(f"{self._place(path)} {problem}: {fix}")

    def _place(self, path: str) -> str:
        return f"{self.root} {path}" if path else self.root


@dataclass(frozen=True, slots=True)
class Value:
    """One JSON value and its path from the top, `configList[0].selectors`.

    Each reader gives the value as its type, or None after keeping what is wrong with it.
    """

    reading: Reading
    path: str
    raw: Any

    def refuse(self, problem: str, fix: str) -> None:
        self.reading.refuse(self.path, problem, fix)

    def caution(self, problem: str, fix: str) -> None:
        self.reading.caution(self.path, problem, fix)

    def fields(self) -> "Fields | None":
        return self._typed(dict, "an object", lambda raw: Fields(self, raw))

    def items(self) -> tuple["Value", ...] | None:
        return self._typed(list, "a list", self._items)

    def texts(self) -> tuple["Value", ...]:
        """The strings of a list; those that are none, or are empty, are left out and kept as mistakes."""
        return tuple(item for item in self.items() or () if item.text(empty=False) is not None)

    def text(self, *, empty: bool = True) -> str | None:
        text = self._typed(str, "a string", str)
        if text == "" and not empty:
            self.refuse("is empty", "give it a value or take it out")
            return None
        return text

    def flag(self) -> bool | None:
        return self._typed(bool, "true or false", bool)

    def count(self) -> int | None:
        """A whole number from 0. The plugins do not take 1.0 for one."""
        number = self.raw
        if isinstance(number, bool) or not isinstance(number, int):
            self._wrong_type("a whole number")
        elif not 0 <= number <= _LARGEST:
            self.refuse(f"is {shown(number)}", "use a number from 0")
        else:
            return number
        return None

    def _items(self, raw: list[Any]) -> tuple["Value", ...]:
        return tuple(Value(self.reading, f"{self.path}[{index}]", item) for index, item in enumerate(raw))

    def _typed(self, kind: type, wanted: str, read: Callable[[Any], T]) -> T | None:
        if isinstance(self.raw, kind):
            return read(self.raw)
        self._wrong_type(wanted)
        return None

    def _wrong_type(self, wanted: str) -> None:
        found = _TYPES.get(type(self.raw)) or shown(self.raw)
        self.refuse(f"is {found}", f"make it {wanted}")


class Fields:
    """The members of one JSON object."""

    def __init__(self, place: Value, raw: Mapping[str, Any]) -> None:
        self._place = place
        # Of keys that differ in case only, the plugins let the last one win too.
        self._raw = {key.lower(): value for key, value in raw.items() if value is not None}
        self._keys = tuple(raw)

    @property
    def place(self) -> Value:
        """The object itself."""
        return self._place

    def get(self, key: str) -> Value | None:
        raw = self._raw.get(key.lower())
        return None if raw is None else Value(self._place.reading, self._path(key), raw)

    def required(self, key: str, example: str) -> Value | None:
        """The member; its absence is a mistake."""
        value = self.get(key)
        if value is None:
            self._place.refuse(f"has no {key}", f"add one, such as {example}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; empty when it is absent."""
        value = self.get(key)
        return () if value is None else tuple(item.raw for item in value.texts())

    def others(self, known: Iterable[str]) -> tuple[str, ...]:
        """The keys, as they are written, that are none of these."""
        lower = {key.lower() for key in known}
        return tuple(key for key in self._keys if key.lower() not in lower)

    def refuse_others(self, known: tuple[str, ...]) -> None:
        """Keep as a mistake every key that is none of these."""
        for key in self.others(known):
            close = get_close_matches(key, known, n=1)
            fix = f"write {close[0]}" if close else f"use {', '.join(known[:-1])} or {known[-1]}"
            self._place.refuse(f"has the key {shown(key)}, which the plugin does not know there", fix)

    def caution_misplaced(self, selectors: Iterable[str], known: Iterable[str]) -> None:
        """Selectors that stand beside `selectors`, where the plugin does not read them."""
        belongs = {key.lower() for key in selectors}
        for key in self.others(known):
            if key.lower() in belongs:
                self._place.caution(f"has {key} beside selectors, where it has no effect", "move it into selectors")

    def _path(self, key: str) -> str:
        return f"{self._place.path}.{key}" if self._place.path else key


def parsed(root: str, text: str, config: Callable[[Fields], T]) -> T:
    """The configuration in a text, which `config` reads. Raises InvalidSpec for the first mistake."""
    found, reading = _read(root, text, config)
    if reading.problems or found is None:
        raise reading.problems[0]
    return found


def problems(root: str, text: str, config: Callable[[Fields], object]) -> tuple[InvalidSpec, ...]:
    """Every mistake, in the order of the text."""
    return tuple(_read(root, text, config)[1].problems)


def caveats(root: str, text: str, config: Callable[[Fields], object]) -> tuple[str, ...]:
    """What is taken and nothing is made of: a few sentences, however long the text is."""
    found = _read(root, text, config)[1].caveats
    told, rest = found[:_MOST_CAVEATS], len(found) - _MOST_CAVEATS
    return (*told, f"{root} has {rest} more values without effect") if rest > 0 else tuple(told)


def _read(root: str, text: str, config: Callable[[Fields], T]) -> tuple[T | None, Reading]:
    """Without a mistake in the reading the configuration is there, and is whole."""
    reading = Reading(root)
    try:
        top = json_object(root, text)
    except InvalidSpec as error:
        reading.problems.append(error)
        return None, reading
    return config(Fields(Value(reading, "", top), top)), reading


def shown(value: object) -> str:
    """A user's value for a sentence: as JSON, cut to a bearable length."""
    text = json.dumps(value).replace("\x7f", r"\u007f")
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "…"
