"""A network between the coordinator and the API server that is slow, fails, or sees the coordinator die."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.coordinator.proxy import Proxy, proxied
from tests.integration.system.simulated import EventLoop


@contextmanager
def faulty(kubeconfig: Path, folder: Path) -> Iterator[tuple[Proxy, Path]]:
    """A proxy in a thread of its own, and the kubeconfig that goes through it. Its rules are called in that thread."""
    loop = EventLoop()
    network = proxied(kubeconfig, folder)
    try:
        yield loop.run(network.__aenter__())
    finally:
        loop.run(network.__aexit__(None, None, None))
        loop.close()
