"""Which proxy a request goes through: the environment's variables, read as Go's programs read them. Pure.

Python's own reading knows no CIDR in NO_PROXY, and whoever writes the variables for a cluster has kubectl and Go's
operators in mind. Source: the package golang.org/x/net/http/httpproxy.
"""

import ipaddress
from collections.abc import Mapping
from typing import Final

from yarl import URL

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SCHEMES: Final = frozenset({"http", "https"})
"""Of proxies. Go speaks SOCKS too."""


class ProxyUnusable(ValueError):
    """What says where a proxy is names none; one sentence, without the password that may be in it."""

    def __init__(self, where: str) -> None:
        super().__init__(f"{where} has no proxy that can be used: give http://HOST:PORT or https://HOST:PORT")


def proxy_for(url: URL, environment: Mapping[str, str]) -> URL | None:
    """The proxy that the environment wants asked for this URL; None: it is asked directly. Raises ProxyUnusable."""
    name = f"{url.scheme.upper()}_PROXY"
    told = _variable(environment, name)
    if not told or _exempt(url, _variable(environment, "NO_PROXY")):
        return None
    return proxy_at(told if "://" in told else f"http://{told}", name)


def proxy_at(address: str, where: str) -> URL:
    """The proxy at this address, which was found there. Raises ProxyUnusable."""
    try:
        proxy = URL(address)
    except (ValueError, TypeError) as error:
        raise ProxyUnusable(where) from error
    if proxy.scheme not in _SCHEMES or not proxy.host:
        raise ProxyUnusable(where)
    return proxy


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.lower()) or ""


def _exempt(url: URL, no_proxy: str) -> bool:
    """Whether NO_PROXY has this URL's host; this machine itself is never asked through a proxy."""
    host, port = (url.raw_host or "").lower(), str(url.port)
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    entries = filter(None, (entry.strip().lower() for entry in no_proxy.split(",")))
    return any(_covers(entry, host, address, port) for entry in entries)


def _covers(entry: str, host: str, address: Address | None, port: str) -> bool:
    """An entry is `*`, a CIDR, or an address or a domain, maybe with a port."""
    if entry == "*":
        return True
    if (network := _network(entry)) is not None:
        return address is not None and address in network
    named, only = _split(entry)
    if only not in ("", port):
        return False
    if (single := _address(named)) is not None:
        return single == address
    if named.startswith(("*.", ".")):  # what is below it, and not itself
        return host.endswith(named.removeprefix("*"))
    return named != "" and f".{host}".endswith(f".{named}")


def _split(entry: str) -> tuple[str, str]:
    """Host and port, which is empty where there is none; an IPv6 address has colons of its own."""
    if entry.startswith("["):
        host, _, port = entry[1:].partition("]")
        return host, port.removeprefix(":")
    host, colon, port = entry.partition(":")
    return (entry, "") if ":" in port or not colon else (host, port)


def _address(text: str) -> Address | None:
    """An IPv4 address written as an IPv6 one is the same address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None
