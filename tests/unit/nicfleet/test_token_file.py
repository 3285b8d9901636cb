"""A token in a file: read anew each time, and one sentence when it cannot be used."""

from pathlib import Path

import pytest

from nicfleet.channel import TokenUnusable
from nicfleet.token_file import TokenFile


def test_it_is_read_anew_each_time(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "token")
    file.path.write_text("eyJh.eyJz.c2ln\n")
    assert file() == "eyJh.eyJz.c2ln"
    file.path.write_text("another")
    assert file() == "another"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(None, "No such file or directory", id="missing"),
        pytest.param(b"", "it holds no token", id="empty"),
        pytest.param(b"one\ntwo", "it holds no token", id="two-lines"),
        pytest.param(b"eyJh\x00", "it holds no token", id="binary"),
        pytest.param(b"a" * (16 << 10) + b"a", "it holds no token", id="too-long"),
    ],
)
def test_a_file_without_a_token_is_one_sentence(tmp_path: Path, content: bytes | None, why: str) -> None:
    file = TokenFile(tmp_path / "token")
    if content is not None:
        file.path.write_bytes(content)
    with pytest.raises(TokenUnusable) as told:
        file()
    assert str(told.value) == (
        f"{file.path} cannot be used ({why}): give a file with a ServiceAccount's token for audience "
        "nicfleet-coordinator in --token-file"
    )
