"""What a Lease says, when it is free, and until when its holder writes: by one clock each, never by another's."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coordinator.kube.objects import Obj
from coordinator.kube.session import UNACKNOWLEDGED_SECONDS
from coordinator.leadership.election import PATIENCE
from coordinator.leadership.lease import (
    ADDRESS_ANNOTATION,
    TIMES,
    Candidate,
    Record,
    Sighting,
    claimed,
    owner_of,
    released,
    renewed,
    seen,
)
from coordinator.leadership.tenure import Tenure

ME = Candidate("me_1", "10.0.0.1:7444")
OTHER = Candidate("other_2", "10.0.0.2:7444")
BEFORE_MY_RESTART = Candidate("me_0", "10.0.0.1:7444")
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def stored(lease: Obj, **metadata: Any) -> dict[str, Any]:
    """As the API server answers with it."""
    return {**lease, "metadata": {**lease["metadata"], "resourceVersion": "7", "uid": "u", **metadata}}


def held_by(candidate: Candidate) -> Record:
    return Record.of(claimed(None, "ns", candidate, NOW))


def test_the_first_claim_makes_a_lease() -> None:
    assert claimed(None, "ns", ME, NOW) == {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": "nicfleet-coordinator",
            "namespace": "ns",
            "annotations": {ADDRESS_ANNOTATION: "10.0.0.1:7444"},
        },
        "spec": {
            "holderIdentity": "me_1",
            "leaseDurationSeconds": 10,
            "acquireTime": "2026-01-02T03:04:05.678901Z",
            "renewTime": "2026-01-02T03:04:05.678901Z",
            "leaseTransitions": 0,
        },
    }


def test_what_is_written_is_of_the_lease_that_was_read_and_leaves_what_others_put_there() -> None:
    lease = stored(claimed(None, "ns", OTHER, NOW), labels={"team": "net"}, managedFields=[{"manager": "x"}])
    lease["metadata"]["annotations"]["note"] = "by hand"

    taken = claimed(lease, "ns", ME, NOW)
    longer = renewed(stored(taken), NOW + timedelta(seconds=2))
    free = released(stored(longer), NOW + timedelta(seconds=3))

    assert [each["metadata"]["resourceVersion"] for each in (taken, longer, free)] == ["7", "7", "7"]
    assert all(each["metadata"]["labels"] == {"team": "net"} for each in (taken, longer, free))
    assert all("managedFields" not in each["metadata"] for each in (taken, longer, free))
    assert (Record.of(taken).holder, Record.of(taken).address, Record.of(taken).transitions) == ("me_1", ME.address, 1)
    assert longer["spec"] == taken["spec"] | {"renewTime": "2026-01-02T03:04:07.678901Z"}
    assert (Record.of(free).holder, Record.of(free).address, Record.of(free).transitions) == ("", "", 1)
    assert free["metadata"]["annotations"] == {"note": "by hand"}


ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "name": "a", "uid": "u"}


@pytest.mark.parametrize(
    ("user", "uid", "expected"),
    [
        pytest.param("system:serviceaccount:ns:a", "u", ACCOUNT, id="an account"),
        pytest.param("system:serviceaccount:ns2:a", "u", None, id="of another namespace, where an owner cannot be"),
        pytest.param("admin", "u", None, id="a person"),
        pytest.param("system:serviceaccount:ns:a", "", None, id="the server does not tell which of that name"),
    ],
)
def test_who_owns_the_lease(user: str, uid: str, expected: Obj | None) -> None:
    assert owner_of(user, uid, "ns") == expected


def test_who_claims_the_lease_owns_it_and_lets_it_go_as_its_own() -> None:
    lease = stored(claimed(None, "ns", OTHER, NOW))
    assert "ownerReferences" not in lease["metadata"]
    mine = claimed(lease, "ns", replace(ME, owner=ACCOUNT), NOW)
    for each in (mine, renewed(stored(mine), NOW), released(stored(mine), NOW), claimed(stored(mine), "ns", ME, NOW)):
        assert each["metadata"]["ownerReferences"] == [ACCOUNT]


@pytest.mark.parametrize(
    ("lease", "expected"),
    [
        pytest.param({"metadata": {}}, Record("", "", TIMES.held, "", 0), id="empty"),
        pytest.param({"metadata": {"annotations": None}, "spec": None}, Record("", "", TIMES.held, "", 0), id="null"),
        pytest.param(
            {"metadata": {}, "spec": {"holderIdentity": "kubectl", "leaseDurationSeconds": 3600}},
            Record("kubectl", "", 3600.0, "", 0),
            id="by hand",
        ),
    ],
)
def test_a_lease_that_somebody_else_wrote_is_read(lease: Mapping[str, Any], expected: Record) -> None:
    assert Record.of(lease) == expected


@pytest.mark.parametrize(
    ("record", "after", "free"),
    [
        pytest.param(held_by(OTHER), 9.9, False, id="held"),
        pytest.param(held_by(OTHER), 10.0, True, id="not renewed"),
        pytest.param(replace(held_by(OTHER), seconds=15.0), 14.9, False, id="of a release that holds it longer"),
        pytest.param(replace(held_by(OTHER), renewed="2036-01-01T00:00:00.000000Z"), 10.0, True, id="clock ahead"),
        pytest.param(replace(held_by(OTHER), renewed="1970-01-01T00:00:00.000000Z"), 9.9, False, id="clock behind"),
        pytest.param(replace(held_by(OTHER), holder=""), 0.0, True, id="released"),
        pytest.param(held_by(ME), 0.0, True, id="mine, though the answer to my claim was lost"),
        pytest.param(held_by(BEFORE_MY_RESTART), 9.9, False, id="of the process before me in my pod"),
    ],
)
def test_when_a_lease_is_free(record: Record, after: float, free: bool) -> None:
    assert Sighting(record, 100.0).is_free(ME, 100.0 + after) is free


@pytest.mark.parametrize(
    ("record", "after", "doubted"),
    [
        pytest.param(held_by(OTHER), 3.9, False, id="a renewal is late by one"),
        pytest.param(held_by(OTHER), 4.0, True, id="two are missing"),
        pytest.param(replace(held_by(OTHER), holder=""), 0.0, True, id="released"),
    ],
)
def test_when_it_may_soon_be_free(record: Record, after: float, doubted: bool) -> None:
    assert Sighting(record, 100.0).in_doubt(100.0 + after) is doubted


def test_a_lease_is_as_old_as_the_first_look_that_found_it_so() -> None:
    lease = stored(claimed(None, "ns", OTHER, NOW))
    first = seen(None, lease, 100.0)
    assert first == Sighting(held_by(OTHER), 100.0)
    assert seen(first, stored(lease, resourceVersion="8", labels={"a": "b"}), 105.0) is first
    longer = stored(renewed(lease, NOW + timedelta(seconds=2)))
    assert seen(first, longer, 105.0) == Sighting(Record.of(longer), 105.0)


def test_a_deleted_lease_counts_as_long_as_it_would_have_lasted() -> None:
    """Its holder does not know yet that it is gone."""
    first = seen(None, stored(claimed(None, "ns", OTHER, NOW)), 100.0)
    assert seen(first, None, 105.0) is first
    assert seen(None, None, 105.0) is None


@pytest.mark.parametrize(
    ("after", "left"),
    [
        pytest.param(0.0, 9.0, id="just renewed"),
        pytest.param(5.5, 3.5, id="a write that begins late is cut short"),
        pytest.param(6.0, 0.0, id="none begins any more"),
        pytest.param(60.0, 0.0, id="woken up from a sleep"),
    ],
)
def test_until_when_the_leader_writes(after: float, left: float) -> None:
    now = 100.0
    tenure = Tenure(lambda: now)
    assert tenure.seconds_left() == 0.0
    tenure.renewed(100.0)
    now += after
    assert tenure.seconds_left() == pytest.approx(left)
    assert tenure.ends_at == 110.0
    tenure.end()
    assert tenure.seconds_left() == 0.0


def test_a_renewal_counts_from_when_it_was_sent() -> None:
    """Others may have seen it long before its answer came."""
    now = 105.0
    tenure = Tenure(lambda: now)
    tenure.renewed(100.0)
    assert tenure.seconds_left() == pytest.approx(4.0)


def test_the_times_fit() -> None:
    """Every write of the leader has ended before another coordinator can begin with its own."""
    assert TIMES.writing < TIMES.held - TIMES.margin
    assert TIMES.writing + UNACKNOWLEDGED_SECONDS <= TIMES.held - TIMES.margin
    assert TIMES.held == int(TIMES.held)  # a Lease has whole seconds
    assert 2 * TIMES.renewed_every <= TIMES.doubted < TIMES.held
    assert TIMES.held + TIMES.looked_every - TIMES.doubted < PATIENCE < 10  # the agent's patience
