"""HTTP/2 frames by hand (RFC 9113): what no client of gRPC's would do, and what a server sends in answer."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Final

WINDOW: Final = 65_535
"""Bytes that a side may send of each call and in all, until the other one asks for more."""

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _MORE = 0, 1, 3, 4, 6, 8
_ACK: Final = 1
_END_STREAM: Final = 1
_END_HEADERS: Final = 4
_LONGEST: Final = 16_384


class Peer:
    """One connection. It answers pings and settings, and takes `window` bytes of each call's answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, window: int) -> None:
        self.ended: set[int] = set()
        """Calls that the server has ended."""
        self.wanted = Counter[int]()
        """Bytes that it asks for beyond WINDOW, by call."""
        self._reader, self._writer = reader, writer
        self._next = count(1, 2)
        self._pings = count(1)
        self._pongs: set[bytes] = set()
        self._heard = asyncio.Event()
        writer.write(_PREFACE + _frame(_SETTINGS, 0, 0, b"\0\4" + window.to_bytes(4, "big")))

    def call(self, method: str, headers: Iterable[tuple[str, str]] = ()) -> int:
        """Begin a call, for example of "/package.Service/Method"; its number."""
        number = next(self._next)
        pseudo = [(":method", "POST"), (":scheme", "http"), (":path", method), (":authority", "localhost")]
        fields = [*pseudo, ("content-type", "application/grpc"), ("te", "trailers"), *headers]
        block = b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)
        self._writer.write(_frame(_HEADERS, _END_HEADERS, number, block))
        return number

    def send(self, call: int, size: int = 0) -> None:
        """A message of that many bytes, or as much of it as one may send unasked."""
        data = (b"\0" + size.to_bytes(4, "big") + bytes(min(size, WINDOW)))[:WINDOW]
        for start in range(0, len(data), _LONGEST):
            self._writer.write(_frame(_DATA, 0, call, data[start : start + _LONGEST]))

    async def in_step(self) -> None:
        """The server has seen all that was sent, and what it sent until then is here."""
        ping = next(self._pings).to_bytes(8, "big")
        self._writer.write(_frame(_PING, 0, 0, ping))
        await self.until(lambda: ping in self._pongs)

    async def until(self, condition: Callable[[], bool], within: float = 60.0) -> None:
        """`within` is in seconds, and reached only when a test fails."""
        async with asyncio.timeout(within):
            while not condition():
                self._heard.clear()
                await self._heard.wait()

    async def listen(self) -> None:
        """Until the connection ends."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await self._reader.readexactly(9)
                body = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
                self._take(head[3], head[4], int.from_bytes(head[5:], "big"), body)
                self._heard.set()

    def _take(self, kind: int, flags: int, call: int, body: bytes) -> None:
        acknowledged = bool(flags & _ACK)
        if kind == _PING and acknowledged:
            self._pongs.add(body)
        elif kind in (_PING, _SETTINGS) and not acknowledged:
            self._writer.write(_frame(kind, _ACK, 0, body if kind == _PING else b""))
        elif kind == _MORE:
            self.wanted[call] += int.from_bytes(body, "big")
        elif kind == _RESET or (kind in (_HEADERS, _DATA) and flags & _END_STREAM):
            self.ended.add(call)


@asynccontextmanager
async def peer(port: int, window: int = WINDOW, address: str = "127.0.0.1") -> AsyncIterator[Peer]:
    """Connected to a server on loopback, from this address."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    made = Peer(reader, writer, window)
    listening = asyncio.create_task(made.listen())
    try:
        await made.in_step()
        yield made
    finally:
        writer.close()
        await listening


def _frame(kind: int, flags: int, call: int, body: bytes = b"") -> bytes:
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + call.to_bytes(4, "big") + body


def _text(value: str) -> bytes:
    """A string of HPACK (RFC 7541, 5.2): its length, of which the first 127 are in the first byte, and itself."""
    data = value.encode()
    if len(data) < 127:
        return bytes([len(data)]) + data
    rest, length = len(data) - 127, [127]
    while rest >= 128:
        length.append(rest % 128 + 128)
        rest //= 128
    return bytes([*length, rest]) + data
