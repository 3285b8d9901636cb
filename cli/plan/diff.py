"""Two objects as a unified diff of their YAML. Pure."""

import difflib
from collections.abc import Mapping
from typing import Any, Final

from cli.plan.yaml_text import write

CONTEXT: Final = 3


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Lines of `before` with -, of `after` with +, without a header; empty when both are the same."""
    lines = difflib.unified_diff(_lines(before), _lines(after), "", "", n=CONTEXT, lineterm="")
    return "\n".join(list(lines)[2:])


def _lines(obj: Mapping[str, Any]) -> list[str]:
    return write(_sorted(obj)).splitlines()


def _sorted(value: Any) -> Any:
    """Keys in one order: the API server and a template have each their own."""
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_sorted(item) for item in value]
    return value
