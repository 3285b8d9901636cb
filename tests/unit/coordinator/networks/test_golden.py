"""NetworkAttachmentDefinitions as people read them: golden/<case>.input.yaml makes <case>.output.yaml.

`pytest --update-golden` rewrites the outputs; the review is the diff.
"""

from pathlib import Path

import pytest
import yaml

from coordinator.networks.definition import definition
from coordinator.networks.kinds import KINDS
from coordinator.policy import InvalidSpec

CASES = sorted((Path(__file__).parent / "golden").glob("*.input.yaml"))


def made(text: str) -> str:
    network = yaml.safe_load(text)
    try:
        nad = definition(KINDS[network["kind"]].model.model_validate(network, extra="forbid"))
    except InvalidSpec as problem:
        return f"problem: {problem}\n"
    return yaml.safe_dump(nad, sort_keys=False, width=110, explicit_start=True)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name.split(".")[0])
def test_golden(path: Path, request: pytest.FixtureRequest) -> None:
    output = path.with_name(path.name.replace(".input.", ".output."))
    text = made(path.read_text())
    if request.config.getoption("--update-golden"):
        output.write_text(text)
    assert text == output.read_text()


def test_every_kind_has_a_case() -> None:
    assert {yaml.safe_load(path.read_text())["kind"] for path in CASES} == KINDS.keys()
