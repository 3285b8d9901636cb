"""The API server and registries behind a proxy, or beside one that is not meant for them."""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from kubernetes.aio.config import incluster_config

from coordinator.kube.session import ConfigurationError, Session
from coordinator.registry.listing import tags_of
from coordinator.states.driver_tags import Away, Known, Tags
from nicfleet import names
from tests.integration.coordinator.proxy import cluster_of
from tests.integration.coordinator.registry_server import Registry, serving
from tests.integration.http_proxy import HttpProxy, http_proxy

NAME = "kubernetes.default.svc"
"""Of the API server, in its certificate too. No resolver here knows it: only the proxy gets there by it."""
PATH, VERSION = "nvidia/mellanox/doca-driver", "25.07"
TAGS = [f"{VERSION}-ubuntu22.04"]


@pytest.fixture(autouse=True)
def _no_proxies_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
async def proxy(kubeconfig: Path) -> AsyncIterator[HttpProxy]:
    """All of its tunnels end at the API server."""
    async with http_proxy(cluster_of(kubeconfig)["server"]) as found:
        yield found


@pytest.fixture
def account(kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a Pod finds of its ServiceAccount."""
    config = json.loads(kubeconfig.read_text())
    token = tmp_path / "token"
    token.write_text(config["users"][0]["user"]["token"])
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", cluster_of(kubeconfig)["certificate-authority"])
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", cluster_of(kubeconfig)["server"].rpartition(":")[2])


def by_name(kubeconfig: Path, folder: Path, **cluster: str) -> Path:
    """A kubeconfig for the API server by the name that the proxy alone knows."""
    config = json.loads(kubeconfig.read_text())
    config["clusters"][0]["cluster"] |= {"server": f"https://{NAME}:6443"} | cluster
    file = folder / "by-name"
    file.write_text(json.dumps(config))
    return file


async def answers(session: Session) -> None:
    """The API server, to a request and to a websocket, of which it opens none to a pod that is not there."""
    answer = await session.request("GET", f"/api/v1/namespaces/{names.DEFAULT_NAMESPACE}/configmaps/absent", {}, None)
    assert answer.status == 404
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await session.websocket(f"/api/v1/namespaces/{names.DEFAULT_NAMESPACE}/pods/absent/exec", "v5.channel.k8s.io")


@asynccontextmanager
async def opened(kubeconfig: Path | None) -> AsyncIterator[Session]:
    session = await Session.open(kubeconfig)
    try:
        yield session
    finally:
        await session.close()


@pytest.mark.usefixtures("account")
async def test_a_pod_reaches_the_api_server_directly(proxy: HttpProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    async with opened(None) as session:
        await answers(session)
    assert proxy.asked == []


@pytest.mark.usefixtures("account")
async def test_whatever_its_address_is(proxy: HttpProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """0.0.0.0 is this machine, and no rule exempts it; the API server's certificate is not for it."""
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "0.0.0.0")
    async with opened(None) as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await answers(session)
    assert proxy.asked == []


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
async def test_a_kubeconfigs_server_by_the_environment(
    kubeconfig: Path, proxy: HttpProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, proxy.url.replace("://", "://user:secret@"))
    async with opened(by_name(kubeconfig, tmp_path)) as session:
        await answers(session)
    assert set(proxy.asked) == {f"CONNECT {NAME}:6443"}
    assert set(proxy.authorizations) == {"Basic dXNlcjpzZWNyZXQ="}


async def test_no_proxy_has_the_last_word(
    kubeconfig: Path, proxy: HttpProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "0.0.0.0/32")
    here = cluster_of(kubeconfig)["server"].replace("127.0.0.1", "0.0.0.0")
    async with opened(by_name(kubeconfig, tmp_path, server=here, **{"tls-server-name": NAME})) as session:
        await answers(session)
    assert proxy.asked == []


async def test_but_not_over_the_kubeconfigs_own_proxy(
    kubeconfig: Path, proxy: HttpProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "*")
    async with opened(by_name(kubeconfig, tmp_path, **{"proxy-url": proxy.url})) as session:
        await answers(session)
    assert set(proxy.asked) == {f"CONNECT {NAME}:6443"}


async def test_a_proxy_over_tls_is_known_as_the_server_is(kubeconfig: Path, tmp_path: Path) -> None:
    """Here it has the server's own certificate."""
    cluster = cluster_of(kubeconfig)
    certificate = Path(cluster["certificate-authority"])
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, certificate.with_suffix(".key"))
    async with http_proxy(cluster["server"], tls) as proxy:
        async with opened(by_name(kubeconfig, tmp_path, **{"proxy-url": proxy.url})) as session:
            await answers(session)
        assert set(proxy.asked) == {f"CONNECT {NAME}:6443"}


async def test_one_that_cannot_be_used_is_named_in_one_sentence(
    kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://user:secret@127.0.0.1:1")
    said = r"has no proxy that can be used: give http://HOST:PORT or https://HOST:PORT$"
    with pytest.raises(ConfigurationError, match=rf"^HTTPS_PROXY {said}"):
        await Session.open(by_name(kubeconfig, tmp_path))
    file = by_name(kubeconfig, tmp_path, **{"proxy-url": "127.0.0.1:1"})
    with pytest.raises(ConfigurationError, match=rf"^proxy-url in kubeconfig {file} {said}"):
        await Session.open(file)


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with serving(Registry({PATH: TAGS})) as found:
        yield found


async def tags(host: str) -> Tags:
    async with aiohttp.ClientSession() as session:
        return await tags_of(session, f"{host}/{PATH}", VERSION, ())


async def test_registries_by_the_environment(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """0.0.0.0 is none of the addresses that are this machine's for everybody."""
    host = f"0.0.0.0:{registry.port}"
    async with http_proxy(f"127.0.0.1:{registry.port}") as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert await tags(host) == Known(frozenset(TAGS))
        asked = list(proxy.asked)
        monkeypatch.setenv("NO_PROXY", "0.0.0.0/8")
        assert await tags(host) == Known(frozenset(TAGS))
    assert asked == proxy.asked == [f"GET http://{host}/v2/{PATH}/tags/list?n=1000"]


async def test_a_registrys_proxy_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://user:secret@127.0.0.1:1")
    found = await tags("registry.example.com")
    assert isinstance(found, Away)
    assert found.why.startswith("registry.example.com is not reached: HTTPS_PROXY has no proxy that can be used: give")
