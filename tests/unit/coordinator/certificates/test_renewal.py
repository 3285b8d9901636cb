"""When certificates are made anew, by a clock that is turned by hand."""

from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from coordinator.certificates.issue import (
    AUTHORITY_LIFE,
    SERVER_LIFE,
    SKEW,
    Pair,
    Unreadable,
    facts,
    is_signed_by,
    new_authority,
    new_server,
    require_pair,
)
from coordinator.certificates.material import Material
from coordinator.certificates.renewal import OVERLAP, Situation, renewed
from coordinator.certificates.sources import names_of

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = frozenset({"c.ns.svc", "localhost", "127.0.0.1"})
SECOND = timedelta(seconds=1)
UNTOLD = timedelta(hours=1)
"""A successor that is not published in this time is made anew."""
SUCCESSOR = AUTHORITY_LIFE * 0.8
"""After the authority was made, its successor is."""


def at(after: timedelta, published: bytes = b"", names: frozenset[str] = NAMES) -> Situation:
    return Situation(START + after, names, published)


FIRST = renewed(Material(), at(timedelta()))
NEXT = renewed(FIRST, at(SUCCESSOR))
"""With a successor, which is not yet known to all."""
TAKEN_OVER = renewed(NEXT, at(SUCCESSOR + OVERLAP, NEXT.bundle))
AHEAD = renewed(FIRST, at(SERVER_LIFE)).server


def test_out_of_nothing_comes_an_authority_and_what_it_signs() -> None:
    assert FIRST.authority is not None
    assert FIRST.server is not None
    assert (FIRST.coming, FIRST.past) == (None, None)
    assert FIRST.bundle == FIRST.authority.certificate
    assert is_signed_by(FIRST.server.certificate, FIRST.authority.certificate)
    assert facts(FIRST.server.certificate) == (START - SKEW, START + SERVER_LIFE, NAMES)
    assert facts(FIRST.authority.certificate) == (START - SKEW, START + AUTHORITY_LIFE, frozenset())
    assert facts(FIRST.server.certificate).made == START
    for pair in (FIRST.authority, FIRST.server):
        require_pair(pair)


@pytest.mark.parametrize(
    ("held", "situation", "what"),
    [
        pytest.param(FIRST, at(timedelta()), set(), id="just-made"),
        pytest.param(FIRST, at(SERVER_LIFE * 2 / 3 - SECOND), set(), id="more-than-a-third-is-left"),
        pytest.param(FIRST, at(SERVER_LIFE * 2 / 3), {"server"}, id="a-third-is-left"),
        pytest.param(FIRST, at(SERVER_LIFE + OVERLAP), {"server"}, id="expired"),
        pytest.param(FIRST, at(SECOND, names=NAMES | {"other"}), {"server"}, id="another-name"),
        pytest.param(FIRST, at(SECOND, names=NAMES - {"localhost"}), set(), id="one-name-more-than-needed"),
        pytest.param(FIRST, at(-SKEW), set(), id="made-by-a-clock-a-little-ahead"),
        pytest.param(FIRST, at(-SKEW - SECOND), {"authority", "server"}, id="made-by-a-clock-that-was-ahead"),
        pytest.param(replace(FIRST, server=AHEAD), at(SECOND), {"server"}, id="another-coordinators-clock-was-ahead"),
        pytest.param(replace(FIRST, server=None), at(SECOND), {"server"}, id="no-server-certificate"),
        pytest.param(replace(FIRST, authority=None), at(SECOND), {"authority", "server"}, id="no-authority"),
        pytest.param(FIRST, at(SUCCESSOR - SECOND), {"server"}, id="more-than-a-fifth-of-the-authority-is-left"),
        pytest.param(FIRST, at(SUCCESSOR), {"server", "coming"}, id="a-fifth-of-the-authority-is-left"),
        pytest.param(FIRST, at(AUTHORITY_LIFE), {"authority", "server", "coming"} - {"coming"}, id="authority-expired"),
        pytest.param(NEXT, at(SUCCESSOR + OVERLAP - SECOND, NEXT.bundle), set(), id="not-known-for-a-day"),
        pytest.param(NEXT, at(SUCCESSOR + UNTOLD - SECOND, FIRST.bundle), set(), id="known-to-nobody-yet"),
        pytest.param(NEXT, at(SUCCESSOR + UNTOLD, FIRST.bundle), {"coming"}, id="known-to-nobody-for-an-hour"),
        pytest.param(NEXT, at(SUCCESSOR + OVERLAP, FIRST.bundle), {"coming"}, id="known-to-nobody-for-a-day"),
        pytest.param(
            replace(NEXT, coming=new_authority(START + SUCCESSOR + OVERLAP)),
            at(SUCCESSOR),
            {"coming"},
            id="the-successor-was-made-by-a-clock-that-was-ahead",
        ),
        pytest.param(
            NEXT, at(SUCCESSOR + OVERLAP, NEXT.bundle), {"authority", "coming", "past", "server"}, id="known-to-all"
        ),
        pytest.param(NEXT, at(AUTHORITY_LIFE, FIRST.bundle), {"authority", "coming", "server"}, id="no-time-is-left"),
        pytest.param(TAKEN_OVER, at(SUCCESSOR + 2 * OVERLAP - SECOND), set(), id="the-past-still-counts"),
        pytest.param(TAKEN_OVER, at(SUCCESSOR + 2 * OVERLAP), {"past"}, id="the-past-is-over"),
    ],
)
def test_what_is_made_anew(held: Material, situation: Situation, what: set[str]) -> None:
    wanted = renewed(held, situation)
    parts = ("authority", "server", "coming", "past")
    assert {part for part in parts if getattr(wanted, part) != getattr(held, part)} == what
    assert renewed(wanted, situation) == wanted, "nothing is due right after"


