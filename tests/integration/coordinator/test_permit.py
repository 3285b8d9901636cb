"""What a write without time left does, and that no write lands that was given up. Servers on loopback, no cluster."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from coordinator.kube.client import Kube
from coordinator.kube.errors import LeaseNotHeld, Unreachable
from coordinator.kube.objects import Obj, Ref
from coordinator.kube.session import Session
from coordinator.kube.transport import DEADLINE, Transport

LEFT = 0.3
REF = Ref("ConfigMap", "ns", "name")


class Permit:
    """`seconds` may change."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def seconds_left(self) -> float:
        return self.seconds


def config_map(text: str = "") -> Obj:
    metadata = {"name": "name", "namespace": "ns", "uid": "u"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"text": text}}


@asynccontextmanager
async def client(port: int, folder: Path, permit: Permit) -> AsyncIterator[Kube]:
    path = folder / "kubeconfig"
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    user = {"name": "u", "user": {"token": "t"}}
    path.write_text(json.dumps({"current-context": "x", "clusters": [cluster], "contexts": [context], "users": [user]}))
    kube = Kube(Transport(await Session.open(path), permit=permit))
    try:
        yield kube
    finally:
        await kube.close()


@asynccontextmanager
async def server(seen: list[str], release: asyncio.Event) -> AsyncIterator[int]:
    """Answers when it is released."""

    async def handle(request: web.Request) -> web.Response:
        seen.append(request.method)
        await release.wait()
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def test_without_a_permit_every_kind_of_write_is_refused_here_and_reading_goes_on(tmp_path: Path) -> None:
    seen: list[str] = []
    release = asyncio.Event()
    release.set()
    async with server(seen, release) as port, client(port, tmp_path, Permit(0)) as kube:
        for write in (
            kube.apply(config_map(), manager="m", force=True),
            kube.create(config_map(), manager="m"),
            kube.replace(config_map(), manager="m"),
            kube.replace_status(config_map(), manager="m"),
            kube.json_patch(REF, [], manager="m"),
            kube.merge_patch(REF, {}, manager="m"),
            kube.delete(REF, "u", "Background"),
            kube.create_event({**config_map(), "kind": "Event"}),
        ):
            with pytest.raises(LeaseNotHeld, match=r"this coordinator does not hold the lease now$"):
                await write
        assert seen == []
        await kube.get(REF)
        await kube.would_apply(config_map(), manager="m", force=True)
        await kube.would_take(config_map())
        assert seen == ["GET", "PATCH", "POST"]


async def test_a_write_ends_with_its_permit(tmp_path: Path) -> None:
    clock = asyncio.get_running_loop().time
    release = asyncio.Event()
    async with server([], release) as port, client(port, tmp_path, Permit(LEFT)) as kube:
        began = clock()
        with pytest.raises(Unreachable, match=r"nothing within 0\.3 s"):
            await kube.apply(config_map(), manager="m", force=True)
        assert LEFT <= clock() - began < DEADLINE


async def test_it_is_known_when_no_write_is_under_way(tmp_path: Path) -> None:
    seen: list[str] = []
    release = asyncio.Event()
    async with server(seen, release) as port, client(port, tmp_path, Permit(10)) as kube:
        await kube.quiet()
        reading, writing = asyncio.create_task(kube.get(REF)), asyncio.create_task(kube.delete(REF, "u", "Orphan"))
        waiting = asyncio.create_task(kube.quiet())
        while len(seen) < 2:  # noqa: ASYNC110  the server's side has no event
            await asyncio.sleep(0.01)
        assert not waiting.done()
        release.set()
        await asyncio.gather(reading, writing)
        await waiting


async def test_a_write_that_was_given_up_is_not_delivered_afterwards(tmp_path: Path) -> None:
    """A network that comes back, or a server that was frozen: what our kernel still had to send is lost with it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        async with client(listener.getsockname()[1], tmp_path, Permit(2.0)) as kube:  # to connect, at least
            with pytest.raises(Unreachable):
                await kube.apply(config_map("x" * 900_000), manager="m", force=True)
            assert await asyncio.to_thread(_received, listener) < 900_000


def _received(listener: socket.socket) -> int:
    """Bytes that come when somebody reads at last; the reset of the connection may be seen, or its end."""
    connection, _ = listener.accept()
    count = 0
    with connection:
        connection.settimeout(5)
        try:
            while chunk := connection.recv(1 << 20):
                count += len(chunk)
        except ConnectionResetError:
            pass
    return count
