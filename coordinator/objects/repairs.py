"""How often drift of one object is repaired: at once, then ever more rarely while somebody keeps changing it back."""

import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from coordinator.backoff import doubled

K = TypeVar("K")

_FIRST: Final = 10.0
_LONGEST: Final = 300.0
_PEACE: Final = 1800.0
"""Seconds without a repair after which an object starts anew."""


class Repairs(Generic[K]):
    """Memory of repairs per object; two operators that fight over one must not load the API server."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._done: dict[K, tuple[int, float]] = {}  # repairs so far and the time of the last

    def wait(self, key: K) -> float:
        """Seconds until the next repair may be made; 0 for now."""
        now = self._clock()
        self._done = {each: done for each, done in self._done.items() if now - done[1] < _PEACE}
        if key not in self._done:
            return 0.0
        count, last = self._done[key]
        return max(0.0, last + doubled(_FIRST, count - 1, _LONGEST) - now)

    def note(self, key: K) -> None:
        """A repair has been made."""
        count, _ = self._done.get(key, (0, 0.0))
        self._done[key] = (count + 1, self._clock())
