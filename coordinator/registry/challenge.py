"""How a registry says that it wants to know who asks: the WWW-Authenticate header of a 401. Pure.

Source: RFC 9110, section 11, and the specification of token authentication of the CNCF's distribution.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

_SCHEME: Final = re.compile(r"\s*([A-Za-z]+)\s*")
_PARAMETER: Final = re.compile(r'[\s,]*([A-Za-z_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


@dataclass(frozen=True, slots=True)
class Challenge:
    """`scheme` in lower case: basic, or bearer with the address that gives tokens (`realm`), `service` and `scope`."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def realm(self) -> str:
        return self.parameters.get("realm", "")

    def token_url(self, path: str) -> str:
        """Where to ask for a token that may read the repository at this path."""
        query = {"scope": self.parameters.get("scope") or f"repository:{path}:pull"}
        if service := self.parameters.get("service"):
            query["service"] = service
        return f"{self.realm}{'&' if '?' in self.realm else '?'}{urlencode(query)}"


def challenge_in(headers: Iterable[str]) -> Challenge | None:
    """The first challenge that can be met; None without any. Each header is taken to hold one."""
    found = [_read(header) for header in headers]
    return next((each for each in found if each is not None), None)


def _read(header: str) -> Challenge | None:
    scheme = _SCHEME.match(header)
    if scheme is None or scheme[1].lower() not in ("basic", "bearer"):
        return None
    values = {
        name.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain
        for name, quoted, plain in _PARAMETER.findall(header, scheme.end())
    }
    return Challenge(scheme[1].lower(), values)
