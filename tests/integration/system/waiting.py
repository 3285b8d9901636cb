"""Waiting for what other processes do."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.05


def eventually(look: Callable[[], T | None], within: float = 60.0) -> T:
    """Look until it returns something true, and return that.

    An assertion in `look` that fails, or what it looks for and does not find, counts as false; at the end it is the
    failure. `within` is in seconds, and generous: a machine under load is slow, and a bound that is meant says so
    itself.
    """
    deadline = time.monotonic() + within
    while True:
        failure: Exception | None = None
        try:
            if found := look():
                return found
        except (AssertionError, LookupError, StopIteration) as error:
            failure = error
        if time.monotonic() > deadline:
            raise AssertionError(f"still not so after {within:g} s") from failure
        time.sleep(POLL_SECONDS)
