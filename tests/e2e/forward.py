"""`python -m tests.e2e.forward HOST:PORT HOST:PORT` passes TCP connections to the first address on to the second."""

import asyncio
import sys
from contextlib import suppress
from typing import Final

_CHUNK: Final = 65536


async def main(listen: str, to: str) -> None:
    """Until it is killed."""

    async def passed_on(near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        with suppress(OSError):  # either side went: both go
            far_reader, far = await asyncio.open_connection(*_address(to))
            await asyncio.gather(_pump(near_reader, far), _pump(far_reader, near))
        near.close()

    async with await asyncio.start_server(passed_on, *_address(listen)) as server:
        await server.serve_forever()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(_CHUNK):
            target.write(data)
            await target.drain()
    finally:
        target.close()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
