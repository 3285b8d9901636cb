"""Failures: what is told of a cause that many keys have in common, and how often they are tried."""

import heapq
import logging
from random import Random

import pytest

from coordinator.backoff import CEILING
from coordinator.failures import PACE_SECONDS, TELL_SECONDS, Failures
from coordinator.kube.errors import Forbidden, KubeError, Status, unreachable

MANY = 2_000
HOUR = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def forbidden(node: str) -> KubeError:
    message = f'nodes "{node}" is forbidden: User "x" cannot patch resource "nodes"'
    return Forbidden("apply", f"Node {node}", Status(code=403, message=message))


def failures_of(*keys: str) -> tuple[Failures[str], Clock]:
    """These have failed of one cause."""
    clock = Clock()
    failures = Failures[str](Random(1), clock)
    for key in keys:
        failures.failed(key, forbidden(key))
    return failures, clock


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, object, object]]:
    return [(r.message, getattr(r, "keys", None), getattr(r, "failures", None)) for r in caplog.records]


def test_a_cause_is_told_once_then_counted_at_intervals_and_in_the_end(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        failures, clock = failures_of("a-1", "a-2", "a-3")
        clock.now = TELL_SECONDS
        failures.failed("a-1", forbidden("a-1"))
        failures.failed("a-2", forbidden("a-2"))
        failures.succeeded("a-1")
        failures.succeeded("a-2")
        failures.succeeded("a-3")

    assert told(caplog) == [("key failed", None, None), ("keys still fail", 3, 3), ("failure is over", None, 5)]
    assert caplog.records[0].error == str(forbidden("a-1"))  # type: ignore[attr-defined]
    assert caplog.records[1].error == str(forbidden("a-1"))  # type: ignore[attr-defined]


def test_each_cause_is_told_and_one_failure_that_passes_makes_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        failures, _ = failures_of("a-1")
        failures.failed("a-2", unreachable("apply", "Node a-2", "nothing within 12 s"))
        failures.succeeded("a-2")
        failures.succeeded("a-2")

    assert told(caplog) == [("key failed", None, None)] * 2


def test_crashes_in_one_place_are_one_cause(caplog: pytest.LogCaptureFixture) -> None:
    failures = Failures[str](Random(1), Clock())
    crashes = [crash(text) for text in ("one", "two")]

    for key, error in zip("ab", crashes, strict=True):
        failures.failed(key, error)

    assert told(caplog) == [("key crashed", None, None)]
    assert caplog.records[0].exc_info


def crash(text: str) -> Exception:
    try:
        int(text)
    except ValueError as error:
        return error
    raise AssertionError


def test_one_key_backs_off_by_itself() -> None:
    failures, _ = failures_of()

    first = failures.failed("a", forbidden("a"))
    delays = [failures.failed("a", forbidden("a")) for _ in range(20)]
    failures.succeeded("a")

    assert first <= 0.5
    assert CEILING / 2 <= delays[-1] <= CEILING
    assert failures.failed("a", forbidden("a")) <= 0.5


def test_thousands_that_fail_of_one_cause_are_no_load() -> None:
    failures, clock = failures_of()
    names = [f"node-{number}" for number in range(MANY)]
    due = [(failures.failed(name, forbidden(name)), name) for name in names]
    heapq.heapify(due)
    attempts = 0
    while due[0][0] < HOUR:
        clock.now, name = heapq.heappop(due)
        heapq.heappush(due, (clock.now + failures.failed(name, forbidden(name)), name))
        attempts += 1

    assert HOUR / PACE_SECONDS / 2 < attempts < 2 * HOUR / PACE_SECONDS


def test_one_success_lets_all_others_try_soon() -> None:
    names = [f"node-{number}" for number in range(MANY)]
    failures, _ = failures_of(*names)

    rounds, line, left = 0, names[:1], set(names)
    while line:
        left -= set(line)
        line = [hopeful for name in line for hopeful in failures.succeeded(name)]
        rounds += 1

    assert not left
    assert rounds < 20


def test_a_success_that_others_do_not_share_costs_two_attempts() -> None:
    names = [f"node-{number}" for number in range(100)]
    failures, _ = failures_of(*names)

    hopeful = failures.succeeded("node-50")
    for name in hopeful:
        failures.failed(name, forbidden(name))

    assert len(hopeful) == 2
    assert not set(failures.succeeded("node-51")) & set(hopeful)
    assert failures.succeeded("node-50") == ()
