"""What a token says of itself. Unverified, so only for a token that the API server has taken. Pure."""

import base64
import binascii

import msgspec


class _Claims(msgspec.Struct, frozen=True):
    exp: float | None = None


_decode = msgspec.json.Decoder(_Claims).decode


def expiry(token: str) -> float | None:
    """When it ends, in seconds since 1970; None when it does not say so, as a token that is no JWT (RFC 7519)."""
    _, _, rest = token.partition(".")
    payload, dot, _ = rest.partition(".")
    if not dot:
        return None
    try:
        # Base64 for URLs comes without its padding here; too much of it does no harm.
        return _decode(base64.urlsafe_b64decode(f"{payload}==")).exp
    except (binascii.Error, ValueError):  # of which msgspec's errors are kinds
        return None
