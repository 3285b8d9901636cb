"""Which of two agents that claim one node is believed without asking the other."""

import pytest

from coordinator.fleet.identity import Identity
from tests.unit.coordinator.reports import identity

HELD = identity(instance="a", boot="boot-1", started=10)


@pytest.mark.parametrize(
    ("newcomer", "expected"),
    [
        pytest.param(identity(instance="a", boot="boot-1", started=10), True, id="same-instance"),
        pytest.param(identity(instance="b", boot="boot-2", started=11), False, id="other-boot-maybe-another-machine"),
        pytest.param(identity(instance="b", boot="boot-1", started=11), False, id="same-boot"),
        pytest.param(identity(instance="b", boot="", started=11), False, id="boot-unknown"),
    ],
)
def test_supersedes(newcomer: Identity, expected: bool) -> None:
    assert newcomer.supersedes(HELD) is expected
