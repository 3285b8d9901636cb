"""The validating webhook: an HTTPS server that the API server asks before it writes a policy or a network.

Optional, and off by default: the same rules are applied to what is stored, and told in its status.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import web

from coordinator.admission.certificate import Certificate
from coordinator.admission.review import MODELS, Answer, Known, NotAReview, judge, read_request, written
from nicfleet.listen import host_and_port

log = logging.getLogger(__name__)

LARGEST_BODY: Final = 16 * 1024 * 1024
"""The API server takes requests of 3 MiB; a review has the object twice, and JSON within JSON grows."""

BODY_SECONDS: Final = 10.0
"""As long as the API server waits for an answer, unless it is told otherwise."""

Handler = Callable[[web.Request], Awaitable[web.Response]]


class CannotServeWebhook(RuntimeError):
    """The address to serve on is taken, or is none."""


def path_of(kind: str) -> str:
    """Where the API server asks about a kind; upstream's paths."""
    return f"/validate-mellanox-com-v1alpha1-{kind.lower()}"


class Webhook:
    """The server, off until `start`."""

    def __init__(self, listen: str, certificates: Path, known: Known, *, skip: bool = False) -> None:
        """`listen` is HOST:PORT; with `skip` every object is allowed. Raises CertificateUnusable."""
        self._listen = listen
        self._known = known
        self._skip = skip
        self._certificate = Certificate(certificates)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Raises CannotServeWebhook."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.add_routes([web.post(path_of(kind), self._handler(kind)) for kind in MODELS])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, *host_and_port(self._listen), ssl_context=self._certificate.context)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise CannotServeWebhook(
                f"cannot listen on {self._listen}: give --webhook-listen a free HOST:PORT of this host"
            ) from error
        self._runner = runner

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._runner is not None
        port: int = self._runner.addresses[0][1]
        return port

    async def run(self) -> None:
        """Follow the certificate for ever."""
        await self._certificate.follow()

    async def stop(self) -> None:
        """Answer what has been asked, and no more."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    def unhealthy(self) -> str:
        """Why the API server cannot ask; "" when it can."""
        return "" if self._runner is not None else "the admission webhook is not served yet"

    def _handler(self, kind: str) -> Handler:
        async def review(http: web.Request) -> web.Response:
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    body = await http.read()
                return web.Response(body=self._answer(kind, body), content_type="application/json")
            except NotAReview as error:
                return web.Response(text=f"{error}\n", status=400)
            except TimeoutError:
                return web.Response(text=f"no complete body within {BODY_SECONDS:.0f} s\n", status=408)

        return review

    def _answer(self, kind: str, body: bytes) -> bytes:
        request = read_request(body)
        answer = Answer() if self._skip else judge(kind, request, self._known)
        if not answer.allowed:
            log.info("write refused", extra={"kind": kind, "object": request.object_name, "why": answer.refusal})
        return written(kind, request, answer)
