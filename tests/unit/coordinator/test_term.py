"""When a stream is asked for the next one, and when it ends."""

import pytest

from coordinator.fleet.term import Due, Term

HEARTBEAT = 15.0


@pytest.mark.parametrize(("jitter", "renew_at"), [(0.0, 1900.0), (1.0, 1950.0)])
def test_a_stream_is_renewed_once_before_its_token_ends(jitter: float, renew_at: float) -> None:
    term = Term.of(ends_at=2000.0, now=1000.0, jitter=lambda: jitter, heartbeat=HEARTBEAT)
    times = (1000.0, renew_at - 1, renew_at, renew_at + 15, 1999.0, 2000.0, 2015.0)
    due = [term.due(now) for now in times]
    assert due == [Due.NOTHING, Due.NOTHING, Due.RENEW, Due.NOTHING, Due.NOTHING, Due.END, Due.END]


@pytest.mark.parametrize("jitter", [0.0, 1.0])
@pytest.mark.parametrize("life", [1.0, 31.0, 100.0, 600.0, 3600.0])
@pytest.mark.parametrize("phase", [0.0, 0.5, 0.99])
def test_a_stream_is_renewed_before_it_ends_however_short_its_token_lasts(
    life: float, jitter: float, phase: float
) -> None:
    """An agent that has no more to say than heartbeats, the first one sooner or later."""
    term = Term.of(ends_at=life, now=0.0, jitter=lambda: jitter, heartbeat=HEARTBEAT)
    heartbeats = [HEARTBEAT * (phase + count) for count in range(300)]
    due = [(now, what) for now in heartbeats if (what := term.due(now)) is not Due.NOTHING]
    if life > 2 * HEARTBEAT:
        asked, what = due[0]
        assert what is Due.RENEW
        assert asked <= life - HEARTBEAT, "with time for another stream"
    assert due[-1][1] is Due.END
    assert due[-1][0] >= life


def test_one_that_was_held_over_its_time_ends() -> None:
    term = Term.of(ends_at=2000.0, now=1000.0, jitter=lambda: 0.5, heartbeat=HEARTBEAT)
    assert term.due(3000.0) is Due.END
