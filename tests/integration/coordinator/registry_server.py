"""A registry on this machine: lists tags in pages, wants tokens or passwords, and fails as it is told."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.integration.coordinator.background import eventually

SERVICE = "registry.test"
REALM = "/token"


@dataclass(slots=True)
class Registry:
    """`tags` by repository path. `access` is open, token or basic; a `user` (name, password) is then required."""

    tags: dict[str, list[str]] = field(default_factory=dict)
    access: str = "open"
    user: tuple[str, str] | None = None
    page: int = 2
    """Tags of a page, however many are asked for."""
    answer: web.Response | None = None
    """Given instead of a list."""
    silent: bool = False
    next_host: str = ""
    realm: str = ""
    """Instead of its own."""
    port: int = 0
    asked: list[str] = field(default_factory=list)
    """Path and query of every request."""
    scopes: list[str] = field(default_factory=list)

    def image(self, path: str) -> str:
        return f"127.0.0.1:{self.port}/{path}"

    def times(self, path: str) -> int:
        """Requests for tags of this path so far."""
        return sum(asked.startswith(f"/v2/{path}/") for asked in self.asked)

    async def asked_for(self, times: int) -> None:
        await eventually(lambda: len(self.asked) >= times)

    async def list_tags(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        if self.silent:
            await asyncio.sleep(60)
        if not self._may_list(request):
            return self._challenge()
        if self.answer is not None:
            return web.Response(status=self.answer.status, body=self.answer.body, headers=self.answer.headers)
        path = request.match_info["path"]
        if path not in self.tags:
            return errors(404, "repository name not known to registry")
        last = request.query.get("last", "")
        rest = [tag for tag in sorted(self.tags[path]) if tag > last]
        size = min(self.page, int(request.query["n"]))
        headers = {}
        if len(rest) > size:
            link = f"/v2/{path}/tags/list?n={size}&last={rest[size - 1]}"
            headers["Link"] = f'<{self.next_host}{link}>; rel="next"'
        return web.json_response({"name": path, "tags": rest[:size] or None}, headers=headers)

    async def give_token(self, request: web.Request) -> web.StreamResponse:
        self.scopes.append(request.query["scope"])
        if request.query.get("service") != SERVICE:
            return errors(400, "service missing")
        if self.user is not None and request.headers.get("Authorization") != basic(self.user):
            return errors(401, "incorrect username or password")
        return web.json_response({"token": f"for {request.query['scope']}"})

    def _may_list(self, request: web.Request) -> bool:
        said = request.headers.get("Authorization", "")
        match self.access:
            case "token":
                return said == f"Bearer for repository:{request.match_info['path']}:pull"
            case "basic":
                return self.user is not None and said == basic(self.user)
        return True

    def _challenge(self) -> web.Response:
        realm = self.realm or f"http://127.0.0.1:{self.port}{REALM}"
        token = f'Bearer realm="{realm}",service="{SERVICE}"'
        header = token if self.access == "token" else 'Basic realm="registry"'
        return web.json_response(
            {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required", "detail": None}]},
            status=401,
            headers={"WWW-Authenticate": header},
        )


def errors(status: int, message: str) -> web.Response:
    return web.json_response({"errors": [{"code": "X", "message": message}]}, status=status)


def basic(user: tuple[str, str]) -> str:
    return "Basic " + base64.b64encode(":".join(user).encode()).decode()


@asynccontextmanager
async def serving(registry: Registry) -> AsyncIterator[Registry]:
    app = web.Application()
    app.router.add_get("/v2/{path:.+}/tags/list", registry.list_tags)
    app.router.add_get(REALM, registry.give_token)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    registry.port = runner.addresses[0][1]
    try:
        yield registry
    finally:
        await runner.cleanup()
