"""What the nodes say against networks, looked at once for all of them.

Each network asks about every node, and there may be a hundred networks and ten thousand nodes. So the networks are gone
through in rounds, which have one look at the nodes in common, and the costlier the rounds, the fewer they are.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final

from coordinator.fleet.facts import Facts
from coordinator.networks.warnings import Alike, alike, master_of, warnings
from coordinator.policy.networks import Network
from nicfleet.reasons import Finding

ROUND_SECONDS: Final = 5.0
"""In which what changes on the nodes is merged into one round, and how long a look at them is good for."""

ROUND_SECONDS_MOST: Final = 30.0
_REST: Final = 3.0
"""Times the cost of a round: so much of the time at least is left to everything else."""


class Evidence:
    """The latest look at the nodes, and what it cost.

    `nodes` answers with the facts of those whose agents are connected, `settled` with whether these are all that there
    will be. `clock` tells the time, `cpu` how much of it was worked, in seconds.
    """

    def __init__(
        self,
        nodes: Callable[[], Mapping[str, Facts]],
        settled: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self._nodes = nodes
        self._settled = settled
        self._clock = clock
        self._cpu = cpu
        self._alike: tuple[Alike, ...] = ()
        self._final = False
        self._good_until = float("-inf")
        self._spent = 0.0  # in this round
        self._cost = 0.0  # of the one before

    @property
    def rest(self) -> float:
        """Seconds until the next round."""
        return min(max(ROUND_SECONDS, _REST * self._cost), ROUND_SECONDS_MOST)

    def new_round(self) -> None:
        """What is asked from now on is answered by nodes as they are now, or later."""
        self._cost, self._spent = self._spent, 0.0
        self._good_until = float("-inf")

    def about(self, network: Network) -> tuple[tuple[Finding, ...], bool]:
        """The warnings about this network, and whether that is all: while agents come back, more may be to come.

        The network must be one that a definition can be made of.
        """
        if not master_of(network):
            return warnings(network, ()), True
        began = self._cpu()
        if self._clock() >= self._good_until:  # VFs come and go without a word, so a look does not last for ever
            self._final = self._settled()  # at the time of the look, which is what agents reported by then
            self._alike = alike(self._nodes())
            self._good_until = self._clock() + ROUND_SECONDS
        found = warnings(network, self._alike)
        self._spent += self._cpu() - began
        return found, self._final
