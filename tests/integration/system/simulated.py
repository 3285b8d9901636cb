"""Many agents in one process: the agent's own session with the coordinator, without a host behind it."""

import asyncio
import threading
import uuid
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from agent.channel import Dialler
from agent.latest import Latest
from agent.outbox import Identity
from agent.report import Reporter
from nicfleet.channel import Tls
from nicfleet.inventory import Inventory, NodeName

T = TypeVar("T")

VERSION = "0.1.0"


class EventLoop:
    """An event loop in a thread of its own, for tests that are not asynchronous themselves."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float = 60.0) -> T:
        """Run it there, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout)

    def start(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Leave it running there; cancel the future to end it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        self.run(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class SimulatedAgents:
    """One agent for each node that was given an inventory. They reconnect as agents do; `close` ends all."""

    def __init__(self, coordinator: Callable[[], str], tls: Tls | None = None) -> None:
        """`coordinator` answers with its HOST:PORT; `tls` None: in plaintext."""
        self._coordinator = coordinator
        self._dialler = Dialler(tls)
        self._loop = EventLoop()
        self._latest: dict[str, Latest] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def report(self, node: str, inventory: Inventory) -> None:
        """From now on this is the node's inventory; the first one starts its agent."""
        self._loop.run(self._report(node, inventory))

    def stop(self, node: str) -> None:
        """The node's agent is gone."""
        self._loop.run(self._stop(node))

    def close(self) -> None:
        for node in tuple(self._tasks):
            self.stop(node)
        self._loop.close()

    async def _report(self, node: str, inventory: Inventory) -> None:
        named = replace(inventory, node=replace(inventory.node, name=NodeName(node), boot_id=f"boot-of-{node}"))
        latest = self._latest.setdefault(node, Latest(VERSION))
        latest.put(named, datetime.now(UTC))
        if node not in self._tasks:
            identity = Identity(NodeName(node), str(uuid.uuid4()), datetime.now(UTC), VERSION)
            reporter = Reporter(identity, self._coordinator(), latest, self._dialler)
            self._tasks[node] = asyncio.create_task(reporter.run())

    async def _stop(self, node: str) -> None:
        task = self._tasks.pop(node)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
