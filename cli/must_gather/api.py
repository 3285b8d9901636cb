"""What the bundle asks of the API server: the CLI's own client, and what only a bundle needs."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote, urlencode

import aiohttp
import msgspec

from cli.must_gather import frames
from cli.must_gather.logs import LogTail
from coordinator.kube.client import Kube, Source
from coordinator.kube.errors import error_of, unreachable
from coordinator.kube.objects import POD, SECRET, Resource
from coordinator.kube.session import Session
from coordinator.kube.transport import Call, Transport

PROGRAM: Final = "nicfleet"
_TABLE: Final = "application/json;as=Table;g=meta.k8s.io;v=v1"
_ANY: Final = "*/*"
_FAREWELL: Final = 1.0
"""Seconds for a websocket to be closed: its own limit is as long as all that is to let go has in the end."""


class Api:
    """The API server. Every method raises KubeError; none waits longer than the deadline for an answer to begin."""

    def __init__(self, session: Session, deadline: float) -> None:
        self._session = session
        self._transport = Transport(session, deadline, PROGRAM)
        self._kube = Kube(self._transport)

    @classmethod
    async def connect(cls, kubeconfig: Path | None, context: str | None, deadline: float) -> Self:
        """Sends nothing yet; raises ConfigurationError. Without a kubeconfig as the Pod's ServiceAccount."""
        return cls(await Session.open(kubeconfig, context), deadline)

    async def close(self) -> None:
        await self._transport.close()

    @property
    def server(self) -> str:
        return self._transport.server

    async def version(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.json.decode(await self._get("the version", "/version"))
        return found

    async def pages(
        self, resource: Resource, namespace: str = "", label_selector: str = ""
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """Pages of whole objects, with the kind and version that items of a list lack."""
        head = {"apiVersion": resource.api_version, "kind": resource.kind}
        async for page in self._kube.pages(Source(resource, namespace, label_selector)):
            yield [{**head, **msgspec.json.decode(raw)} for raw in page.items or ()]

    async def read(self, resource: Resource, name: str, namespace: str = "") -> dict[str, Any]:
        """One object."""
        target = f"{resource.kind} {namespace}/{name}" if namespace else f"{resource.kind} {name}"
        body: dict[str, Any] = msgspec.json.decode(await self._get(target, resource.path(namespace, name)))
        return body

    async def secrets(self, namespace: str) -> list[dict[str, Any]]:
        """Names and types. The server makes a table of them, so that what is secret is never sent."""
        query = {"includeObject": "None"}
        call = Call("list", str(SECRET.plural), "GET", SECRET.path(namespace), query, accept=_TABLE)
        table = msgspec.json.decode(await self._transport.call(call))
        columns = [each["name"].lower() for each in table["columnDefinitions"]]
        return [dict(zip(columns, row["cells"], strict=False)) for row in table["rows"] or ()]

    async def through(self, namespace: str, pod: str, port: int, path: str, most_bytes: int) -> str:
        """What a pod answers on HTTP, asked by the API server; at most so much of it."""
        url = f"{POD.path(namespace, '')}/{quote(f'{pod}:{port}', safe='')}/proxy{path}"
        call = Call("read", f"{path} of Pod {namespace}/{pod}", "GET", url, accept=_ANY)
        body = bytearray()
        async with self._transport.stream(call) as stream:
            async for chunk in stream.iter_any():
                body += chunk[: most_bytes - len(body)]
                if len(body) >= most_bytes:
                    break
        return body.decode(errors="replace")

    async def log(self, namespace: str, pod: str, query: Mapping[str, str | int], tail: LogTail) -> None:
        """Feed a container's log to `tail`, which has what came also when this ends early."""
        target = f"the log of {query['container']} of Pod {namespace}/{pod}"
        call = Call("read", target, "GET", POD.path(namespace, pod, "log"), query, accept=_ANY)
        async with self._transport.stream(call) as stream:
            async for chunk in stream.iter_any():
                tail.feed(chunk)

    async def run(self, namespace: str, pod: str, container: str, command: list[str], output: frames.Output) -> None:
        """Run a command in a container, and feed what it prints to `output`, which has what came in any case."""
        query = [("container", container), ("stdout", "true"), ("stderr", "true"), *(("command", c) for c in command)]
        target = f"commands in {container} of Pod {namespace}/{pod}"
        path = f"{POD.path(namespace, pod, 'exec')}?{urlencode(query)}"
        try:
            async with self._websocket(path) as socket:
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.BINARY:
                        output.take(message.data)
                    if output.full:
                        return
        except aiohttp.WSServerHandshakeError as error:
            raise error_of("run", target, error.status, error.headers or {}, b"") from error
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable("run", target, str(error)) from error

    @asynccontextmanager
    async def _websocket(self, path: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        socket = await self._session.websocket(path, frames.PROTOCOL)
        try:
            yield socket
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL):
                    await socket.close()

    async def _get(self, target: str, path: str) -> bytes:
        return await self._transport.call(Call("read", target, "GET", path))
