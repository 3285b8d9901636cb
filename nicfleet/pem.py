"""The certificates in a PEM text, without what else may stand there: comments in any encoding, or a key by mistake."""

import re
from typing import Final

_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----")


def certificates(text: bytes) -> bytes:
    """One after the other, as they are; ASCII. Whether they can be read is not looked at."""
    return b"".join(each + b"\n" for each in _CERTIFICATE.findall(text))
