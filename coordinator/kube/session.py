"""A session with the API server: address, credentials and CA, renewed when they are refused.

The only importer of `kubernetes`, which does configuration, authentication and TLS. Its models are not used: 10,000
nodes would be 1.2 GB of them.
"""

import asyncio
import logging
import os
import socket
import ssl
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
import yaml
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import load_incluster_config, load_kube_config
from kubernetes.aio.config.config_exception import ConfigException
from yarl import URL

from coordinator.proxies import ProxyUnusable, proxy_at, proxy_for

log = logging.getLogger(__name__)

UNACKNOWLEDGED_SECONDS: Final = 3.0
"""After so long the kernel gives up what it has sent and the other side has not acknowledged."""

RENEWAL_SECONDS: Final = 30.0
"""Between two renewals: a plugin that fetches tokens is not to be run for each request that is refused."""


class ConfigurationError(Exception):
    """No usable cluster configuration, or no proxy to the cluster; the sentence says what to set."""


class _Rest(RESTClientObject):
    """Its connections keep nothing back: what was not sent when they are closed never is.

    Otherwise the kernel goes on for minutes to deliver a write that we gave up, and it lands when a broken network
    works again, maybe after the writes of the coordinator that took over.
    """

    def _create_connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(limit=self.maxsize, ssl=self.ssl_context, socket_factory=_socket)


def _socket(address: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; people's own machines may be others
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNACKNOWLEDGED_SECONDS * 1000))
    return made


class Session:
    """Sends requests. Close it when done."""

    def __init__(
        self, kubeconfig: Path | None, context: str | None, configuration: Configuration, rest: RESTClientObject
    ) -> None:
        self.edition = 0
        """Counts the renewals."""
        self._kubeconfig = kubeconfig
        self._context = context
        self._configuration = configuration
        self._rest = rest
        self._previous: RESTClientObject | None = None
        self._renewal = asyncio.Lock()
        self._renewed_at = float("-inf")

    @classmethod
    async def open(cls, kubeconfig: Path | None, context: str | None = None) -> Self:
        """By a kubeconfig, or by what the Pod's ServiceAccount mounts without one. Raises ConfigurationError.

        A kubeconfig may be several files, with a colon between them, as in kubectl's KUBECONFIG. Without a context its
        current one counts.
        """
        return cls(kubeconfig, context, *await _opened(kubeconfig, context))

    @property
    def server(self) -> str:
        """The API server's address."""
        return str(self._configuration.host)

    async def close(self) -> None:
        for rest in (self._rest, self._previous):
            if rest is not None:
                await rest.close()

    async def request(self, method: str, path: str, headers: Mapping[str, str], body: object) -> aiohttp.ClientResponse:
        """Send one request. Raises aiohttp.ClientError, OSError, and ConfigurationError without a readable token."""
        url = f"{self._configuration.host}{path}"
        # The caller sets a deadline; the library's own 5 minutes would end a watch.
        timeout = aiohttp.ClientTimeout(total=None)
        sent = {**headers, **await self._credentials()}
        answer = await self._rest.request(method, url, headers=sent, body=body, _request_timeout=timeout)
        response: aiohttp.ClientResponse = answer.response
        return response

    async def websocket(self, path: str, protocol: str) -> aiohttp.ClientWebSocketResponse:
        """Open a websocket. Raises as `request` does, and aiohttp.WSServerHandshakeError when it is refused."""
        if self._rest.pool_manager is None:
            self._rest.pool_manager = self._rest._create_pool_manager()  # noqa: SLF001  # as the library's own does
        pool: aiohttp.ClientSession = self._rest.pool_manager
        url = f"{self._configuration.host}{path}"
        return await pool.ws_connect(
            url,
            protocols=(protocol,),
            headers=await self._credentials(),
            proxy=self._rest.proxy,
            server_hostname=self._configuration.tls_server_name,
            max_msg_size=0,
        )

    async def renew(self, edition: int) -> bool:
        """Read the configuration again, as this edition of it is refused. False if there is nothing new to try."""
        async with self._renewal:
            if self.edition != edition:
                return True  # another request's refusal was faster
            if time.monotonic() - self._renewed_at < RENEWAL_SECONDS:
                return False
            self._renewed_at = time.monotonic()
            try:
                configuration, rest = await _opened(self._kubeconfig, self._context)
            except ConfigurationError as error:
                log.warning("credentials not renewed", extra={"error": str(error)})
                return False
            await self._replace(configuration, rest)
            return True

    async def _replace(self, configuration: Configuration, rest: RESTClientObject) -> None:
        """Requests and watches under way go on in the previous session; those of the one before have had their time."""
        ended, self._previous = self._previous, self._rest
        self._configuration, self._rest = configuration, rest
        self.edition += 1
        if ended is not None:
            await ended.close()

    async def _credentials(self) -> dict[str, str]:
        try:
            auth: Mapping[str, Any] = await self._configuration.auth_settings()
        except ConfigException as error:  # the file of the ServiceAccount's token is read anew every minute
            raise _unusable(self._kubeconfig, error) from error
        return {entry["key"]: entry["value"] for entry in auth.values()}


