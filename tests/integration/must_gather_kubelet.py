"""What the API server asks of a node's kubelet for logs and commands, answered by this machine.

kwok's kubelets have neither. The API server passes both on as they are, so all that is between it and the command is
real; the commands run in a shell here.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aiohttp import web

from tests.integration.coordinator.certificates import write_certificate

_STDOUT, _STATUS = b"\x01", b"\x03"
_CHUNK: Final = 1000
"""Bytes of a frame: what a command prints comes in many."""


class Kubelet:
    """`logs` are by container; a command runs only `within` these variables. `asked` has the query of each request."""

    def __init__(self, logs: Mapping[str, str], within: Mapping[str, str]) -> None:
        self.port = 0
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._logs = logs
        self._within = within

    async def log(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, dict(request.query)))
        return web.Response(text=self._logs[request.match_info["container"]])

    async def exec(self, request: web.Request) -> web.WebSocketResponse:
        self.asked.append((request.path, dict(request.query)))
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        pipe = asyncio.subprocess.PIPE
        command = request.query.getall("command")
        process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=self._within)
        printed, _ = await process.communicate()
        for at in range(0, len(printed), _CHUNK):
            await socket.send_bytes(_STDOUT + printed[at : at + _CHUNK])
        await socket.send_bytes(_STATUS + json.dumps({"status": "Success"}).encode())
        await socket.close()
        return socket


@asynccontextmanager
async def serving(kubelet: Kubelet, folder: Path) -> AsyncIterator[None]:
    """On a port of 127.0.0.1, with a certificate that the API server does not check."""
    write_certificate(folder, "kubelet")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    app = web.Application()
    app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", kubelet.log)
    app.router.add_get("/exec/{namespace}/{pod}/{container}", kubelet.exec)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    kubelet.port = runner.addresses[0][1]
    try:
        yield
    finally:
        await runner.cleanup()
