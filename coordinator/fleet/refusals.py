"""Who was refused, and why: counted each time, told once.

A peer that is refused comes back every half a minute, and there may be thousands of them. What it says of itself counts
for little here: it could say something else each time.
"""

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from nicfleet.reasons import Finding, Reason

REPEAT_SECONDS: Final = 3600.0
"""Between two lines about the same."""
_MOST: Final = 4096
"""Peers told of in that time, for each reason. More are only counted."""
_SENTENCES: Final = 8
"""Told of one peer in that time, for each reason: behind an address there may be several with a trouble each."""


@dataclass(frozen=True, slots=True)
class _Told:
    since: float
    sentences: set[str]


class Refusals:
    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` in seconds; it need not be that of the wall."""
        self._clock = clock
        self._counts = Counter[Reason]()
        self._told: defaultdict[Reason, OrderedDict[tuple[str, str], _Told]] = defaultdict(OrderedDict)
        """What, by peer and node, the longest ago first."""

    @property
    def counts(self) -> Mapping[Reason, int]:
        """How many there were since the start."""
        return self._counts

    def count(self, why: Finding, peer: str, node: str = "") -> bool:
        """One more, of a peer (an address without its port) that has proved its node; True when it is to be told."""
        self._counts[why.reason] += 1
        return self.is_news(why, peer, node)

    def is_news(self, why: Finding, peer: str = "", node: str = "") -> bool:
        """The same without counting, for what is no refusal."""
        told, now = self._told[why.reason], self._clock()
        while told and now - next(iter(told.values())).since >= REPEAT_SECONDS:
            told.popitem(last=False)
        if (of_peer := told.get((peer, node))) is None:
            if len(told) >= _MOST:
                return False
            of_peer = told[peer, node] = _Told(now, set())
        if why.message in of_peer.sentences or len(of_peer.sentences) >= _SENTENCES:
            return False
        of_peer.sentences.add(why.message)
        return True


def host_of(peer: str) -> str:
    """The address of a peer, as gRPC names it ("ipv4:10.0.0.1:4321", "ipv6:%5B::1%5D:4321"), without its port."""
    family, _, address = unquote(peer).partition(":")
    return address.rpartition(":")[0].strip("[]") if family in ("ipv4", "ipv6") else peer


def is_loopback(peer: str) -> bool:
    """Whether it speaks from within the coordinator's own network namespace, as kubectl's port-forward does."""
    # Not all of 127.0.0.0/8: a service mesh's sidecar passes others' calls on from addresses of its own in there.
    return host_of(peer) in ("127.0.0.1", "::1", "::ffff:127.0.0.1")
