"""Which names are names of secrets: of fields, variables, flags and keys, however they are written."""

import re
from functools import lru_cache
from typing import Final

_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

_ANYWHERE: Final = re.compile(
    r"passw|passphrase|passcode|pwd|secret|token|credential|authorization|cookie|dockerconfig|dockercfg|fromliteral"
)
_LAST: Final = re.compile(r"pass|pw|psk|creds?|auth|bearer|jwt|keystore|jks|pfx")
"""Words that make a name one of a secret when they end it."""
_LAST_OF_SEVERAL: Final = re.compile(r"pin|otp|pat|sas")
"""Likewise, but they mean other things when they stand alone."""
_OPENS: Final = re.compile(
    r"(?:api|private|priv|access|client|signing|encryption|ssh|auth|shared|session|account|master|license|deploy|storage"
    r"|tls|ssl|server|root|admin|host|crypt)keys?$"
)
"""Keys that open something, in names written as one word."""
_OPENS_NOTHING: Final = re.compile(
    r"topology|labels?|p|partition|config|field|sort|taint|map|public|pub|selector|annotation|primary|foreign"
    r"|pvc?|configmap|pod|node|object|item|queue|workqueue|cache|metric|event|resource|policy|daemonset|job"
)
"""What stands before `key` where it is no secret; `p_key` is InfiniBand's name for a partition."""
_FORM: Final = re.compile(r"data|pem|der|base|b|value|string|text|raw")
"""How a secret is written, at the end of its name."""
_ABOUT: Final = re.compile(
    r"names?|refs?|namespace|paths?|files?|dir|folder|policy|kind|types?|seconds|audiences?|ttl|count|mode|size|length"
    r"|expiry|expiration|method|version|enabled|required|provider|issuer|lookup|mount|template|class|url|endpoint|go|py|sh"
)
"""`secretName` and the like say where a secret is, and that is often what is wrong."""
_NAMES: Final = re.compile(r"imagepullsecrets?|pullsecrets?|ufmsecret|nicfleettlssecret")
"""Fields and variables of which the values are names of Secrets."""
_SSH: Final = re.compile(r"id_(?:rsa|dsa|ecdsa|ed25519)(?:_\w{1,128}+)?$")

_LONGEST: Final = 128


@lru_cache(maxsize=8192)
def is_secret(name: str) -> bool:
    """Whether what stands under this name is a secret itself."""
    name = name[-_LONGEST:]
    words = [word.lower() for word in _PARTS.findall(name)]
    whole = "".join(words)
    if not words or _NAMES.fullmatch(whole) or _ABOUT.fullmatch(words[-1]):
        return False
    if _ANYWHERE.search(whole) or _OPENS.search(whole) or _SSH.search(name):
        return True
    written = len(words)
    while len(words) > 1 and _FORM.fullmatch(words[-1]):
        words.pop()
    if words[-1] in ("key", "keys"):
        return len(words) < written if len(words) == 1 else _OPENS_NOTHING.fullmatch(words[-2]) is None
    return bool(_LAST.fullmatch(words[-1]) or (len(words) > 1 and _LAST_OF_SEVERAL.fullmatch(words[-1])))
