"""When a name is gone and another has come, whether that is the same thing: udev renames while the agent looks."""

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from nicfleet.inventory import Netdev, RdmaDevice

T = TypeVar("T", Netdev, RdmaDevice)

_ZERO: Final = frozenset("0:")
"""What an address is made of that nobody has set: it tells no two things apart."""


def netdev_renames(before: Iterable[Netdev], now: Iterable[Netdev]) -> list[tuple[Netdev, Netdev]]:
    """Old and new of each netdev of one function that changed its name only."""
    return _renames(before, now, lambda netdev: (netdev.mac, netdev.port_name) if _is_set(netdev.mac) else None)


def rdma_device_renames(before: Iterable[RdmaDevice], now: Iterable[RdmaDevice]) -> list[tuple[RdmaDevice, RdmaDevice]]:
    """Old and new of each RDMA device of one function that changed its name only."""
    return _renames(before, now, lambda device: device.node_guid if _is_set(device.node_guid) else None)


def _is_set(address: str | None) -> bool:
    return address is not None and not _ZERO.issuperset(address)


def _renames(before: Iterable[T], now: Iterable[T], identity: Callable[[T], object]) -> list[tuple[T, T]]:
    """Pairs, in which each item is at most once."""
    old = {item.name: item for item in before}
    new = {item.name: item for item in now}
    come = {identity(item): item for name, item in new.items() if name not in old}
    come.pop(None, None)
    gone = [item for name, item in old.items() if name not in new]
    return [(item, match) for item in gone if (match := come.pop(identity(item), None)) is not None]
