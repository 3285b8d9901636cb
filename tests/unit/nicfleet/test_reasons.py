"""Texts that do not grow with a fleet."""

import pytest

from nicfleet.reasons import bounded, first_of, name_nodes


@pytest.mark.parametrize(
    ("count", "nodes", "sentences"),
    [
        pytest.param(0, "", "", id="none"),
        pytest.param(2, "0, 1", "0; 1", id="two"),
        pytest.param(5, "0, 1, 2, 3, 4", "0; 1; 2; 3; 4", id="as-many-as-are-named"),
        pytest.param(6, "0, 1, 2, 3, 4 and 1 more", "0; 1; 2; 3; 4; and 1 more taints", id="one-more"),
    ],
)
def test_five_are_named_and_the_rest_counted(count: int, nodes: str, sentences: str) -> None:
    names = [str(number) for number in range(count)]
    assert name_nodes(reversed(names)) == nodes
    assert first_of(names, "taints") == sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("x" * 40, "x" * 40, id="as-long-as-may-be"),
        pytest.param(
            "one two three four five six seven eight nine", "one two three … (cut at 40 characters)", id="word"
        ),
        pytest.param(
            "one two 123456789 four five six seven eight", "one two … (cut at 40 characters)", id="no-half-word"
        ),
        pytest.param("x" * 41, "x" * 15 + " … (cut at 40 characters)", id="one-long-word"),
    ],
)
def test_a_long_text_ends_after_a_word_and_says_so(text: str, expected: str) -> None:
    assert bounded(text, 40) == expected
    assert len(expected) <= 40
