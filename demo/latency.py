"""How long a change on a host takes until a watcher of the API server sees the label."""

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from demo.hosts import SPARE_NODE, SpareCard
from demo.observed import Observed

ROUNDS: Final = 50
GIVE_UP_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = (0.12, 0.2)
"""Between changes; longer than the agent merges events, so that each is a change of its own."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """Seconds, in the order measured."""

    additions: tuple[float, ...]
    removals: tuple[float, ...]


class NotSeen(Exception):
    """A change did not reach the label; the text says which."""


def measure(card: SpareCard, observed: Observed, rounds: int = ROUNDS) -> Latencies:
    """Pull the card out and put it back, again and again. Raises NotSeen."""

    def has_label() -> bool:
        return SpareCard.LABEL in observed.labels.get(SPARE_NODE, {})

    additions, removals = [], []
    for _ in range(rounds):
        removals.append(_timed("unplugged", card.pull_out, lambda: not has_label(), observed))
        additions.append(_timed("plugged in", card.put_back, has_label, observed))
    return Latencies(tuple(additions), tuple(removals))


def percentile(seconds: Sequence[float], percent: int) -> float:
    """By nearest rank: a value that was measured."""
    return sorted(seconds)[math.ceil(len(seconds) * percent / 100) - 1]


def _timed(change: str, act: Callable[[], None], holds: Callable[[], bool], observed: Observed) -> float:
    time.sleep(random.uniform(*_PAUSE_SECONDS))
    began = time.monotonic()
    act()
    if not observed.wait_until(holds, GIVE_UP_SECONDS):
        raise NotSeen(
            f"the card was {change} {GIVE_UP_SECONDS:.0f} s ago, and the label {SpareCard.LABEL} does not show it"
        )
    return time.monotonic() - began
