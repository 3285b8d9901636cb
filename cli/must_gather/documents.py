"""Objects as YAML and lines of JSON, quickly: there are thousands. Pure."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

_Fast: type[yaml.SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_Fast):  # type: ignore[misc, valid-type]  # libyaml's where PyYAML was built with it
    """Shared parts in full, and text of several lines as such."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def as_yaml(value: Mapping[str, Any]) -> str:
    return yaml.dump(dict(value), Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


def as_lines(values: Iterable[Mapping[str, Any]]) -> str:
    """One object a line, for grep and jq."""
    return "".join(f"{json.dumps(value, ensure_ascii=False)}\n" for value in values)
