"""YAML as kubectl reads and people write it. Pure.

PyYAML knows dates and numbers to the base of 60, so that an unquoted PCI address can become a number, and it takes
the last of two equal keys; kubectl does neither. To kubectl 08 and 1e3 are numbers.
"""

import json
import re
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Final

import yaml

_INT: Final = "tag:yaml.org,2002:int"
_FLOAT: Final = "tag:yaml.org,2002:float"
_LEFT_OUT: Final = (_INT, _FLOAT, "tag:yaml.org,2002:timestamp")
_DIGITS: Final = "-+0123456789"

WIDTH: Final = 110


class NotYaml(ValueError):
    """The text cannot be read; the sentence says where and why."""


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {  # noqa: RUF012  # as PyYAML declares it
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _LEFT_OUT]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} comes twice", problem_mark=key.start_mark)
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(_INT, re.compile(r"[-+]?(?:0x[0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)\Z"), list(_DIGITS))
_Loader.add_implicit_resolver(
    _FLOAT, re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z"), list(f"{_DIGITS}.")
)


_QUOTED: Final = re.compile(r"[-+.]?[0-9].*|[yYnN]")
"""Text that some YAML reader takes for a number or a boolean: 08 and 1e10 are numbers to kubectl, not to PyYAML."""


class _Dumper(yaml.SafeDumper):
    """Shared parts in full, and text of several lines as such."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else "'" if _QUOTED.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def read(text: str) -> Iterator[Any]:
    """The documents of a text, without empty ones. Raises NotYaml."""
    try:
        for document in yaml.load_all(text, Loader=_Loader):
            if document is not None:
                json.dumps(document)  # nothing that JSON does not have: binary data, sets
                yield document
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise NotYaml(f"is not valid YAML{where}: {error.problem}") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise NotYaml(f"is not valid YAML: {' '.join(str(error).split())[:200]}") from error


def write(value: Mapping[str, Any]) -> str:
    """One document."""
    return yaml.dump(dict(value), Dumper=_Dumper, sort_keys=False, width=WIDTH, allow_unicode=True)
