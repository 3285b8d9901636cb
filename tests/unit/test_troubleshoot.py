"""What docs/how-to/troubleshoot.md tells to look for in logs is what the programs say there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/troubleshoot.md").read_text()


def section(heading: str) -> str:
    _, _, below = PAGE.partition(f"\n## {heading}\n")
    return below.partition("\n## ")[0]


def said_by(program: str) -> str:
    return "\n".join(path.read_text() for path in sorted((ROOT / program).rglob("*.py")))


OF_AGENTS = re.findall(r"^\| `([a-z ]*coordinator[a-z ]*)`", section("An agent is not connected"), re.MULTILINE)
OF_COORDINATORS = re.findall(r"-e '?([a-z ]+)'?(?= -e|\n)", section("A certificate or an identity is refused"))


@pytest.mark.parametrize("message", [*dict.fromkeys(OF_AGENTS), "coordinator connected"])
def test_an_agent_says_so(message: str) -> None:
    assert f'"{message}"' in said_by("agent")


@pytest.mark.parametrize("words", OF_COORDINATORS)
def test_a_coordinator_says_so(words: str) -> None:
    assert re.search(rf'\.(info|warning)\(\s*"[a-z ]*{words}"', said_by("coordinator"))


def test_there_is_something_to_look_for() -> None:
    assert len(OF_AGENTS) > 3
    assert OF_COORDINATORS == ["refused", "not renewed", "not checked"]
