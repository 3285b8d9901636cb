"""What both daemons' flags have in common."""

from importlib.metadata import version

import pytest

from agent import settings as agent
from coordinator import settings as coordinator


@pytest.mark.parametrize("program", ["agent", "coordinator"])
def test_the_version_is_told_whatever_else_is_missing(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    read = {"agent": agent.read, "coordinator": coordinator.read}[program]

    with pytest.raises(SystemExit) as exited:
        read(["--version"], {})

    assert exited.value.code == 0
    assert capsys.readouterr() == (f"nicfleet-{program} {version('nicfleet')}\n", "")
