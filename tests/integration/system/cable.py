"""The wire between a program and a server: TCP as it is, TLS and all, until it is cut."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from tests.integration.system.simulated import EventLoop

_CHUNK = 1 << 16


class Cable:
    """While it is cut, what either end sends is lost and neither is told; connections of before do not come back."""

    def __init__(self, server: str) -> None:
        """`server` is HOST:PORT."""
        self._host, _, self._port = server.rpartition(":")
        self._whole = True
        self._connections: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        self._whole = False

    def mend(self) -> None:
        self._whole = True

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, for as long as it lasts."""
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        ends = [writer]
        try:
            there, back = await asyncio.open_connection(self._host, int(self._port))
            ends.append(back)
            with suppress(asyncio.CancelledError):  # at the end of the test
                await asyncio.gather(self._carry(reader, back), self._carry(there, writer))
        finally:
            for end in ends:
                end.transport.abort()
            self._connections.discard(task)

    async def unplug(self) -> None:
        """End all connections, and wait for that."""
        connections = tuple(self._connections)
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        lost = False
        with suppress(ConnectionError):
            while chunk := await source.read(_CHUNK):
                lost = lost or not self._whole
                if not lost:
                    sink.write(chunk)
                    await sink.drain()
            if not lost and self._whole:
                sink.close()


@contextmanager
def through_cable(kubeconfig: Path, folder: Path) -> Iterator[tuple[Cable, Path]]:
    """A cable to the server of this kubeconfig, and the kubeconfig of its other end."""
    config = json.loads(kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    cable = Cable(urlsplit(cluster["server"]).netloc)
    loop = EventLoop()
    server = loop.run(asyncio.start_server(cable.connected, "127.0.0.1", 0))
    cluster["server"] = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    path = folder / "cable.kubeconfig"
    path.write_text(json.dumps(config))
    try:
        yield cable, path
    finally:
        server.close()
        loop.run(cable.unplug())
        loop.close()
