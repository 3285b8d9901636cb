"""Which proxy a URL goes through. The cases of NO_PROXY are those that Go's own programs tell apart."""

import pytest
from yarl import URL

from coordinator.proxies import ProxyUnusable, proxy_at, proxy_for

PROXY = "http://proxy.example.com:3128"


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        pytest.param({}, "https://a.example.com", None, id="none"),
        pytest.param({"HTTPS_PROXY": PROXY}, "https://a.example.com", PROXY, id="https"),
        pytest.param({"HTTPS_PROXY": PROXY}, "http://a.example.com", None, id="not-of-https-for-http"),
        pytest.param({"HTTP_PROXY": PROXY}, "http://a.example.com", PROXY, id="http"),
        pytest.param({"HTTP_PROXY": PROXY}, "https://a.example.com", None, id="not-of-http-for-https"),
        pytest.param({"https_proxy": PROXY}, "https://a.example.com", PROXY, id="lower-case"),
        pytest.param({"HTTPS_PROXY": PROXY, "https_proxy": "http://b"}, "https://a", PROXY, id="upper-case-first"),
        pytest.param({"HTTPS_PROXY": "", "https_proxy": PROXY}, "https://a", PROXY, id="empty-is-unset"),
        pytest.param({"HTTPS_PROXY": "proxy:3128"}, "https://a", "http://proxy:3128", id="without-scheme"),
        pytest.param({"HTTPS_PROXY": "https://u:p@proxy"}, "https://a", "https://u:p@proxy", id="tls-and-password"),
        pytest.param({"HTTPS_PROXY": PROXY, "no_proxy": "a"}, "https://a", None, id="no-proxy-in-lower-case"),
    ],
)
def test_the_environments_variables(environment: dict[str, str], url: str, proxy: str | None) -> None:
    assert proxy_for(URL(url), environment) == (None if proxy is None else URL(proxy))


@pytest.mark.parametrize(
    ("no_proxy", "url", "exempt"),
    [
        pytest.param("", "https://localhost:6443", True, id="this-machine"),
        pytest.param("", "https://127.0.0.2:6443", True, id="this-machine's-address"),
        pytest.param("", "https://[::1]:6443", True, id="this-machine's-ipv6-address"),
        pytest.param("", "https://10.96.0.1", False, id="nothing"),
        pytest.param("10.96.0.0/12,.svc,.cluster.local", "https://10.96.0.1", True, id="cidr"),
        pytest.param("10.96.0.0/12,.svc,.cluster.local", "https://10.112.0.1", False, id="outside-of-cidr"),
        pytest.param("10.96.0.1/12", "https://10.97.0.1", True, id="cidr-with-host-bits"),
        pytest.param("fd00::/8", "https://[fd12::1]:443", True, id="ipv6-cidr"),
        pytest.param("fd00::/8", "https://10.96.0.1", False, id="cidr-of-another-family"),
        pytest.param("10.96.0.0/12", "https://[::ffff:10.96.0.1]", True, id="cidr-and-mapped-address"),
        pytest.param("10.96.0.0/99", "https://10.96.0.1", False, id="no-cidr"),
        pytest.param("10.96.0.1", "https://10.96.0.1:6443", True, id="address"),
        pytest.param("10.96.0.1", "https://10.96.0.10", False, id="another-address"),
        pytest.param("10.96.0.1:6443", "https://10.96.0.1:6443", True, id="address-and-port"),
        pytest.param("10.96.0.1:6443", "https://10.96.0.1", False, id="address-and-another-port"),
        pytest.param("fd00::1", "https://[fd00:0::1]", True, id="ipv6-address"),
        pytest.param("[fd00::1]:443", "https://[fd00::1]", True, id="ipv6-address-and-port"),
        pytest.param("[fd00::1]:443", "https://[fd00::1]:6443", False, id="ipv6-address-and-another-port"),
        pytest.param("example.com", "https://example.com", True, id="domain"),
        pytest.param("Example.COM", "https://a.example.com", True, id="below-the-domain"),
        pytest.param("example.com", "https://myexample.com", False, id="not-what-only-ends-so"),
        pytest.param(".example.com", "https://a.b.example.com", True, id="below-only"),
        pytest.param(".example.com", "https://example.com", False, id="not-itself"),
        pytest.param("*.example.com", "https://a.example.com", True, id="star-below"),
        pytest.param("*.example.com", "https://example.com", False, id="star-not-itself"),
        pytest.param("example.com:443", "https://a.example.com", True, id="domain-and-default-port"),
        pytest.param("example.com:80", "https://a.example.com", False, id="domain-and-another-port"),
        pytest.param(" a , b ", "https://b", True, id="spaces"),
        pytest.param("a,,:443", "https://b", False, id="entries-without-host"),
        pytest.param("a,*", "https://b", True, id="star"),
    ],
)
def test_no_proxy(no_proxy: str, url: str, exempt: bool) -> None:
    found = proxy_for(URL(url), {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy})
    assert found == (None if exempt else URL(PROXY))


@pytest.mark.parametrize("address", ["socks5://u:secret@proxy", "http://", "http://u:secret@[", "http://a:port", 17])
def test_an_unusable_one_is_named_without_its_password(address: str) -> None:
    with pytest.raises(ProxyUnusable) as caught:
        proxy_at(address, "HTTPS_PROXY")
    assert str(caught.value) == (
        "HTTPS_PROXY has no proxy that can be used: give http://HOST:PORT or https://HOST:PORT"
    )
