"""An HTTP proxy on this machine that writes down what it is asked for. Whatever that is, it ends at one address."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(slots=True)
class HttpProxy:
    """Opens tunnels, and passes plain requests on."""

    target: str
    """HOST:PORT."""
    scheme: str = "http"
    port: int = 0
    asked: list[str] = field(default_factory=list)
    """Method and target of each request for a tunnel, or of a connection's first plain one."""
    authorizations: list[str] = field(default_factory=list)
    """What came with them."""
    connections: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self.connections[task] = writer
        task.add_done_callback(self.connections.pop)

    async def close(self) -> None:
        """Break what is open, and return when that is over."""
        for task, writer in tuple(self.connections.items()):
            writer.transport.abort()
            await asyncio.wait([task])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            first, *headers = head.decode().split("\r\n")
            method, asked, _ = first.split(" ")
            self.asked.append(f"{method} {asked}")
            self.authorizations += [each.split(": ", 1)[1] for each in headers if each.startswith("Proxy-Auth")]
            host, _, port = self.target.rpartition(":")
            back, forth = await asyncio.open_connection(host, int(port))
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                forth.write(head)
            await asyncio.gather(_pass_on(reader, forth), _pass_on(back, writer))
        writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@asynccontextmanager
async def http_proxy(target: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[HttpProxy]:
    """A proxy whose requests all end at this HOST:PORT, or at the host of this URL; it may want TLS itself."""
    proxy = HttpProxy(urlsplit(target).netloc if "://" in target else target, "http" if tls is None else "https")
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0, ssl=tls)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
