"""YAML as kubectl reads and writes it."""

from typing import Any

import pytest

from cli.plan.yaml_text import NotYaml, read, write


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("0000:05:00.0", "0000:05:00.0", id="an-address-is-no-number-to-the-base-of-60"),
        pytest.param("2026-11-27", "2026-11-27", id="a-date-is-text"),
        pytest.param("08", 8.0, id="no-octal-number-and-yet-a-number"),
        pytest.param("1e3", 1000.0, id="an-exponent-without-a-point"),
        pytest.param("010", 8, id="octal"),
        pytest.param("0x10", 16, id="hexadecimal"),
        pytest.param("-3", -3, id="negative"),
        pytest.param("25.07", 25.07, id="a-version-without-quotes-is-a-number"),
        pytest.param("25.07-0.9", "25.07-0.9", id="a-longer-version-is-text"),
        pytest.param("yes", True, id="yes"),
    ],
)
def test_scalars(text: str, value: object) -> None:
    assert list(read(f"key: {text}")) == [{"key": value}]


def test_empty_documents_are_none() -> None:
    assert list(read("---\n---\na: 1\n---\n# nothing\n")) == [{"a": 1}]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("a: 1\na: 2", "is not valid YAML at line 2, column 1: the key 'a' comes twice", id="twice"),
        pytest.param("a: [", "is not valid YAML at line 1, column 5", id="not-ended"),
        pytest.param("a: !!binary aGk=", "is not valid YAML: Object of type bytes", id="binary"),
        pytest.param("a: !!python/object:os.x {}", "is not valid YAML at line 1, column 4", id="tag"),
        pytest.param("{a: &x [*x]}", "is not valid YAML: Circular reference", id="circle"),
        pytest.param("[" * 2000, "is not valid YAML: maximum recursion depth", id="deep"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, sentence: str) -> None:
    with pytest.raises(NotYaml) as refused:
        list(read(text))
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize("text", ["08", "1e10", "12345678e9", "0000:05:00.0", "y", "yes", "null", "a\nb\n", "x: y", ""])
def test_text_stays_text_for_every_reader(text: str) -> None:
    written = write({"key": text})
    assert list(read(written)) == [{"key": text}]
    plain = written.removeprefix("key: ").strip()
    assert plain[:1] in ("'", '"', "|") or not plain[:1].isalnum()


def test_nothing_is_an_alias() -> None:
    shared: list[Any] = ["same"]
    assert "&" not in write({"a": shared, "b": shared})
