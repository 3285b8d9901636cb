"""Channels to a coordinator: over TLS, or in plaintext where somebody decided so.

A coordinator is known by a certificate of an authority that we trust, made for the name that we expect. The name stays
that of its Service when one of its pods is dialled by address.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc

from nicfleet.pem import certificates
from nicfleet.transport import CHANNEL_OPTIONS


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS to a coordinator. None in its place is plaintext, in which no token is ever sent."""

    ca_file: Path
    """PEM certificates of the authorities to trust. Read for every channel, so that they may change."""
    server_name: str = ""
    """The name that the certificate must be for; empty: the host that is dialled."""
    token: Callable[[], str] | None = None
    """Gives the bearer token, asked for every call by `shown`; None or "": none is sent."""


class NotDialled(Exception):
    """What is needed to call the coordinator is not there; the text says where, why and what to do."""


class TokenUnusable(NotDialled):
    """There is no token where one was promised."""


class AuthorityUnusable(NotDialled):
    """There is no certificate of an authority where one was promised."""


def open_channel(address: str, tls: Tls | None) -> grpc.aio.Channel:
    """A channel to HOST:PORT; nothing is sent yet. Raises NotDialled."""
    if tls is None:
        return grpc.aio.insecure_channel(address, CHANNEL_OPTIONS)
    options = (*CHANNEL_OPTIONS, ("grpc.ssl_target_name_override", tls.server_name or host_of(address)))
    return grpc.aio.secure_channel(address, credentials(tls), options)


def credentials(tls: Tls) -> grpc.ChannelCredentials:
    """What a channel needs to know. Raises NotDialled."""
    return grpc.ssl_channel_credentials(_authorities(tls.ca_file))


def shown(tls: Tls | None) -> tuple[tuple[str, str], ...]:
    """Metadata for one call: the token as it is now. Raises TokenUnusable.

    Not gRPC's call credentials: these call Python, with a lock held that Python may wait for (1.85; a process that
    had both ends of a connection stood still for ever).
    """
    token = tls.token() if tls is not None and tls.token is not None else ""
    return (("authorization", f"Bearer {token}"),) if token else ()


def host_of(address: str) -> str:
    """The host in HOST:PORT, an IPv6 one without its brackets."""
    return address.rpartition(":")[0].strip("[]")


def why_unreachable(details: str, tls: Tls | None) -> str:
    """What gRPC's words on a failed connection mean, and what to do; "" when they speak for themselves."""
    if tls is None:
        closed = "failed to connect" in details and "Socket closed" in details
        return _PERHAPS_TLS if closed else ""
    given = {"ca": tls.ca_file, "name": tls.server_name or "the host that was dialled"}
    return next((hint.format(**given) for words, hint in _HINTS if words in details), "")


_PERHAPS_TLS: Final = (
    "it closed the connection at once, as one does that speaks TLS: give --ca-file in place of --insecure"
)

# gRPC's words (1.85), the particular before the general.
_HINTS: Final = (
    ("certificate has expired", "its certificate has expired: see why the coordinator's log says it is not renewed"),
    ("certificate is not yet valid", "its certificate is not valid yet: set the clocks of both machines right"),
    ("Hostname Verification", "its certificate is not for {name}: give that of the Service in --server-name"),
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is of no authority in {ca}: give that of this coordinator"),
    ("WRONG_VERSION_NUMBER", "it speaks plaintext, and TLS is wanted: take --insecure from the coordinator"),
)


def _authorities(file: Path) -> bytes:
    """gRPC would take the world's authorities for none, and say little of what is no certificate."""
    try:
        found = certificates(file.read_bytes())
    except OSError as error:
        raise _unusable(file, error.strerror or str(error)) from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=found.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise _unusable(file, "it has no certificate in PEM") from error
    return found


def _unusable(file: Path, why: str) -> AuthorityUnusable:
    return AuthorityUnusable(
        f"{file} cannot be used ({why}): the coordinator is trusted by the authority in it, "
        "give that file with --ca-file, or wait until the coordinator has written it"
    )
