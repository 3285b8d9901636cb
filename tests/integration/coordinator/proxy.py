"""A reverse proxy before the API server: where every fault of a network or of a server is played."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web


@dataclass(slots=True)
class Answer:
    """What the client gets in place of the server's answer."""

    status: int = 200
    body: object = None
    """As JSON; text and bytes as they are."""


@dataclass(slots=True)
class Proxy:
    """Passes requests on, unless a rule says otherwise. Change its rules at any time; `cut` ends open watches."""

    upstream: str
    session: aiohttp.ClientSession
    answer: Callable[[web.Request], Answer | None] = lambda request: None
    query: Callable[[web.Request], Mapping[str, str]] = lambda request: request.query
    """The query that the server gets."""
    line: Callable[[bytes], bytes | None] = lambda line: line
    """What becomes of each line of a watch; None swallows it."""
    delay: Callable[[web.Request], float] = lambda request: 0.0
    """Seconds before a request is looked at."""
    done: Callable[[web.Request, bytes], None] = lambda request, body: None
    """Called when the server has answered a request with this body, and the client does not know it yet."""
    limit: int | None = None
    """Bytes of an answer after which the connection breaks."""
    seen: list[str] = field(default_factory=list)
    """Path and query of each request."""
    watches: set[web.StreamResponse] = field(default_factory=set)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request.path_qs)
        await asyncio.sleep(self.delay(request))
        if (answer := self.answer(request)) is not None:
            text = answer.body if isinstance(answer.body, str | bytes) else json.dumps(answer.body)
            body = text if isinstance(text, bytes) else text.encode()
            return web.Response(status=answer.status, body=body, content_type="application/json")
        body = await request.read()
        headers = {name: request.headers[name] for name in ("Authorization", "Accept", "Content-Type")}
        sent = self.session.request(
            request.method,
            self.upstream + request.path,
            params=dict(self.query(request)),
            headers=headers,
            data=body,
        )
        async with sent as upstream:
            self.done(request, body)
            response = web.StreamResponse(status=upstream.status, headers={"Content-Type": "application/json"})
            await response.prepare(request)
            await self._pass_on(upstream, response, watch="watch" in request.query)
        return response

    async def _pass_on(self, upstream: aiohttp.ClientResponse, response: web.StreamResponse, *, watch: bool) -> None:
        if watch:
            self.watches.add(response)
        try:
            left = self.limit
            async for chunk in upstream.content if watch else upstream.content.iter_any():
                out = self.line(chunk) if watch else chunk
                if out is None:
                    continue
                await response.write(out[:left])
                if left is not None and (left := left - len(out)) <= 0:
                    self._break(response)
                    return
            await response.write_eof()
        except (aiohttp.ClientError, ConnectionError):
            return  # either side is gone
        finally:
            self.watches.discard(response)

    def cut(self) -> None:
        """Break all open watches, as a network does."""
        for response in tuple(self.watches):
            self._break(response)

    def _break(self, response: web.StreamResponse) -> None:
        transport = response._req.transport if response._req else None
        if transport is not None:
            transport.abort()


def redirected(kubeconfig: Path, folder: Path, port: int) -> Path:
    """A copy of a kubeconfig for a server on this machine that speaks plain HTTP."""
    config = json.loads(kubeconfig.read_text())
    config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{port}"}
    path = folder / f"port-{port}.kubeconfig"
    path.write_text(json.dumps(config))
    return path


def cluster_of(kubeconfig: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]
    return found


@asynccontextmanager
async def proxied(kubeconfig: Path, folder: Path) -> AsyncIterator[tuple[Proxy, Path]]:
    """A proxy before the server of this kubeconfig, and the kubeconfig that goes through it."""
    cluster = cluster_of(kubeconfig)
    context = ssl.create_default_context(cafile=cluster["certificate-authority"])
    connector = aiohttp.TCPConnector(ssl=context, limit=0)
    async with aiohttp.ClientSession(connector=connector, read_bufsize=2**21) as session:
        proxy = Proxy(cluster["server"], session)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", proxy.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield proxy, redirected(kubeconfig, folder, runner.addresses[0][1])
        finally:
            proxy.cut()
            await runner.cleanup()
