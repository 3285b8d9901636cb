"""A network namespace of the test's own, on the real kernel."""

import os
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from pyroute2 import IPRoute, netns

T = TypeVar("T")

LOOPBACK = 1
"""The index of lo, in every namespace."""


class Namespace:
    """Everything is done by one thread that lives in the namespace; pyroute2 brings that thread an event loop."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, initializer=netns.setns, initargs=(name,))
        self._kernel: Any = self.run(IPRoute)

    def close(self) -> None:
        self.run(self._kernel.close)
        self._thread.shutdown()

    def run(self, work: Callable[[], T]) -> T:
        """Do it in the namespace; sockets opened there stay in it."""
        return self._thread.submit(work).result()

    def link(self, command: str, **arguments: Any) -> None:
        self.run(lambda: self._kernel.link(command, **arguments))

    def address(self, command: str, **arguments: Any) -> None:
        self.run(lambda: self._kernel.addr(command, **arguments))

    def route(self, command: str, **arguments: Any) -> None:
        self.run(lambda: self._kernel.route(command, **arguments))

    def add_veth(self, name: str) -> int:
        """A veth and its peer, both here; gives the index of the one named."""
        self.link("add", ifname=name, kind="veth", peer=f"{name}-peer")
        return self._index(name)

    def add_macvlan(self, name: str, below: int) -> int:
        self.link("add", ifname=name, kind="macvlan", link=below, macvlan_mode="bridge")
        return self._index(name)

    def _index(self, name: str) -> int:
        return self.run(lambda: int(self._kernel.link_lookup(ifname=name)[0]))


@contextmanager
def namespace() -> Iterator[Namespace]:
    if os.geteuid() != 0:
        pytest.skip("making a network namespace needs root")
    name = f"nicfleet-{uuid.uuid4().hex[:8]}"
    netns.create(name)
    try:
        made = Namespace(name)
        yield made
        made.close()
    finally:
        netns.remove(name)
