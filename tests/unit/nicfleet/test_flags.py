"""What both daemons' flags have in common."""

from importlib.metadata import version

import pytest

from agent import settings as agent
from coordinator import settings as coordinator
from nicfleet.flags import InvalidSettings


@pytest.mark.parametrize("program", ["agent", "coordinator"])
def test_the_version_is_told_whatever_else_is_missing(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    read = {"agent": agent.read, "coordinator": coordinator.read}[program]

    with pytest.raises(SystemExit) as exited:
        read(["--version"], {})

    assert exited.value.code == 0
    assert capsys.readouterr() == (f"nicfleet-{program} {version('nicfleet')}\n", "")


@pytest.mark.parametrize("word", ["maybe", "ture", " "])
def test_a_switch_whose_variable_says_neither_yes_nor_no_is_not_off(word: str) -> None:
    with pytest.raises(InvalidSettings, match=f"^NICFLEET_INSECURE is '{word}': give true or false$"):
        coordinator.read([], {"NICFLEET_INSECURE": word})


@pytest.mark.parametrize(
    ("word", "on"), [("true", True), ("1", True), ("Yes", True), ("false", False), ("0", False), ("", False)]
)
def test_a_switch_is_what_its_variable_says(word: str, on: bool) -> None:
    assert (coordinator.read([], {"NICFLEET_INSECURE": word}).tls is None) is on
