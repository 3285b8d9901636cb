"""One line when a finding appears and one when it is over; none in between."""

import logging

import pytest

from coordinator.fleet.finding_log import FindingLog
from nicfleet.reasons import Finding, Reason

BROKEN = Finding(Reason.DeviceInRecovery, "the card at x runs its recovery firmware")
ODD = Finding(Reason.UnsupportedDevice, "ConnectX-6 Lx is not supported (y)")


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, object]]:
    said = [(record.getMessage(), vars(record)["reason"]) for record in caplog.records]
    caplog.clear()
    return said


def test_a_finding_is_told_when_it_comes_and_when_it_goes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = FindingLog()

    log.tell("a", [BROKEN])
    assert lines(caplog) == [("node finding", "DeviceInRecovery")]
    log.tell("a", [BROKEN])
    log.tell("b", [])
    assert lines(caplog) == []
    log.tell("a", [ODD])
    assert lines(caplog) == [("node finding", "UnsupportedDevice"), ("node finding is over", "DeviceInRecovery")]
    log.tell("a", [])
    assert lines(caplog) == [("node finding is over", "UnsupportedDevice")]
