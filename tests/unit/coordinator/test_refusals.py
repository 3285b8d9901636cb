"""Refusals: each counted, told once in a while; and whose address a peer has."""

from dataclasses import replace

import pytest

from coordinator.fleet import refusals
from coordinator.fleet.refusals import REPEAT_SECONDS, Refusals, host_of, is_loopback
from nicfleet.reasons import Finding, Reason


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


UNPROVEN, FOREIGN = Finding(Reason.IdentityUnproven, "no token"), Finding(Reason.IdentityForeign, "of another node")


def test_each_is_counted_and_told_once_an_hour_for_peer_sentence_and_proved_node() -> None:
    clock = Clock()
    log = Refusals(clock)
    told = [log.count(FOREIGN, "10.0.0.1", "worker-1") for _ in range(100)]
    assert told == [True] + [False] * 99
    assert log.count(FOREIGN, "10.0.0.2", "worker-1")
    assert log.count(FOREIGN, "10.0.0.1", "worker-2")
    assert log.count(replace(FOREIGN, message="of no agent"), "10.0.0.1", "worker-1")
    assert log.count(UNPROVEN, "10.0.0.1", "worker-1")
    clock.now = REPEAT_SECONDS
    assert log.count(FOREIGN, "10.0.0.1", "worker-1")
    assert log.counts == {Reason.IdentityForeign: 104, Reason.IdentityUnproven: 1}


def test_who_is_refused_with_ever_other_words_is_told_of_a_few_times() -> None:
    log = Refusals(Clock())
    told = [log.count(replace(UNPROVEN, message=f"no token {number}"), "10.0.0.1") for number in range(100)]
    assert told == [True] * 8 + [False] * 92
    assert log.count(UNPROVEN, "10.0.0.2")


def test_of_more_peers_than_are_remembered_only_the_number_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a fleet that is refused as a whole would be told of with every attempt."""
    monkeypatch.setattr(refusals, "_MOST", 2)
    clock = Clock()
    log = Refusals(clock)
    for _ in range(3):
        told = [peer for peer in ("a", "b", "c") if log.count(UNPROVEN, peer)]
        assert told == (["a", "b"] if clock.now == 0 else [])
        clock.now += 1
    assert log.counts == {Reason.IdentityUnproven: 9}
    assert log.count(FOREIGN, "c")
    clock.now = REPEAT_SECONDS
    assert log.count(UNPROVEN, "c")


@pytest.mark.parametrize(
    ("peer", "host", "loopback"),
    [
        ("ipv4:10.0.0.1:4321", "10.0.0.1", False),
        ("ipv4:127.0.0.1:4321", "127.0.0.1", True),
        ("ipv4:127.0.0.6:4321", "127.0.0.6", False),
        ("ipv6:%5B::1%5D:4321", "::1", True),
        ("ipv6:[::1]:4321", "::1", True),
        ("ipv6:%5B::ffff:127.0.0.1%5D:4321", "::ffff:127.0.0.1", True),
        ("ipv6:%5Bfd00::1%5D:4321", "fd00::1", False),
        ("ipv6:%5B::ffff:10.0.0.1%5D:4321", "::ffff:10.0.0.1", False),
        ("unix:/run/127.sock", "unix:/run/127.sock", False),
        ("", "", False),
    ],
)
def test_peers(peer: str, host: str, loopback: bool) -> None:
    assert (host_of(peer), is_loopback(peer)) == (host, loopback)
