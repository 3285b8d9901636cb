"""Waiting longer after each failure, never in step with others."""

from random import Random
from typing import Final

BASE: Final = 0.5
CEILING: Final = 60.0


def doubled(first: float, times: int, longest: float) -> float:
    """`first` doubled so many times, at most `longest`."""
    return min(longest, first * 2.0 ** min(times, 32))  # 2.0**1024 would overflow


class Backoff:
    """Delays in seconds: 0.5, 1, 2, … up to a ceiling, each shortened at random by up to a half."""

    def __init__(self, random: Random, ceiling: float = CEILING) -> None:
        self._random = random
        self._ceiling = ceiling
        self._failures = 0

    def next(self) -> float:
        """The delay after one more failure."""
        longest = doubled(BASE, self._failures, self._ceiling)
        self._failures += 1
        return longest * self._random.uniform(0.5, 1.0)

    def reset(self) -> None:
        self._failures = 0