async def _opened(kubeconfig: Path | None, context: str | None) -> tuple[Configuration, RESTClientObject]:
    configuration = Configuration()
    # aiohttp's own reading of the environment is another than kubectl's, and would take passwords from a .netrc.
    configuration.client_session_kwargs = {"trust_env": False}
    try:
        _require_file(kubeconfig)
        if kubeconfig is None:
            load_incluster_config(client_configuration=configuration)
        else:
            await load_kube_config(
                str(kubeconfig), context=context, client_configuration=configuration, persist_config=False
            )
        rest = _Rest(configuration)
    except (ConfigException, *_NO_KUBECONFIG, OSError) as error:
        raise _unusable(kubeconfig, error) from error
    rest.proxy = _proxy(kubeconfig, configuration)
    return configuration, rest


def _proxy(kubeconfig: Path | None, configuration: Configuration) -> str | None:
    """As kubectl has it: the cluster's own `proxy-url`, else the environment's. Raises ConfigurationError.

    A Pod is in the cluster's network: the environment's proxy is there for registries, and has no way in.
    """
    if kubeconfig is None:
        return None
    try:
        if configuration.proxy:
            return str(proxy_at(configuration.proxy, f"proxy-url in kubeconfig {kubeconfig}"))
        proxy = proxy_for(URL(configuration.host), os.environ)
    except ProxyUnusable as error:
        raise ConfigurationError(str(error)) from error
    return None if proxy is None else str(proxy)


_NO_KUBECONFIG: Final = (yaml.YAMLError, ValueError, TypeError, AttributeError, KeyError)
"""What the library ends in when a file is none: it takes its shape for granted."""


def _require_file(kubeconfig: Path | None) -> None:
    """The library takes a missing file for an empty one, and then misses its contents."""
    if kubeconfig is not None and not any(Path(path).is_file() for path in str(kubeconfig).split(os.pathsep)):
        raise FileNotFoundError("there is no such file")


def _unusable(kubeconfig: Path | None, error: Exception) -> ConfigurationError:
    if kubeconfig is None:
        return ConfigurationError(
            f"the Pod's ServiceAccount cannot be used ({_why(error)}): outside of a Pod give --kubeconfig FILE"
        )
    return ConfigurationError(
        f"kubeconfig {kubeconfig} cannot be used ({_why(error)}): give a file, and a context in it, that kubectl takes"
    )


def _why(error: Exception) -> str:
    match error:
        case ssl.SSLError():
            return f"its certificates or keys: {error.reason or error}"
        case OSError(strerror=str(said), filename=str(file)):
            return f"{file}: {said}"
        case yaml.YAMLError() | ValueError() | TypeError() | AttributeError() | KeyError():
            return "it is no kubeconfig"
        case _:
            return " ".join(str(error).split()).rstrip(".")
