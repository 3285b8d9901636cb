"""The interfaces of a node that a secondary network can build on, as far as they lead to a 15b3 port. Pure."""

import re
from collections.abc import Iterable, Iterator
from sys import intern
from typing import Final, NamedTuple

from nicfleet.inventory import Function, Inventory, Netdev

_REPRESENTOR: Final = re.compile(r"(?:c\d+)?pf\d+(?:vf|sf)\d+")
_CHILD: Final = re.compile(r"\.([0-9a-f]{4})")
_FULL_MEMBER: Final = 0x8000


class Uplink(NamedTuple):
    """One interface. `link_type` ("ether", "infiniband") and `pkey` are None where they are not known."""

    name: str
    altnames: tuple[str, ...] = ()
    link_type: str | None = None
    pkey: int | None = None


def uplinks(inventory: Inventory) -> tuple[Uplink, ...]:
    """The netdevs of PFs, of VFs whose PF is out of sight, and the links above them, by name.

    VFs beside their PF are left out: their netdevs come and go with pods.
    """
    found = {uplink.name: uplink for function in inventory.functions for uplink in _of_function(function)}
    masters = (netdev.master for function in inventory.functions for netdev in function.netdevs if netdev.master)
    for name in (*masters, *(link.name for link in inventory.node.links)):
        found.setdefault(name, Uplink(intern(name)))
    return tuple(found[name] for name in sorted(found))


def _of_function(function: Function) -> Iterator[Uplink]:
    names = {netdev.name for netdev in function.netdevs}
    key = _default_key(function)
    for netdev in function.netdevs:
        if netdev.port_name is not None and _REPRESENTOR.fullmatch(netdev.port_name):
            continue
        child = _key_in_name(netdev, names)
        if child is None and netdev.lower:
            continue  # what a CNI plugin stacks on it, on its way into a pod
        altnames = tuple(map(intern, netdev.altnames))
        pkey = (key if child is None else child) if netdev.link_type == "infiniband" else None
        yield Uplink(intern(netdev.name), altnames, intern(netdev.link_type) if netdev.link_type else None, pkey)


def _default_key(function: Function) -> int | None:
    """The first key of its port; of several ports it is not known which one an interface is of."""
    ports = [port for device in function.rdma_devices for port in device.ports]
    return ports[0].pkeys[0] if len(ports) == 1 and ports[0].pkeys else None


def _key_in_name(netdev: Netdev, names: Iterable[str]) -> int | None:
    """The key of an IPoIB child that was made by hand: the kernel calls it `<parent>.<key in hex>`."""
    for name in names:
        if netdev.name.startswith(name) and (match := _CHILD.fullmatch(netdev.name, len(name))):
            return int(match[1], 16) | _FULL_MEMBER
    return None
