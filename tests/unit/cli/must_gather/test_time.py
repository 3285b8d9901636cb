"""No text, whoever wrote it, takes more time than its length: else one policy could hold up the whole archive."""

import ast
import importlib
import inspect
import pkgutil
import re
import time
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any, Final

import pytest

import cli.must_gather
from cli.must_gather.redaction import redact_text
from tests.unit.cli.must_gather.adversary import Pump, pumps

LENGTH: Final = 8_000
SHORT: Final = 0.01
"""Seconds in which a text of this length is searched, mostly; what takes longer is looked at again."""
_LONGEST: Final = 24
BEHIND: Final = ("", "!", " !", "\n!", '"')

BEGIN, END = "-----BEGIN RSA PRIVATE " + "KEY-----", "-----END RSA PRIVATE " + "KEY-----"
PARTS: Final = (
    "a:", "pass=a ", "://a:b", "a@", "'", '\\"', "{", "[", '{"a":', "token: {", "-", "--token ", f"{BEGIN} ",
    f"{END}\n", f"{BEGIN}\n", "a.", "Ab1/", "Ab1/\n", "password: |\n", "\n ", "- ", "name: token\n", "basic ", "&sig=a",
    "\\", "=-u", "=--user", "login -p", "login ", "-p- ", "token='", "--token\n", "- --token\n- ", "a: &a [*a]\n",
    "a: b\n", "password:\n", "password=\n  ", "# \n", "$6$", "a: [", "? ", "- - ", "a: |\n ", "--- \n", "<a>", "eyJ",
)  # fmt: skip
"""What some loop of ours, rather than a pattern, has work with."""


def _modules() -> list[ModuleType]:
    found = pkgutil.walk_packages(cli.must_gather.__path__, "cli.must_gather.")
    return [importlib.import_module(each.name) for each in found]


def _patterns(value: Any) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, tuple | list | frozenset):
        for each in value:
            yield from _patterns(each)
    elif isinstance(value, Mapping):
        yield from _patterns(list(value.values()))


def _is_anchored(module: ModuleType, name: str) -> bool:
    used = {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
    }
    return bool(used) and used <= {"match", "fullmatch"}


PATTERNS: Final = {
    pattern.pattern: (pattern, _is_anchored(module, name))
    for module in _modules()
    for name, value in vars(module).items()
    if not name.startswith("__")
    for pattern in _patterns(value)
}
"""Each, and whether it is tried at one place of a text only."""


def test_all_patterns_are_seen() -> None:
    """None is made where it is used, so that all are among those above."""
    inside = [
        f"{module.__name__}: {function.name}"
        for module in _modules()
        for function in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
        if isinstance(call.func.value, ast.Name) and call.func.value.id == "re"
    ]
    assert not inside
    assert len(PATTERNS) > 50


@pytest.mark.parametrize(
    ("pattern", "anchored"), [pytest.param(*each, id=each[0].pattern[:40]) for each in PATTERNS.values()]
)
def test_patterns(pattern: re.Pattern[str], anchored: bool) -> None:
    def search(text: str) -> None:
        for each in (pattern.match, pattern.fullmatch) if anchored else (pattern.findall,):
            each(text)

    slow = ((pump, end) for pump in sorted(pumps(pattern)) for end in BEHIND if _grows(search, pump, end))
    assert next(slow, None) is None


@pytest.mark.parametrize("before", ["", "password: ", "x --token ", f"{BEGIN}\n"], ids=repr)
def test_texts(before: str) -> None:
    """Of all patterns' pumps, alone and line by line."""
    made = {pump.text[-_LONGEST:] for pattern, _ in PATTERNS.values() for pump in pumps(pattern)}
    slow = (
        (text, end)
        for text in (*PARTS, *made)
        for end in ("!", f"!\n{END}")
        if _grows(redact_text, Pump(before, text), end)
    )
    assert next(slow, None) is None


def _grows(run: Callable[[str], object], pump: Pump, behind: str) -> bool:
    """Faster than the text does: sixteen times the time of a quarter, but for what the machine does meanwhile."""
    if _seconds(run, pump(LENGTH, behind)) < SHORT:
        return False
    quarter, whole = (min(_seconds(run, pump(n, behind)) for _ in range(3)) for n in (LENGTH, 4 * LENGTH))
    return whole > 10 * quarter


def _seconds(run: Callable[[str], object], text: str) -> float:
    """Of this thread, whatever else the machine does."""
    began = time.thread_time()
    run(text)
    return time.thread_time() - began
