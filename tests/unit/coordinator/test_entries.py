"""Which version of an object counts: what the watch, the answer to a write and a complete list may change."""

import pytest

from coordinator.kube.entries import Entry, differs, newer


def entry(version: int, uid: str = "a") -> Entry[None]:
    return Entry(uid, version, None)


@pytest.mark.parametrize(
    ("new", "known", "position", "expected"),
    [
        pytest.param(entry(5), None, None, True, id="event-of-a-new-object"),
        pytest.param(entry(5), entry(4), None, True, id="event-of-a-change"),
        pytest.param(entry(5), entry(5), None, False, id="event-of-our-own-write"),
        pytest.param(entry(4), entry(5), None, False, id="event-from-before-our-own-write"),
        pytest.param(entry(4), entry(5, "b"), None, False, id="event-of-the-predecessor"),
        pytest.param(entry(5, "b"), entry(4), None, True, id="event-of-the-successor"),
        pytest.param(entry(5), None, 4, True, id="answer-ahead-of-the-watch"),
        pytest.param(entry(5), None, 5, False, id="answer-about-an-object-that-the-watch-has-seen-go"),
        pytest.param(entry(5), entry(4), 9, True, id="answer-newer-than-what-is-known"),
        pytest.param(entry(4), entry(5, "b"), 9, False, id="answer-about-the-predecessor"),
    ],
)
def test_newer(new: Entry[None], known: Entry[None] | None, position: int | None, expected: bool) -> None:
    assert newer(new, known, position) is expected


@pytest.mark.parametrize(
    ("new", "known", "expected"),
    [
        pytest.param(entry(5), None, True, id="new"),
        pytest.param(entry(5), entry(5), False, id="the-same"),
        pytest.param(entry(4), entry(5), True, id="older-of-a-restored-server"),
        pytest.param(entry(5, "b"), entry(5), True, id="another-under-its-name"),
    ],
)
def test_differs(new: Entry[None], known: Entry[None] | None, expected: bool) -> None:
    assert differs(new, known) is expected
