"""Which keys fail, and of what: a cause that many have in common is told once, and tried for all of them now and then.

Each key backs off by itself. What fails in common has a pace in common too, however many keys there are; and whoever of
them succeeds lets two more try at once, so that ten thousand are through soon after the cause is gone, and hardly any
is tried in vain while it is not.
"""

import logging
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final, Generic, TypeVar

from coordinator.backoff import Backoff
from coordinator.kube.errors import KubeError

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)

PACE_SECONDS: Final = 1.0
"""Between two attempts at keys that fail of the same cause, as soon as this is longer than their own backoffs."""

TELL_SECONDS: Final = 300.0
"""Between two lines about a cause that stays."""

_LET_TRY: Final = 2


@dataclass(slots=True)
class _Cause(Generic[K]):
    identity: str
    error: str
    """The first one, in words."""
    told_at: float
    keys: OrderedDict[K, None] = field(default_factory=OrderedDict)
    """Those that fail of it; who is to try next comes first."""
    failures: int = 0


@dataclass(slots=True)
class _Failing(Generic[K]):
    backoff: Backoff
    cause: _Cause[K] | None = None


class Failures(Generic[K]):
    """Remembers failing keys until they succeed."""

    def __init__(self, random: Random, clock: Callable[[], float] = time.monotonic) -> None:
        self._random = random
        self._clock = clock
        self._failing: dict[K, _Failing[K]] = {}
        self._causes: dict[str, _Cause[K]] = {}

    def failed(self, key: K, error: Exception) -> float:
        """Note one more failure. Returns the seconds until the key is to be tried again."""
        failing = self._failing.setdefault(key, _Failing(Backoff(self._random)))
        cause = self._cause_of(key, error)
        if failing.cause is not cause:
            self._leave(key, failing.cause)
            failing.cause = cause
        cause.failures += 1
        cause.keys[key] = None
        cause.keys.move_to_end(key)
        in_common = (len(cause.keys) - 1) * PACE_SECONDS * self._random.uniform(0.5, 1.0)
        return max(failing.backoff.next(), in_common)

    def succeeded(self, key: K) -> tuple[K, ...]:
        """Note that the key does not fail any more. Returns those that may try at once: what kept them may be gone."""
        failing = self._failing.pop(key, None)
        if failing is None or failing.cause is None:
            return ()
        cause = failing.cause
        self._leave(key, cause)
        hopeful = tuple(islice(cause.keys, _LET_TRY))
        for each in hopeful:
            cause.keys.move_to_end(each)
        return hopeful

    def _leave(self, key: K, cause: _Cause[K] | None) -> None:
        if cause is None:
            return
        del cause.keys[key]
        if not cause.keys:
            del self._causes[cause.identity]
            if cause.failures > 1:
                log.info("failure is over", extra={"error": cause.error, "failures": cause.failures})

    def _cause_of(self, key: K, error: Exception) -> _Cause[K]:
        identity = _identity(error)
        known = self._causes.get(identity)
        if known is None:
            known = self._causes[identity] = _Cause(identity, str(error) or identity, self._clock())
            _tell(key, error)
        elif self._clock() - known.told_at >= TELL_SECONDS:
            known.told_at = self._clock()
            fields = {"error": str(error), "key": str(key), "keys": len(known.keys), "failures": known.failures}
            log.warning("keys still fail", extra=fields)
        return known


def _tell(key: Hashable, error: Exception) -> None:
    if isinstance(error, KubeError):
        log.warning("key failed", extra={"key": str(key), "error": str(error)})
    else:
        log.error("key crashed", extra={"key": str(key)}, exc_info=error)


def _identity(error: Exception) -> str:
    """What errors over several keys have in common: of a crash, its place."""
    if isinstance(error, KubeError):
        return error.cause
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}"
