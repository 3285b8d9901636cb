"""An image's name as a place to ask: the registry's host and the path in it. Pure."""

import ipaddress
from dataclasses import dataclass
from typing import Final, Self

DOCKER_HUB: Final = "docker.io"
_HUB_ADDRESS: Final = "registry-1.docker.io"
_HUB_NAMES: Final = frozenset({DOCKER_HUB, "index.docker.io", _HUB_ADDRESS})


@dataclass(frozen=True, slots=True)
class Repository:
    """`host` is what people write, with its port; `path` is what follows it."""

    host: str
    path: str

    @classmethod
    def of(cls, image_name: str) -> Self:
        """Of a name without tag. Without a host it is on Docker Hub, as container runtimes have it."""
        first, slash, rest = image_name.partition("/")
        if slash and ("." in first or ":" in first or first == "localhost"):
            host, path = hub_or(first), rest
        else:
            host, path = DOCKER_HUB, image_name
        return cls(host, f"library/{path}" if host == DOCKER_HUB and "/" not in path else path)

    @property
    def bases(self) -> tuple[str, ...]:
        """URLs of the registry, in the order to try: one nearby may speak plaintext, one on this machine does."""
        address = _HUB_ADDRESS if self.host == DOCKER_HUB else self.host
        if self.on_this_machine:
            return (f"http://{address}",)
        return (f"https://{address}", f"http://{address}") if _is_near(self.host) else (f"https://{address}",)

    @property
    def on_this_machine(self) -> bool:
        name, address = _name_of(self.host), _address_of(self.host)
        return name == "localhost" or (address is not None and address.is_loopback)


def hub_or(host: str) -> str:
    """The host in lower case, and Docker Hub under one of its names."""
    host = host.lower()
    return DOCKER_HUB if host in _HUB_NAMES else host


def _is_near(host: str) -> bool:
    address = _address_of(host)
    return _name_of(host).endswith(".local") or (address is not None and address.is_private)


def _name_of(host: str) -> str:
    """Without port; an IPv6 address without its brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(_name_of(host))
    except ValueError:
        return None
