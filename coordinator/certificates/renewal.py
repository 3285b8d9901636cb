"""When what is made anew. Rules in their order; each is given what the one before left.

     authority made ──── four fifths of its life ────> its successor is made and published
                                                        │ a day at least, and agents can have it
     certificates of the old one still trusted <─ a day ─┴─> the successor signs

Whoever trusts the published authorities can so at any moment verify what any coordinator shows.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from coordinator.certificates.issue import Pair, facts, is_signed_by, new_authority, new_server
from coordinator.certificates.material import Material

OVERLAP: Final = timedelta(days=1)
"""In which every agent has the new authority: kubelets bring it within minutes."""

_UNTOLD: Final = timedelta(hours=1)
"""For which a successor may be unpublished. As the overlap counts from when it is made, it is made anew then."""

_AUTHORITY_LEFT: Final = 1 / 5
_SERVER_LEFT: Final = 1 / 3


@dataclass(frozen=True, slots=True)
class Situation:
    """What is so outside of the Secret."""

    now: datetime
    names: frozenset[str]
    """Host names and addresses by which the coordinator is reached."""
    published: bytes
    """The authorities that agents are told of."""


def renewed(held: Material, situation: Situation) -> Material:
    """What is to be held; the same when nothing is due."""
    for rule in RULES:
        held = rule(held, situation)
    return held


def authority_there(held: Material, situation: Situation) -> Material:
    """There must be one that signs. Without one, nobody who trusts the former is helped by waiting."""
    if held.authority is not None and _holds(held.authority, situation):
        return held
    if held.coming is not None and _holds(held.coming, situation):
        return replace(held, authority=held.coming, coming=None)
    return replace(held, authority=new_authority(situation.now), coming=None)


def successor_made(held: Material, situation: Situation) -> Material:
    """In good time before the authority expires."""
    assert held.authority is not None
    if held.coming is not None and _holds(held.coming, situation) and not _untold(held.coming, situation):
        return held
    due = _due(held.authority, _AUTHORITY_LEFT, situation)
    return replace(held, coming=new_authority(situation.now) if due else None)


def successor_signs(held: Material, situation: Situation) -> Material:
    """Once all had the time to learn of it."""
    assert held.authority is not None
    if held.coming is None or not _is_published(held.coming, situation):
        return held
    if not _is_old(held.coming.certificate, OVERLAP, situation):
        return held
    return replace(held, authority=held.coming, coming=None, past=held.authority.certificate)


def server_certified(held: Material, situation: Situation) -> Material:
    """For the names by which it is reached, by the authority that signs, and not soon to expire."""
    assert held.authority is not None
    server = held.server
    if (
        server is not None
        and _holds(server, situation)
        and is_signed_by(server.certificate, held.authority.certificate)
        and situation.names <= facts(server.certificate).names
        and not _due(server, _SERVER_LEFT, situation)
    ):
        return held
    return replace(held, server=new_server(held.authority, sorted(situation.names), situation.now))


def past_forgotten(held: Material, situation: Situation) -> Material:
    """When no coordinator shows any more what it signed."""
    assert held.server is not None
    if held.past is not None and _is_old(held.server.certificate, OVERLAP, situation):
        return replace(held, past=None)
    return held


RULES: Final[tuple[Callable[[Material, Situation], Material], ...]] = (
    authority_there,
    successor_made,
    successor_signs,
    server_certified,
    past_forgotten,
)


def _holds(pair: Pair, situation: Situation) -> bool:
    """Whether it is valid: not expired, and not made by a clock that is ahead of ours."""
    return facts(pair.certificate).holds(situation.now)


def _due(pair: Pair, left: float, situation: Situation) -> bool:
    """Whether no more than this part of its life is left."""
    told = facts(pair.certificate)
    return situation.now >= told.expires - (told.expires - told.made) * left


def _untold(coming: Pair, situation: Situation) -> bool:
    return not _is_published(coming, situation) and _is_old(coming.certificate, _UNTOLD, situation)


def _is_published(authority: Pair, situation: Situation) -> bool:
    return authority.certificate.strip() in situation.published


def _is_old(certificate: bytes, age: timedelta, situation: Situation) -> bool:
    return situation.now - facts(certificate).made >= age
