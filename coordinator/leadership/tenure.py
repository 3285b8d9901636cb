"""Until when this coordinator leads and may write, by its own clock. Pure, but for the clock."""

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from coordinator.leadership.lease import TIMES, Times

Clock = Callable[[], float]

BOOT_CLOCK: Final[Clock] = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
"""Goes on while the machine sleeps: a coordinator that wakes up must know that its time is over."""


class Tenure:
    """Counts from when the last renewal that the API server has confirmed was sent: nobody can have seen it before.

    It is the permit of the leader's writes.
    """

    def __init__(self, clock: Clock = BOOT_CLOCK, times: Times = TIMES) -> None:
        self._clock = clock
        self._times = times
        self._since: float | None = None

    def renewed(self, sent: float) -> None:
        """A renewal that was sent then has been confirmed."""
        self._since = sent

    def end(self) -> None:
        """No write begins any more."""
        self._since = None

    @property
    def ends_at(self) -> float:
        """When others may take the Lease."""
        return float("-inf") if self._since is None else self._since + self._times.held

    def seconds_left(self) -> float:
        """What a write that begins now may take."""
        now = self._clock()
        if self._since is None or now >= self._since + self._times.writing:
            return 0.0
        return self.ends_at - self._times.margin - now
