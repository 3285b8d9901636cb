"""Pull Secrets: which credentials are for which registry, by the rules of the kubelet. Pure.

Source: Kubernetes' documentation of images, "Interpretation of config.json".
"""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from coordinator.registry.repository import Repository, hub_or


class UnusableSecret(ValueError):
    """It holds no credentials for registries; the text is half a sentence that shows nothing of it."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Name and password for the registries that `pattern` describes: a host, perhaps with `*` in it, and a path."""

    pattern: str
    username: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The value of an Authorization header."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


_CONFIG: Final = "kubernetes.io/dockerconfigjson"
_KEYS: Final = {_CONFIG: ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}


class _Secret(msgspec.Struct, frozen=True):
    type: str = ""
    data: dict[str, str] | None = None


class _Entry(msgspec.Struct, frozen=True):
    username: str = ""
    password: str = ""
    auth: str = ""


class _DockerConfig(msgspec.Struct, frozen=True):
    auths: dict[str, _Entry] | None = None


def decode(raw: bytes) -> tuple[Credentials, ...]:
    """The credentials in a Secret, as the API server has it; the closest pattern first. Raises UnusableSecret."""
    secret = msgspec.json.decode(raw, type=_Secret)
    if secret.type not in _KEYS:
        raise UnusableSecret(f"is of type {secret.type[:80]!r}, not kubernetes.io/dockerconfigjson")
    try:
        text = base64.b64decode((secret.data or {}).get(_KEYS[secret.type], ""))
        if secret.type == _CONFIG:
            entries = msgspec.json.decode(text, type=_DockerConfig).auths or {}
        else:
            entries = msgspec.json.decode(text, type=dict[str, _Entry])
        found = [_of(pattern, entry) for pattern, entry in entries.items()]
    except ValueError:  # of base64, UTF-8 and msgspec alike, and it would quote the Secret
        raise UnusableSecret("is not readable as registry credentials") from None
    return tuple(sorted(found, key=lambda each: -len(each.pattern)))


def matching(credentials: Iterable[Credentials], repository: Repository) -> Iterator[Credentials]:
    """Those for this repository, in their order."""
    return (each for each in credentials if _matches(each.pattern, repository))


def _of(pattern: str, entry: _Entry) -> Credentials:
    if entry.auth:
        username, _, password = base64.b64decode(entry.auth).decode().partition(":")
        return Credentials(pattern, username, password)
    return Credentials(pattern, entry.username, entry.password)


def _matches(pattern: str, repository: Repository) -> bool:
    host, path = _parts(pattern)
    return _host_matches(host, repository.host) and repository.path.startswith(path)


def _parts(pattern: str) -> tuple[str, str]:
    """Host and path. Docker writes whole URLs, with the version of an API that has no part in images' names."""
    host, _, path = pattern.removeprefix("https://").removeprefix("http://").partition("/")
    for version in ("v1", "v2"):
        path = "" if path == version else path.removeprefix(f"{version}/")
    return hub_or(host), path.strip("/")


def _host_matches(pattern: str, host: str) -> bool:
    """Part by part: `*` stands for no dot, and a port counts."""
    wanted, found = pattern.split("."), host.split(".")
    return len(wanted) == len(found) and all(map(fnmatchcase, found, wanted))
