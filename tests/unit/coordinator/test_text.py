"""Foreign text must be the same on every pass, or each pass writes a status."""

import pytest

from coordinator.verdicts.text import one_line, registry_answer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a\n  b\tc", "a b c", id="white-space"),
        pytest.param("2026-11-25T01:02:03.456Z failed", "failed", id="rfc3339"),
        pytest.param("2026-11-25 01:02:03,456 failed", "failed", id="log-time"),
        pytest.param("[ 1234] at 01:02:03 pid 42 gone", "at gone", id="pid-and-clock"),
        pytest.param("back-off 5m0s restarting", "restarting", id="waiting-time"),
        pytest.param("x" * 300, "x" * 199 + "…", id="cut"),
        pytest.param("version 23.04-0.5.3", "version 23.04-0.5.3", id="versions-stay"),
    ],
)
def test_one_line(text: str, expected: str) -> None:
    assert one_line(text) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param("manifest unknown", "manifest unknown", id="first-failure"),
        pytest.param('Back-off pulling image "r/i:t": ErrImagePull: manifest unknown', "manifest unknown", id="later"),
        pytest.param("", "the kubelet gives no reason", id="nothing"),
    ],
)
def test_the_registrys_answer_is_the_same_while_backing_off(message: str, expected: str) -> None:
    assert registry_answer(message) == expected
