"""The inventory as it is now, and a way to wait for the next one. Readers never queue: each sees the newest."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from agent.settle import is_reloading
from nicfleet import wire
from nicfleet.inventory import Driver, Inventory


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One complete inventory."""

    version: int
    """Counts up from 1 with every change."""
    inventory: Inventory
    sections: wire.Sections
    observed: datetime
    """When the agent first heard of the change that led here."""
    driver_pending: bool
    """A driver is loading, or was and is not ready since: what uses the modules is worth knowing."""


def is_driver_pending(driver: Driver, *, before: bool) -> bool:
    """Whether a driver is loading or failed to. A driver container that failed leaves no mark of its own, so that one
    was seen starting is remembered (`before`) until it is ready.
    """
    return is_reloading(driver) or (before and not driver.container.ready)


class Latest:
    """Holds one snapshot. A reader that was slow skips what came between, so that it costs no memory.

    Use from the event loop's own thread.
    """

    def __init__(self, agent_version: str) -> None:
        self._agent_version = agent_version
        self._snapshot: Snapshot | None = None
        self._changed = asyncio.Event()

    @property
    def snapshot(self) -> Snapshot | None:
        """None until the first complete read."""
        return self._snapshot

    def put(self, inventory: Inventory, observed: datetime) -> None:
        """Make this the inventory, and wake all who wait for it."""
        before = self._snapshot
        self._snapshot = Snapshot(
            version=before.version + 1 if before else 1,
            inventory=inventory,
            sections=wire.sections(inventory, self._agent_version),
            observed=observed,
            driver_pending=is_driver_pending(inventory.driver, before=before is not None and before.driver_pending),
        )
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def newer_than(self, version: int) -> Snapshot:
        """The newest snapshot, as soon as there is one beyond this version; 0 asks for any."""
        while self._snapshot is None or self._snapshot.version <= version:
            await self._changed.wait()
        return self._snapshot
