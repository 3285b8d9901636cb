"""Whatever an agent's greeting waits for at the coordinator, it ends before the agent gives up."""

import pytest

from coordinator.authentication import gate
from coordinator.fleet import sessions
from coordinator.leadership import election
from nicfleet.transport import ANSWER_SECONDS, GREETING_SECONDS


def test_the_answer_comes_while_the_agent_waits() -> None:
    assert GREETING_SECONDS <= ANSWER_SECONDS - 1  # for the way there and back


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(election.PATIENCE, id="who-leads"),
        pytest.param(gate.PATIENCE, id="whose-token"),
        pytest.param(sessions.PROBE_SECONDS, id="is-the-other-alive"),
    ],
)
def test_each_part_alone_can_end_by_then_and_say_so_in_its_own_words(part: float) -> None:
    """Together they share the time: an answer of the API server is remembered, and the agent comes back."""
    assert part <= GREETING_SECONDS - 1
