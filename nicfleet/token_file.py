"""A token in a file that somebody renews, as the kubelet does with a pod's."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nicfleet.channel import TokenUnusable
from nicfleet.names import TOKEN_AUDIENCE

_B64TOKEN: Final = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
"""What a bearer token may consist of (RFC 6750); a line break in the middle would end gRPC's call without a word."""
_MOST: Final = 16 << 10


@dataclass(frozen=True, slots=True)
class TokenFile:
    path: Path

    def __call__(self) -> str:
        """The token as it is now. Raises TokenUnusable."""
        try:
            with self.path.open("rb") as file:
                text = file.read(_MOST + 1).strip()
        except OSError as error:
            raise self._unusable(error.strerror or type(error).__name__) from error
        if len(text) > _MOST or not _B64TOKEN.fullmatch(text):
            raise self._unusable("it holds no token")
        return text.decode()

    def _unusable(self, why: str) -> TokenUnusable:
        return TokenUnusable(
            f"{self.path} cannot be used ({why}): give a file with a ServiceAccount's token for audience "
            f"{TOKEN_AUDIENCE} in --token-file"
        )
