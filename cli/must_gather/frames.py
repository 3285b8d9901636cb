"""A command's output over the API server's websocket: frames of a channel's number and its bytes. Pure."""

from typing import Final

import msgspec

PROTOCOL: Final = "v4.channel.k8s.io"
_STDOUT, _STDERR, _STATUS = 1, 2, 3


class _Cause(msgspec.Struct, frozen=True):
    reason: str = ""
    message: str = ""


class _Details(msgspec.Struct, frozen=True):
    causes: tuple[_Cause, ...] = ()


class _Status(msgspec.Struct, frozen=True):
    status: str = ""
    message: str = ""
    details: _Details | None = None


class Output:
    """What has come so far, at most so many bytes of it."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes
        self._parts: list[bytes] = []
        self._status: _Status | None = None

    @property
    def full(self) -> bool:
        return self._left <= 0

    @property
    def text(self) -> str:
        return b"".join(self._parts).decode(errors="replace")

    @property
    def broken(self) -> str:
        """Why the command did not come to its end; empty if it did, with whatever exit code."""
        if self.full:
            return "it printed more than is kept"
        if self._status is None:
            return "the connection ended before the command did"
        causes = self._status.details.causes if self._status.details is not None else ()
        if self._status.status == "Success" or any(cause.reason == "ExitCode" for cause in causes):
            return ""
        return self._status.message or "the command could not be run"

    def take(self, frame: bytes) -> None:
        channel, data = frame[:1], frame[1:]
        if channel in (bytes([_STDOUT]), bytes([_STDERR])):
            self._parts.append(data[: self._left])
            self._left -= len(data)
        elif channel == bytes([_STATUS]):
            try:
                self._status = msgspec.json.decode(data, type=_Status)
            except msgspec.MsgspecError:
                self._status = _Status(message=data.decode(errors="replace"))
