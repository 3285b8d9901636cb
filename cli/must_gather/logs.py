"""A log as it comes in, within bounds, and without secrets when it is taken out. Pure."""

from collections import deque
from typing import Final

from cli.must_gather.redaction import CUT, redact_text

MOST_BYTES: Final = 4 << 20
"""Kept of one log. The kubelet could be given this bound too, but would then leave out the newest lines."""

LONGEST_LINE: Final = 32 << 10


class LogTail:
    """Feed it bytes; `text` is the newest part of what came."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._lines: deque[str] = deque()
        self._kept = 0
        self._left_out = 0
        self._open = b""
        self._too_long = False

    def feed(self, data: bytes) -> None:
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._end(line)
        self._extend(rest)

    def text(self) -> str:
        """Ends what was fed. It is cleaned as a whole: a private key is known by its end if its beginning is gone."""
        if self._open:
            self._end(b"")
        note = f"[{self._left_out} earlier lines left out]\n" if self._left_out else ""
        return note + redact_text("".join(f"{line}\n" for line in self._lines))

    def _extend(self, data: bytes) -> None:
        room = LONGEST_LINE - len(self._open)
        self._too_long = self._too_long or len(data) > room
        self._open += data[:room]

    def _end(self, data: bytes) -> None:
        self._extend(data)
        line = self._open.decode(errors="replace").rstrip("\r")
        if self._too_long:
            line += CUT
        self._open, self._too_long = b"", False
        self._lines.append(line)
        self._kept += len(line) + 1
        while self._kept > self._most and len(self._lines) > 1:
            self._kept -= len(self._lines.popleft()) + 1
            self._left_out += 1
