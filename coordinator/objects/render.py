"""Templates and values to Kubernetes objects.

The templates are YAML with jinja2. Every value goes through `tojson`: JSON is YAML, so no text a user wrote can end a
string, start a document or change its type. An undefined value is a programming error and raises.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Undefined

Obj = dict[str, Any]
"""A Kubernetes object, as parsed from JSON or YAML."""

SUFFIX: Final = ".yaml.j2"
_NOT_PLAIN: Final = re.compile(r"[^ -~]")


def to_yaml(value: object) -> str:
    """A value as JSON in printable ASCII.

    YAML reads surrogate pairs as two characters and folds some Unicode line breaks, so what JSON would leave as it is
    or write as a pair becomes one YAML escape.
    """
    text = json.dumps(value, ensure_ascii=False, default=_refuse)
    return _NOT_PLAIN.sub(lambda match: f"\\U{ord(match[0]):08x}", text)


def _refuse(value: object) -> object:
    if isinstance(value, Undefined):
        return str(value)  # raises UndefinedError, which names what is missing
    raise TypeError(f"a template got {value!r}, which has no JSON form")


class Renderer:
    """Renders the template folders below one folder."""

    def __init__(self, templates: Path) -> None:
        self._templates = templates
        self._environment = Environment(
            loader=FileSystemLoader(templates),
            undefined=StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._environment.filters["tojson"] = to_yaml

    def __call__(self, folder: str, values: Mapping[str, object]) -> tuple[Obj, ...]:
        """The objects of a folder's templates, in the order of file names and of documents in a file.

        Raises FileNotFoundError for a folder without templates, and jinja2's and yaml's errors for a broken one: all
        of them mean a broken installation, never a user's mistake.
        """
        files = sorted(path.name for path in (self._templates / folder).glob(f"*{SUFFIX}"))
        if not files:
            raise FileNotFoundError(f"no templates in {self._templates / folder}")
        objects: list[Obj] = []
        for file in files:
            text = self._environment.get_template(f"{folder}/{file}").render(values)
            objects += [item for item in yaml.load_all(text, Loader=yaml.CSafeLoader) if item is not None]
        return tuple(objects)
