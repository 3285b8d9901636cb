"""Requests to the API server with a deadline of our own; the only importer of `kubernetes`.

The library does configuration, authentication and TLS. Its models are not used: 10,000 nodes would be 1.2 GB of them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import load_incluster_config, load_kube_config
from kubernetes.aio.config.config_exception import ConfigException

from coordinator.kube.errors import KubeError, Unreachable, error_of, unreachable

DEADLINE: Final = 12.0
"""Seconds for a whole call. With a stalled etcd the API server itself answers only after 34 s or more; for a webhook
that hangs it waits 10 s unless the webhook says otherwise, and then its answer names the webhook."""

JSON: Final = "application/json"


class ConfigurationError(Exception):
    """No usable cluster configuration; the sentence says what to set."""


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
    """Sends calls over one session. Close it when done."""

    def __init__(self, configuration: Configuration, deadline: float = DEADLINE) -> None:
        self._configuration = configuration
        self._rest = RESTClientObject(configuration)
        self._deadline = deadline
        self.reachability = Reachability()

    async def close(self) -> None:
        await self._rest.close()

    async def call(self, call: Call) -> bytes:
        """Return the body of a good answer. Raises KubeError, Unreachable after the deadline."""
        with self._observing(call):
            async with asyncio.timeout(self._deadline):
                response = await self._send(call)
                body: bytes = await response.read()
        if response.status >= 400:
            raise self._refused(call, response, body)
        self._heard()
        return body

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncIterator[aiohttp.StreamReader]:
        """Open a watch; the deadline is for the answer to begin, not for what follows.

        Raises KubeError as `call` does, also when the connection breaks while the caller reads.
        """
        response = None
        with self._observing(call):
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

    async def _send(self, call: Call) -> aiohttp.ClientResponse:
        headers = {"Accept": call.accept, "Content-Type": call.content_type, "User-Agent": "nicfleet-coordinator"}
        auth: Mapping[str, Any] = await self._configuration.auth_settings()
        headers |= {entry["key"]: entry["value"] for entry in auth.values()}
        url = f"{self._configuration.host}{call.path}"
        if call.query:
            url += f"?{urlencode(call.query)}"
        # Deadlines are set around it, one for all of a call; the library's own 5 minutes would end a watch.
        timeout = aiohttp.ClientTimeout(total=None)
        answer = await self._rest.request(call.method, url, headers=headers, body=call.body, _request_timeout=timeout)
        response: aiohttp.ClientResponse = answer.response
        return response

    @contextmanager
    def _observing(self, call: Call) -> Iterator[None]:
        try:
            yield
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            why = f"nothing within {self._deadline:g} s" if isinstance(error, TimeoutError) else str(error)
            self._unheard(why)
            raise unreachable(call.action, call.target, why) from error

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


async def configuration_of(kubeconfig: Path | None) -> Configuration:
    """Read a kubeconfig, or what the Pod's ServiceAccount mounts without one. Raises ConfigurationError."""
    configuration = Configuration()
    try:
        if kubeconfig is None:
            load_incluster_config(client_configuration=configuration)
        else:
            await load_kube_config(str(kubeconfig), client_configuration=configuration, persist_config=False)
    except ConfigException as error:
        source = f"kubeconfig {kubeconfig}" if kubeconfig else "in-cluster configuration"
        hint = "" if kubeconfig else "; outside a Pod give --kubeconfig FILE"
        raise ConfigurationError(f"{source} is not usable: {error}{hint}") from error
    return configuration
