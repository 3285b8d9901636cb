"""Wait, look, settle, publish: the agent's one loop.

A nudge acts at once, and what follows within `MERGE_SECONDS` is one more look: coalescing first would be nine tenths
of the latency. When nothing nudges, a slow look now and then is the safety net.
"""

import asyncio
import errno
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic
from typing import Final

from agent.driver import with_peermem
from agent.latest import Latest
from agent.look import Looker
from agent.nudges import Nudges
from agent.settle import CONFIRM_SECONDS, Settled, Thing, is_complete, is_reloading, settle
from agent.transitions import transitions
from nicfleet.inventory import Driver, FunctionKind, Inventory

_log: Final = logging.getLogger(__name__)

MERGE_SECONDS: Final = 0.1
LIVE_PERIOD: Final = 60.0
RECORDED_PERIOD: Final = 1.0
"""Of a tree of ordinary files the watches see only the upper levels."""
BUSY_PERIOD: Final = 5.0
"""While there is something that no event tells: the driver container's lock, the state of an InfiniBand port, that what
hung has returned."""
_LOAD_FACTOR: Final = 2
"""Rest so many times as long as the look took: a storm of events costs at most a third of one core."""


class Watch:
    """Looks at the node, and publishes what it is believed to be."""

    def __init__(self, looker: Looker, nudges: Nudges, latest: Latest, period: float) -> None:
        """`period` is the longest time between two looks, in seconds."""
        self._looker = looker
        self._nudges = nudges
        self._latest = latest
        self._period = period
        self._believed: Inventory | None = None
        self._missed: Mapping[Thing, float] = {}
        self._driver: Driver | None = None
        self._failures: dict[str, str] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        observed = datetime.now(UTC)
        while True:
            began = monotonic()
            unconfirmed = await self._look(observed, began)
            took = monotonic() - began
            await asyncio.sleep(MERGE_SECONDS if unconfirmed else max(MERGE_SECONDS, _LOAD_FACTOR * took))
            longest = began + CONFIRM_SECONDS - monotonic() if unconfirmed else self._pause()
            heard = await self._nudges.wait(longest)
            if not unconfirmed:  # what is confirmed now was observed then
                observed = heard or datetime.now(UTC)

    async def _look(self, observed: datetime, now: float) -> bool:
        """Look once; True when a removal wants to be confirmed by another look soon."""
        read = None
        with self._going_on("inventory read failed"):
            read = await self._looker.look(self._believed)
        if read is None:
            return False
        if self._believed is None and not is_complete(read):
            self._failed("devices could not be listed", [problem.path for problem in read.all_unread()])
            return False
        with self._going_on("inventory not published"):
            return self._take(read, observed, now)
        return False

    def _take(self, read: Inventory, observed: datetime, now: float) -> bool:
        self._driver = with_peermem(self._driver, read.driver)
        settled = self._settled(replace(read, driver=self._driver), now)
        if settled.inventory != self._believed:
            self._publish(settled.inventory, observed)
        self._missed = settled.missed
        return settled.unconfirmed

    def _settled(self, read: Inventory, now: float) -> Settled:
        if self._believed is None:
            return Settled(read, {}, unconfirmed=False)
        return settle(self._believed, read, self._missed, now)

    def _publish(self, inventory: Inventory, observed: datetime) -> None:
        """Believe it only when it is published: one that could not be is tried again by the next look."""
        self._latest.put(inventory, observed)
        before, self._believed = self._believed, inventory
        with self._going_on("changes could not be told"):
            for transition in transitions(before, inventory):
                _log.info(transition.message, extra=transition.fields)

    @contextmanager
    def _going_on(self, message: str) -> Iterator[None]:
        """Whatever goes wrong in the context, the agent goes on with what it knows."""
        try:
            yield
        except Exception as error:
            self._failed(message, error)
        else:
            self._failures.pop(message, None)

    def _failed(self, message: str, reason: object) -> None:
        """One line for as long as the reason is the same."""
        if self._failures.get(message) != repr(reason):
            self._failures[message] = repr(reason)
            error = reason if isinstance(reason, Exception) else None
            _log.error(message, extra={"reason": str(reason)}, exc_info=error)

    def _pause(self) -> float:
        believed = self._believed
        if believed is None or is_reloading(believed.driver) or _has_silent_ports(believed) or _hangs(believed):
            return min(BUSY_PERIOD, self._period)
        return self._period


def _has_silent_ports(inventory: Inventory) -> bool:
    """Whether a PF has an InfiniBand port and no netdev, whose events would tell of the port's state."""
    return any(
        port.link_layer == "InfiniBand"
        for function in inventory.functions
        if function.kind is FunctionKind.PF and not function.netdevs
        for device in function.rdma_devices
        for port in device.ports
    )


def _hangs(inventory: Inventory) -> bool:
    """Whether there is something to try again."""
    return any(problem.errno == errno.ETIMEDOUT for problem in inventory.all_unread())
