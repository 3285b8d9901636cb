"""What every line of a log looks like, and whose lines are left out."""

import json
import logging
from collections.abc import Iterator

import pytest

from nicfleet import logs


@pytest.fixture(autouse=True)
def others() -> Iterator[None]:
    """The loggers of the whole process, as they were."""
    root, grpc = logging.getLogger(), logging.getLogger("grpc")
    before = root.handlers[:], root.level, grpc.level
    yield
    root.handlers[:], root.level, grpc.level = before


def test_a_line_is_json_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")

    logging.getLogger("agent.run").info("report sent", extra={"node": "a", "devices": 4})

    line = json.loads(capsys.readouterr().out)
    assert line.pop("time")
    expected = {"level": "info", "logger": "agent.run", "message": "report sent", "node": "a", "devices": 4}
    assert line == expected


def test_debugging_does_not_drown_in_the_workings_of_grpc(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug")

    logging.getLogger("grpc._cython.cygrpc").debug("running loop")
    logging.getLogger("grpc._cython.cygrpc").warning("a call failed")
    logging.getLogger("agent").debug("looked")

    said = [json.loads(line)["message"] for line in capsys.readouterr().out.splitlines()]
    assert said == ["a call failed", "looked"]
