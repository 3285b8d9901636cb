"""How long a stream may speak by the token that it began with.

The API server would say no sooner: a stream is checked when it begins. So its agent is asked for a new stream in time,
and the old one ends with its token. Both wait while the API server is away, as no new token can be checked then, and
nothing that the stream says can be written either.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Self

_FIRST: Final = 0.9
_SPREAD: Final = 0.05
"""Parts of its time after which a stream is asked for the next one. The kubelet has renewed the token at 0.8."""
_LEFT: Final = 2
"""Heartbeats that are left at least then: with the first of them it is seen what is due, by the second it is done."""


class Due(Enum):
    """What is to be done with a stream."""

    NOTHING = auto()
    RENEW = auto()
    END = auto()


@dataclass(slots=True)
class Term:
    """Times in seconds since 1970."""

    renew_at: float
    ends_at: float
    asked: bool = False

    @classmethod
    def of(cls, ends_at: float, now: float, jitter: Callable[[], float], heartbeat: float) -> Self:
        """`jitter` gives 0 to 1: streams that began together shall not be renewed together."""
        renew_at = now + (ends_at - now) * (_FIRST + _SPREAD * jitter())
        return cls(min(renew_at, ends_at - _LEFT * heartbeat), ends_at)

    def due(self, now: float) -> Due:
        """To be asked with every message; heartbeats come often enough. RENEW is answered once."""
        if now >= self.ends_at:
            return Due.END
        if now < self.renew_at or self.asked:
            return Due.NOTHING
        self.asked = True
        return Due.RENEW
