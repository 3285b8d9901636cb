"""Text a user wrote stays text: nothing in it can end a string, start a document or change a type."""

import re
from pathlib import Path

import jinja2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from coordinator.objects.render import Renderer, to_yaml
from tests.unit.coordinator.policies import TEMPLATES

EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_every_value_comes_back_as_it_was(value: object) -> None:
    assert yaml.load(f"a: {to_yaml(value)}\n", Loader=yaml.CSafeLoader) == {"a": value}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('it\'s "a" \\ test', id="quotes"),
        pytest.param("a\n---\nkind: Secret\n...\n", id="documents"),
        pytest.param("on", id="boolean-of-yaml-1.1"),
        pytest.param("0755", id="octal"),
        pytest.param("{{ 1 }} {% raw %} #", id="template"),
        pytest.param("a\u0085b\u2028c\u2029d\ufeff\x7f😀", id="characters-yaml-folds-or-refuses"),
    ],
)
def test_hostile_text(text: str, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/10-a.yaml.j2").write_text("kind: {{ text | tojson }}\nmap: {{ {text: [text]} | tojson }}\n")
    assert Renderer(tmp_path)("state", {"text": text}) == ({"kind": text, "map": {text: [text]}},)


def test_order_is_that_of_file_names_and_documents(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/20-b.yaml.j2").write_text("n: 3\n")
    (tmp_path / "state/10-a.yaml.j2").write_text("n: 1\n---\nn: 2\n---\n{% if false %}\nn: 9\n{% endif %}\n")
    (tmp_path / "state/part.j2").write_text("n: 8\n")
    assert Renderer(tmp_path)("state", {}) == ({"n": 1}, {"n": 2}, {"n": 3})


def test_a_value_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/10-a.yaml.j2").write_text("n: {{ missing | tojson }}\n")
    with pytest.raises(jinja2.UndefinedError):
        Renderer(tmp_path)("state", {})


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no templates in"):
        Renderer(tmp_path)("state", {})


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.j2")), ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_templates_quote_every_value(path: Path) -> None:
    unquoted = [found for found in EXPRESSION.findall(path.read_text()) if not found.endswith("| tojson ")]
    assert unquoted == []
