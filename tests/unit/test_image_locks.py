"""What the images install is what the tests ran with, and each side gets no more than it needs."""

import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
PIN = re.compile(r"^(?P<name>[a-z0-9.-]+)==(?P<version>[^ ]+)", re.MULTILINE)
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
COORDINATORS = {"kubernetes", "aiohttp", "pydantic", "jinja2", "msgspec", "requests", "pyyaml"}


@cache
def pins(lock: str) -> dict[str, str]:
    """Versions by package."""
    return dict(PIN.findall((REPOSITORY / f"requirements/{lock}.lock").read_text()))


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=! ]", requirement)[0].lower() for requirement in requirements}


@pytest.mark.parametrize("lock", ["agent", "coordinator", "build"])
def test_versions_are_those_of_the_tests(lock: str) -> None:
    assert {name: pins("dev").get(name) for name in pins(lock)} == pins(lock), "make image-lock"


@pytest.mark.parametrize(("side", "others"), [("agent", COORDINATORS), ("coordinator", {"pyroute2", "pyudev"})])
def test_a_side_gets_what_it_asks_for_and_nothing_of_the_other(side: str, others: set[str]) -> None:
    asked = names(PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"][side])
    assert asked - pins(side).keys() == set(), "make image-lock"
    assert pins(side).keys() & (others | {"typer", "rich", "pip", "setuptools", "pytest"}) == set()


@pytest.mark.parametrize("lock", ["agent", "coordinator", "build"])
def test_every_package_has_hashes_and_no_address(lock: str) -> None:
    text = (REPOSITORY / f"requirements/{lock}.lock").read_text()
    assert len(re.findall(r"^[a-z0-9.-]+==.* \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)) == len(
        pins(lock)
    )
    assert "://" not in text
