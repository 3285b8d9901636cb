"""What the coordinator keeps of its certificates, and how that is written into the Secret."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from coordinator.certificates.issue import Pair, Unreadable, facts, require_pair

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


def from_secret(data: Mapping[str, str]) -> Material:
    """What of it can be used. The rest is as if it were not there, and so made anew."""
    return Material(
        authority=_pair(data, *AUTHORITY),
        server=_pair(data, *SERVER),
        coming=_pair(data, *COMING),
        past=_certificate(data),
    )


def to_secret(material: Material) -> Data:
    """Every key that we write, those without a value too."""
    return {
        **_keys(AUTHORITY, material.authority),
        **_keys(SERVER, material.server),
        **_keys(COMING, material.coming),
        PAST: _encoded(material.past),
    }


def _pair(data: Mapping[str, str], certificate: str, key: str) -> Pair | None:
    try:
        pair = Pair(_decoded(data[certificate]), _decoded(data[key]))
        require_pair(pair)
    except (KeyError, Unreadable):
        return None
    return pair


def _certificate(data: Mapping[str, str]) -> bytes | None:
    try:
        certificate = _decoded(data[PAST])
        facts(certificate)
    except (KeyError, Unreadable):
        return None
    return certificate


def _keys(names: tuple[str, str], pair: Pair | None) -> Data:
    return dict(zip(names, map(_encoded, pair or (None, None)), strict=True))


def _encoded(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error as error:
        raise Unreadable(str(error)) from error