def test_the_successor_signs_and_the_one_before_is_trusted_on() -> None:
    assert NEXT.coming is not None
    assert NEXT.authority is not None
    assert TAKEN_OVER.authority == NEXT.coming
    assert TAKEN_OVER.past == NEXT.authority.certificate
    assert TAKEN_OVER.server is not None
    assert is_signed_by(TAKEN_OVER.server.certificate, NEXT.coming.certificate)
    assert NEXT.bundle == NEXT.authority.certificate + NEXT.coming.certificate
    assert TAKEN_OVER.bundle == NEXT.coming.certificate + NEXT.authority.certificate


@pytest.mark.parametrize("part", [SERVER_LIFE * 2 / 3, SUCCESSOR, AUTHORITY_LIFE], ids=["server", "successor", "end"])
def test_an_agent_trusts_what_any_coordinator_shows(part: timedelta) -> None:
    """Agents may have the bundle of twelve hours ago, and another coordinator may show the certificate of then."""
    now = part - timedelta(days=2)
    held = before = renewed(FIRST, at(now))
    while now < part + timedelta(days=6):
        now += timedelta(hours=12)
        held, before = renewed(held, at(now, before.bundle)), held
        for shown in (held, before):
            assert shown.server is not None
            assert facts(shown.server.certificate).expires > START + now
            for known in (held.bundle, before.bundle):
                assert any(is_signed_by(shown.server.certificate, each) for each in _each(known)), now
    assert held != FIRST


LOOK = timedelta(minutes=15)
"""Between two looks: here fewer than there are, for the sake of the test's time."""
LOOKS_BEHIND = 3
"""So long a kubelet takes, and more: it looks once a minute, and remembers for a minute or so."""


@pytest.mark.parametrize("away", [0.0, 0.5, 23.6, 50.0], ids=lambda hours: f"{hours}h-unpublished")
def test_agents_whose_bundle_lags_behind_trust_what_is_shown_through_a_whole_change(away: float) -> None:
    """Also when the successor could not be published for a while after it was made."""
    now = SUCCESSOR - LOOK
    published_again = SUCCESSOR + timedelta(hours=away)
    held = renewed(FIRST, at(now))
    published = deque([held.bundle] * LOOKS_BEHIND, maxlen=LOOKS_BEHIND)
    signers = set()
    while now < published_again + timedelta(days=3):
        now += LOOK
        lagging = _each(published[0])
        held = renewed(held, at(now, published[-1]))
        published.append(held.bundle if now < SUCCESSOR or now >= published_again else published[-1])
        assert held.server is not None
        assert any(is_signed_by(held.server.certificate, each) for each in lagging), now
        assert held.authority is not None
        signers.add(held.authority.certificate)
    assert len(signers) == 2
    assert held.past is None


def _each(bundle: bytes) -> list[bytes]:
    end = b"-----END CERTIFICATE-----\n"
    return [part + end for part in bundle.split(end) if part]


def test_clocks_of_nodes_may_be_behind() -> None:
    made = new_server(new_authority(START), NAMES, START)
    assert facts(made.certificate).made == START  # and it is valid from SKEW before
    assert timedelta(minutes=30) <= SKEW <= timedelta(days=1)


def test_a_key_of_another_certificate_is_no_pair() -> None:
    with pytest.raises(Unreadable, match="belongs to another certificate"):
        require_pair(Pair(new_authority(START).certificate, new_authority(START).key))


def test_the_coordinator_is_reached_by_its_service_and_by_port_forward() -> None:
    assert names_of("c", "ns") >= {"c", "c.ns", "c.ns.svc", "c.ns.svc.cluster.local", "localhost", "127.0.0.1"}
