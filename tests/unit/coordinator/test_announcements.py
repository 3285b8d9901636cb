"""What is told when a verdict changes, what is not told again, and that a restart tells nothing twice."""

from typing import Any

from coordinator.verdicts.announcements import Announcement, Announcer
from coordinator.verdicts.readiness import Level, Verdict
from coordinator.verdicts.status import policy_status
from nicfleet.reasons import Finding, Reason

ROLLING = Verdict("state-OFED", Level.NOT_READY, Finding(Reason.RollingOut, "0 of 2 pods"))
FURTHER = Verdict("state-OFED", Level.NOT_READY, Finding(Reason.RollingOut, "1 of 2 pods"))
CRASHED = Verdict("state-OFED", Level.NOT_READY, Finding(Reason.ContainerCrashing, "it crashes"))
READY = Verdict("state-OFED", Level.READY)
NOTED = Verdict("state-OFED", Level.READY, None, (Finding(Reason.ManagementOnNic, "a through ens2f0", ("a",)),))
IGNORED = Verdict("state-whereabouts-cni", Level.IGNORE)


def status(*verdicts: Verdict, previous: dict[str, Any] | None = None) -> dict[str, Any]:
    return policy_status(verdicts, {"state-OFED": "OFEDDriverReady"}, None, 1, previous or {}, "T1")


def said(announcer: Announcer, verdict: Verdict, previous: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    now = status(verdict, IGNORED, previous=previous)
    return [(news.subject, news.reason) for news in announcer.news([verdict, IGNORED], now, previous or {})]


def test_a_finding_is_told_once_however_its_figures_move() -> None:
    announcer = Announcer()
    assert said(announcer, ROLLING) == [("state-OFED", "RollingOut")]
    assert said(announcer, FURTHER, status(ROLLING, IGNORED)) == []
    assert said(announcer, CRASHED, status(FURTHER, IGNORED)) == [("state-OFED", "ContainerCrashing")]


def test_ready_is_told_of_the_state_and_of_the_whole() -> None:
    announcer = Announcer()
    said(announcer, ROLLING)
    assert said(announcer, READY, status(ROLLING, IGNORED)) == [
        ("state-OFED", "ComponentReady"),
        ("Ready", "AllComponentsReady"),
        ("Verified", "AllComponentsReady"),
    ]


def test_after_a_restart_nothing_is_told_again() -> None:
    assert said(Announcer(), CRASHED, status(CRASHED, IGNORED)) == []


def test_a_note_is_told_with_its_own_reason() -> None:
    announcer = Announcer()
    now = status(NOTED)
    news = announcer.news([NOTED], now, status(NOTED) | {"appliedStates": []})
    assert news == [Announcement("state-OFED", "ManagementOnNic", "a through ens2f0", warning=True)]


def test_each_state_warns_by_its_own_finding() -> None:
    other = Verdict("state-multus-cni", Level.NOT_READY, Finding(Reason.ImagePullFailed, "no such image"))
    news = Announcer().news([CRASHED, other, FURTHER], status(CRASHED, other), {})
    assert [(one.reason, one.warning) for one in news] == [
        ("ContainerCrashing", True),
        ("ImagePullFailed", True),
        ("RollingOut", False),
    ]


def test_one_component_that_became_ready_is_no_event() -> None:
    assert not Announcement("state-OFED", Reason.ComponentReady, "state-OFED is ready").eventful
    assert Announcement("Ready", Reason.AllComponentsReady, "Ready is True").eventful


def test_a_note_that_stays_is_not_told_again_when_another_finding_comes() -> None:
    announcer = Announcer()
    said(announcer, NOTED)
    worse = Verdict("state-OFED", Level.NOT_READY, CRASHED.finding, NOTED.notes)
    assert said(announcer, worse, status(NOTED, IGNORED)) == [("state-OFED", "ContainerCrashing")]
