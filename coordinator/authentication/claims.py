"""What a token says of itself. It may lie until the API server has taken it: up to then, good to refuse it by. Pure."""

import base64
import binascii

import msgspec


class Claims(msgspec.Struct, frozen=True):
    """Of a JWT (RFC 7519); None and empty where it does not say so."""

    exp: float | None = None
    """When it ends, in seconds since 1970."""
    aud: str | tuple[str, ...] = ()
    """Whom it is for: one, or several."""

    @property
    def audiences(self) -> tuple[str, ...]:
        return (self.aud,) if isinstance(self.aud, str) else self.aud


_decode = msgspec.json.Decoder(Claims).decode


def claims_of(token: str) -> Claims | None:
    """None for a token that is no JWT, as not all tokens are."""
    _, _, rest = token.partition(".")
    payload, dot, _ = rest.partition(".")
    if not dot:
        return None
    try:
        # Base64 for URLs comes without its padding here; too much of it does no harm.
        return _decode(base64.urlsafe_b64decode(f"{payload}=="))
    except (binascii.Error, ValueError):  # of which msgspec's errors are kinds
        return None
