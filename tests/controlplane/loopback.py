"""Free ports and health checks on 127.0.0.1."""

import random
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

# Below the kernel's range for outgoing connections (32768 and up): a port from there can be taken by any client while
# its server restarts, even by a client that redials the server and meets itself.
PORTS = range(20000, 32000)
_BLOCK = 50


def free_ports(count: int) -> list[int]:
    """Return `count` different TCP ports on which nobody listens now.

    No other process is given one of them as long as this one lives: their servers may start late, and anew.
    """
    return list(islice(filter(_is_free, _own), count))


def _ports_of_this_process() -> Iterator[int]:
    """Blocks of ports. Who takes one binds a name that no second process can, and that goes with the process."""
    for first in random.sample(PORTS[::_BLOCK], k=len(PORTS) // _BLOCK):
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0nicfleet-ports-{first}")
        except OSError:
            name.close()
            continue
        name.detach()  # stays open
        yield from range(first, first + _BLOCK)


_own = _ports_of_this_process()


def answers_ok(url: str, ca: Path | None = None) -> bool:
    """Tell whether a GET answers 200; without `ca` any certificate will do."""
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca:
        try:
            trust.load_verify_locations(ca)
        except ssl.SSLError:  # being written
            return False
    else:
        trust.check_hostname = False
        trust.verify_mode = ssl.CERT_NONE
    no_proxy = urllib.request.ProxyHandler({})
    opener = urllib.request.build_opener(no_proxy, urllib.request.HTTPSHandler(context=trust))
    try:
        with opener.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
