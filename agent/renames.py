"""When a name is gone and another has come, whether that is the same thing: udev renames while the agent looks."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from nicfleet.inventory import Netdev, RdmaDevice

T = TypeVar("T", Netdev, RdmaDevice)


def netdev_renames(before: Iterable[Netdev], now: Iterable[Netdev]) -> list[tuple[Netdev, Netdev]]:
    """Old and new of each netdev of one function that changed its name only."""
    return _renames(before, now, lambda netdev: (netdev.mac, netdev.port_name) if netdev.mac else None)


def rdma_device_renames(before: Iterable[RdmaDevice], now: Iterable[RdmaDevice]) -> list[tuple[RdmaDevice, RdmaDevice]]:
    """Old and new of each RDMA device of one function that changed its name only."""
    return _renames(before, now, lambda device: device.node_guid)


def _renames(before: Iterable[T], now: Iterable[T], identity: Callable[[T], object]) -> list[tuple[T, T]]:
    old = {item.name: item for item in before}
    new = {item.name: item for item in now}
    come = {identity(item): item for name, item in new.items() if name not in old}
    gone = (item for name, item in old.items() if name not in new)
    return [(item, come[identity(item)]) for item in gone if identity(item) is not None and identity(item) in come]
