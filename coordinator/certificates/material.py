"""What the coordinator keeps of its certificates, and how that is written into the Secret."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from coordinator.certificates.issue import Pair, Unreadable, require_authority, require_pair
from nicfleet.pem import certificates

_Read = TypeVar("_Read")

AUTHORITY: Final = ("ca.crt", "ca.key")
COMING: Final = ("ca-next.crt", "ca-next.key")
PAST: Final = "ca-past.crt"
SERVER: Final = ("tls.crt", "tls.key")

Data = Mapping[str, str | None]
"""`data` of a Secret: base64 by key. None takes the key away."""


@dataclass(frozen=True, slots=True)
class Material:
    """Nothing of it need be there."""

    authority: Pair | None = None
    """Signs."""
    server: Pair | None = None
    """Is shown."""
    coming: Pair | None = None
    """The next authority: trusted already, so that it can sign when all know it."""
    past: bytes | None = None
    """The certificate of the authority before: still trusted, while a coordinator may show what it signed."""

    @property
    def bundle(self) -> bytes:
        """The certificates of all authorities to trust."""
        of_pairs = (pair.certificate for pair in (self.authority, self.coming) if pair is not None)
        return b"".join((*of_pairs, self.past or b""))


class Found(NamedTuple):
    """What a Secret has."""

    material: Material
    """What can be used."""
    unusable: tuple[str, ...]
    """Why the rest cannot: it is as if it were not there, and so made anew. Each a sentence."""


def from_secret(data: Mapping[str, str]) -> Found:
    """Read what `to_secret` made, or somebody else."""
    unusable: list[str] = []

    def used(names: tuple[str, ...], read: Callable[..., _Read]) -> _Read | None:
        if data.keys().isdisjoint(names):
            return None
        try:
            return read(*(_decoded(data, name) for name in names))
        except Unreadable as error:
            unusable.append(f"{' and '.join(names)} cannot be used: {error}")
            return None

    material = Material(
        authority=used(AUTHORITY, _signer),
        server=used(SERVER, _pair),
        coming=used(COMING, _signer),
        past=used((PAST,), _trusted),
    )
    return Found(material, tuple(unusable))


def to_secret(material: Material) -> Data:
    """Every key that we write, those without a value too."""
    return {
        **_keys(AUTHORITY, material.authority),
        **_keys(SERVER, material.server),
        **_keys(COMING, material.coming),
        PAST: _encoded(material.past),
    }


def _pair(certificate: bytes, key: bytes) -> Pair:
    pair = Pair(certificates(certificate), key)
    require_pair(pair)
    return pair


def _signer(certificate: bytes, key: bytes) -> Pair:
    return Pair(_trusted(certificate), _pair(certificate, key).key)


def _trusted(certificate: bytes) -> bytes:
    require_authority(certificate)
    return certificates(certificate)


def _keys(names: tuple[str, str], pair: Pair | None) -> Data:
    return dict(zip(names, map(_encoded, pair or (None, None)), strict=True))


def _encoded(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _decoded(data: Mapping[str, str], name: str) -> bytes:
    if name not in data:
        raise Unreadable(f"{name} is missing")
    try:
        return base64.b64decode(data[name], validate=True)
    except ValueError as error:  # also for what is not ASCII
        raise Unreadable(f"{name} is not in base64") from error
