"""Whether this process may write now, and until when a write must be done."""

import math
from typing import Final, Protocol


class Permit(Protocol):
    """Asked before each write, and before each attempt to send it.

    A connection may have to be made after that. Its time counts too: the write is given up when what was left is over.
    """

    def seconds_left(self) -> float:
        """What a write that begins now may take, with all that comes before it is sent; 0: it may not begin."""


class _Always:
    def seconds_left(self) -> float:
        return math.inf


ALWAYS: Final[Permit] = _Always()
"""Of a process that nobody else stands in for."""
