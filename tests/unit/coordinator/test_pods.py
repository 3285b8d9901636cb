"""Which refusal of a workload's Pods is still worth telling."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from coordinator.kube.pods import REFUSAL_CURRENT, EventNote, decode_events, latest_refusal
from coordinator.workloads import Pod

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def failed(seconds_ago: float, message: str = "exceeded quota") -> EventNote:
    return EventNote("FailedCreate", message, "DaemonSet", "d", NOW - timedelta(seconds=seconds_ago))


def succeeded(seconds_ago: float) -> EventNote:
    return EventNote("SuccessfulCreate", "Created pod: d-x", "DaemonSet", "d", NOW - timedelta(seconds=seconds_ago))


def pod(seconds_ago: float) -> Pod:
    return Pod("n", "d-x", "a", "Running", created=NOW - timedelta(seconds=seconds_ago))


@pytest.mark.parametrize(
    ("events", "pods", "expected"),
    [
        pytest.param((), (), "", id="nothing happened"),
        pytest.param((failed(0),), (), "exceeded quota", id="just now"),
        pytest.param((failed(1000),), (), "exceeded quota", id="the controller waits as long as it ever does"),
        pytest.param((failed(REFUSAL_CURRENT.total_seconds() + 1),), (), "", id="not repeated since"),
        pytest.param((failed(60),), (pod(59),), "", id="a pod was created since"),
        pytest.param((failed(60),), (pod(60), pod(900)), "exceeded quota", id="a quota let one pass and not the next"),
        pytest.param((failed(60), succeeded(59)), (), "", id="the pod created since is gone again"),
        pytest.param((succeeded(60), failed(59)), (), "exceeded quota", id="refused after one was created"),
        pytest.param((failed(9, "new"), failed(99, "old")), (), "new", id="the newest of several, in any order"),
    ],
)
def test_latest_refusal(events: tuple[EventNote, ...], pods: tuple[Pod, ...], expected: str) -> None:
    assert latest_refusal(events, pods, NOW) == expected


def test_events_of_both_kinds_of_recorder_are_sorted_by_time() -> None:
    items: list[dict[str, object]] = [
        {"involvedObject": {}, "message": "second", "lastTimestamp": None, "eventTime": "2026-01-01T00:00:01.500000Z"},
        {"involvedObject": {}, "message": "third", "lastTimestamp": "2026-01-01T00:00:02Z", "eventTime": None},
        {"involvedObject": {}, "message": "first", "lastTimestamp": "2026-01-01T00:00:01Z", "eventTime": None},
    ]
    notes = decode_events(json.dumps({"items": items}).encode())
    assert [note.message for note in notes] == ["first", "second", "third"]
