"""What a status goes on saying of each state while agents are still to report, and what is said at once."""

from typing import Any

import pytest

from coordinator.verdicts.readiness import Level, Verdict
from coordinator.verdicts.standing import standing, standing_unverified
from coordinator.verdicts.status import policy_status
from nicfleet.reasons import Finding, Reason

TYPES = {"state-OFED": "OFEDDriverReady", "state-multus-cni": "MultusCNIReady"}
NODES = ("a", "b")
NOTE = Finding(Reason.ManagementOnNic, "loading the driver cuts a through ens2f0", ("a",))
OTHER_NOTE = Finding(Reason.NodeExcludedByTaint, "taint x keeps out c", ("c",))


def of(
    reason: Reason | None = None,
    *notes: Finding,
    name: str = "state-OFED",
    level: Level = Level.NOT_READY,
    said: str = "so it is",
) -> Verdict:
    """Ready without a reason."""
    if reason is None:
        return Verdict(name, Level.READY, None, notes)
    return Verdict(name, level, Finding(reason, said, NODES), notes)


def status(*verdicts: Verdict, unverified: Finding | None = None) -> dict[str, Any]:
    return policy_status(verdicts, TYPES, unverified, 3, {}, "T1")


@pytest.mark.parametrize(
    ("told", "now"),
    [
        pytest.param(of(), of(), id="ready as before"),
        pytest.param(of(None, NOTE, OTHER_NOTE), of(), id="notes that only agents tell of"),
        pytest.param(of(Reason.DriverNotLoaded), of(), id="an agent's evidence is missing"),
        pytest.param(of(Reason.DriverNotLoaded, NOTE), of(), id="and its note too"),
        pytest.param(of(Reason.DriverNotLoaded), of(Reason.DriverNotLoaded, said="of fewer"), id="a part is missing"),
        pytest.param(of(Reason.DriverHeld), of(Reason.ContainerCrashing), id="the cause is missing"),
        pytest.param(of(Reason.DriverLoading), of(), id="on its way"),
        pytest.param(of(Reason.DriverNotLoaded), of(Reason.RollingOut), id="what passes by itself is no worse"),
        pytest.param(
            of(Reason.PolicyConflict, NOTE, level=Level.ERROR),
            of(Reason.PolicyConflict, level=Level.ERROR),
            id="an error as before",
        ),
    ],
)
def test_what_is_no_worse_stays_word_for_word(told: Verdict, now: Verdict) -> None:
    before = status(told)

    kept = standing([now], TYPES, before)

    assert policy_status(kept, TYPES, None, 3, before, "T2") == before


@pytest.mark.parametrize(
    ("told", "now"),
    [
        pytest.param(of(), of(Reason.RollingOut), id="no longer ready"),
        pytest.param(of(None, NOTE), of(Reason.ImagePullFailed), id="ready with a note"),
        pytest.param(of(Reason.RollingOut), of(Reason.ContainerCrashing), id="does not pass by itself"),
        pytest.param(of(Reason.RollingOut), of(Reason.ObjectConflict, level=Level.ERROR), id="an error"),
        pytest.param(
            of(Reason.Removing), Verdict("state-OFED", Level.IGNORE), id="not asked for: no agent has a say in that"
        ),
        pytest.param(of(name="state-multus-cni"), of(Reason.RollingOut), id="nothing was told of it"),
    ],
)
def test_what_is_worse_is_said_at_once(told: Verdict, now: Verdict) -> None:
    assert standing([now], TYPES, status(told)) == [now]


def test_each_state_is_weighed_by_itself() -> None:
    """One is not ready by what is known at once, another by an agent that has not reported to the new leader yet."""
    multus, driver = of(Reason.ImagePullFailed, name="state-multus-cni"), of(Reason.DriverNotLoaded)
    before = status(multus, driver)

    kept = standing([multus, of()], TYPES, before)

    assert policy_status(kept, TYPES, standing_unverified(before), 3, before, "T2") == before


def test_a_state_without_a_condition_needs_no_agent() -> None:
    """That its finding has no reason in the status does no harm: it is seen at once how it is."""
    before = status(of(Reason.RollingOut, name="state-whereabouts-cni"))
    now = of(name="state-whereabouts-cni")
    assert standing([now], TYPES, before) == [now]


def test_a_word_of_another_version_is_not_kept() -> None:
    before = status(of(Reason.DriverNotLoaded))
    for condition in before["conditions"]:
        condition["reason"] = "NeverHeardOf"
    assert standing([of()], TYPES, before) == [of()]
    assert standing_unverified(before) is None


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(status(of()), None, id="verified"),
        pytest.param(status(of(Reason.RollingOut)), None, id="only not ready"),
        pytest.param(
            status(of(), unverified=Finding(Reason.NodeSilent, "the agents of a are silent", ("a",))),
            Finding(Reason.NodeSilent, "the agents of a are silent"),
            id="silent",
        ),
        pytest.param({}, None, id="nothing told"),
    ],
)
def test_who_was_missing_stays_missing(told: dict[str, Any], expected: Finding | None) -> None:
    assert standing_unverified(told) == expected


def test_what_is_worse_takes_verified_too() -> None:
    before = status(of())
    now = policy_status(
        standing([of(Reason.RollingOut)], TYPES, before), TYPES, standing_unverified(before), 3, before, "T2"
    )
    assert {c["type"]: c["status"] for c in now["conditions"]} == {
        "OFEDDriverReady": "False",
        "Ready": "False",
        "Verified": "False",
        "Progressing": "True",
        "Degraded": "False",
    }
