"""Requests to the API server with a deadline of our own, and whether it answers."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp

from coordinator.kube.errors import (
    KubeError,
    Status,
    Unauthorized,
    Unreachable,
    error_of,
    lease_not_held,
    unanswered,
    unreachable,
)
from coordinator.kube.permit import ALWAYS, Permit
from coordinator.kube.session import ConfigurationError, Session

DEADLINE: Final = 12.0
"""Seconds for a whole call. With a stalled etcd the API server itself answers only after 34 s or more; for a webhook
that hangs it waits 10 s, and then its answer names the webhook, unless that asks for more, up to 30 s."""

ENOUGH_SECONDS: Final = 5.0
"""For a write that nothing holds up. A leader's may take less than the deadline: what is left of its lease."""

LOOK_SECONDS: Final = 3.0
"""For the question after a write without an answer: does the API server answer anything?"""

JSON: Final = "application/json"

COORDINATOR: Final = "nicfleet-coordinator"
"""The program, as its User-Agent names it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `action` and `target` are its words for a person, e.g. "apply", "DaemonSet ns/name"."""

    action: str
    target: str
    method: str
    path: str
    query: Mapping[str, str | int] | None = None
    body: Any = None
    content_type: str = JSON
    accept: str = JSON
    asks: bool = False
    """It changes nothing, whatever its method: a dry run, or a review."""
    beside: str = ""
    """Of what admission webhooks are asked about: the path of a collection that can be read without them."""

    @property
    def writes(self) -> bool:
        return self.method != "GET" and not self.asks


@dataclass(slots=True)
class Reachability:
    """When the API server last answered and last did not, in seconds of the monotonic clock."""

    answered: float | None = None
    failed: float | None = None
    failure: str = ""

    @property
    def ok(self) -> bool:
        return self.answered is not None and (self.failed is None or self.failed <= self.answered)


class Transport:
    """Sends calls over a session, which it closes. Close it when done."""

    def __init__(
        self, session: Session, deadline: float = DEADLINE, program: str = COORDINATOR, permit: Permit = ALWAYS
    ) -> None:
        self._session = session
        self._deadline = deadline
        self._program = program
        self._permit = permit
        self._writing = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.reachability = Reachability()

    async def close(self) -> None:
        await self._session.close()

    @property
    def server(self) -> str:
        """The API server's address."""
        return self._session.server

    async def call(self, call: Call) -> bytes:
        """Return the body of a good answer. Raises KubeError, after the deadline Unreachable or Unanswered."""
        seconds = self._seconds(call)
        with self._observing(call, seconds):
            try:
                response, body = await self._answer(call, seconds)
            except TimeoutError:
                if call.beside and seconds >= ENOUGH_SECONDS and await self._answers(call):
                    raise unanswered(call.action, call.target) from None
                raise
        if response.status >= 400:
            raise self._refused(call, response, body)
        self._heard()
        return body

    async def _answer(self, call: Call, seconds: float) -> tuple[aiohttp.ClientResponse, bytes]:
        with self._counted(call):
            async with asyncio.timeout(seconds):
                response = await self._send(call)
                return response, await response.read()

    async def _answers(self, call: Call) -> bool:
        """Whether the API server reads from etcd what lies beside the object: then only this write has no answer."""
        look = Call("look beside", call.target, "GET", call.beside, {"limit": 1})
        try:
            response, _ = await self._answer(look, min(LOOK_SECONDS, self._deadline))
        except (aiohttp.ClientError, OSError, ConfigurationError):
            return False
        if response.status >= 400:
            return False
        self._heard()
        return True

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncIterator[aiohttp.StreamReader]:
        """Open a watch; the deadline is for the answer to begin, not for what follows.

        Raises KubeError as `call` does, also when the connection breaks while the caller reads.
        """
        response = None
        with self._observing(call, self._deadline):
            try:
                async with asyncio.timeout(self._deadline):
                    response = await self._send(call)
                    if response.status >= 400:
                        raise self._refused(call, response, await response.read())
                self._heard()
                yield response.content
            finally:
                if response is not None:
                    _break_off(response)

    async def quiet(self) -> None:
        """Return when no write is under way."""
        await self._quiet.wait()

    async def _send(self, call: Call) -> aiohttp.ClientResponse:
        """Send it, and once more if new credentials, or a new CA of the server's, may help."""
        edition = self._session.edition
        try:
            response = await self._send_once(call)
        except aiohttp.ClientSSLError:
            if await self._session.renew(edition):
                return await self._send_once(call)
            raise
        if response.status == 401 and await self._session.renew(edition):
            response.release()
            return await self._send_once(call)
        return response

    async def _send_once(self, call: Call) -> aiohttp.ClientResponse:
        headers = {"Accept": call.accept, "Content-Type": call.content_type, "User-Agent": self._program}
        path = f"{call.path}?{urlencode(call.query)}" if call.query else call.path
        self._seconds(call)  # what came before, such as new credentials, may have taken its time
        return await self._session.request(call.method, path, headers, call.body)

    def _seconds(self, call: Call) -> float:
        """What this call may take. Raises LeaseNotHeld for a write that may not begin."""
        if not call.writes:
            return self._deadline
        left = self._permit.seconds_left()
        if left <= 0:
            raise lease_not_held(call.action, call.target)
        return min(self._deadline, left)

    @contextmanager
    def _counted(self, call: Call) -> Iterator[None]:
        if not call.writes:
            yield
            return
        self._writing += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._writing -= 1
            if not self._writing:
                self._quiet.set()

    @contextmanager
    def _observing(self, call: Call, seconds: float) -> Iterator[None]:
        try:
            yield
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            why = f"nothing within {seconds:.3g} s" if isinstance(error, TimeoutError) else str(error)
            self._unheard(why)
            raise unreachable(call.action, call.target, why) from error
        except ConfigurationError as error:
            self._unheard(str(error))
            raise Unauthorized(call.action, call.target, Status(message=str(error))) from error

    def _refused(self, call: Call, response: aiohttp.ClientResponse, body: bytes) -> KubeError:
        error = error_of(call.action, call.target, response.status, response.headers, body)
        if isinstance(error, Unreachable):
            self._unheard(str(error))
        else:
            self._heard()
        return error

    def _heard(self) -> None:
        self.reachability.answered = time.monotonic()

    def _unheard(self, why: str) -> None:
        self.reachability.failed = time.monotonic()
        self.reachability.failure = why


def _break_off(response: aiohttp.ClientResponse) -> None:
    """Leave a watch in its middle. Aborted, as TLS's exchange of farewells would go on after us."""
    connection = response.connection
    if connection is not None and isinstance(connection.transport, asyncio.WriteTransport):
        connection.transport.abort()
    response.close()
