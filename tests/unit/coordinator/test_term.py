"""When a stream is asked for the next one, and when it ends."""

import pytest

from coordinator.fleet.term import Due, Term


@pytest.mark.parametrize(("jitter", "renew_at"), [(0.0, 1900.0), (1.0, 1950.0)])
def test_a_stream_is_renewed_once_before_its_token_ends(jitter: float, renew_at: float) -> None:
    term = Term.of(ends_at=2000.0, now=1000.0, jitter=lambda: jitter)
    times = (1000.0, renew_at - 1, renew_at, renew_at + 15, 1999.0, 2000.0, 2015.0)
    due = [term.due(now) for now in times]
    assert due == [Due.NOTHING, Due.NOTHING, Due.RENEW, Due.NOTHING, Due.NOTHING, Due.END, Due.END]


def test_one_that_was_held_over_its_time_ends() -> None:
    term = Term.of(ends_at=2000.0, now=1000.0, jitter=lambda: 0.5)
    assert term.due(3000.0) is Due.END
