"""Where a server listens: HOST:PORT, as the flags have it."""

from typing import Final

EVERYWHERE: Final = frozenset({"0.0.0.0", "[::]"})
"""Hosts that mean each address of the machine, whichever family it is of: gRPC takes both so, and a Pod in a cluster
of IPv6 is probed at an address of IPv6."""


def host_and_port(listen: str) -> tuple[str | None, int]:
    """Host and port as asyncio takes them; the host is None for EVERYWHERE."""
    host, _, port = listen.rpartition(":")
    return None if host in EVERYWHERE else host.strip("[]"), int(port)
