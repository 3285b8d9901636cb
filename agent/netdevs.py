"""Netdevs of a PCI function or sub-function (Documentation/ABI/testing/sysfs-class-net), and the links above them."""

import re
from collections.abc import Iterable
from typing import Final

from agent.links import LinkInfo, Links
from agent.reader import Reader
from nicfleet import inventory
from nicfleet.inventory import Netdev

_MAC: Final = re.compile(r"((?:[0-9a-f]{2}:)+[0-9a-f]{2})")
_WORD: Final = re.compile(r"([a-z]+)")
_HEX: Final = re.compile(r"([0-9a-f]+)")

_LINK_TYPES: Final = {1: "ether", 32: "infiniband", 772: "loopback"}
"""ARPHRD_…, if_arp.h."""

_UNKNOWN_SPEEDS: Final = (-1, 2**32 - 1)
"""SPEED_UNKNOWN, which older kernels print unsigned."""


def netdevs(reader: Reader, device: str, links: Links) -> tuple[Netdev, ...]:
    """The netdevs whose parent is `device`, by name. In switchdev mode representors are among those of a PF."""
    return tuple(_netdev(reader, f"{device}/net/{name}", name, links) for name in reader.entries(f"{device}/net"))


def _netdev(reader: Reader, path: str, name: str, links: Links) -> Netdev:
    link = links.by_name.get(name)
    master = links.master(link) if link else None
    kind = reader.number(f"{path}/type")
    speed = reader.number(f"{path}/speed", low=min(_UNKNOWN_SPEEDS))
    return Netdev(
        name=name,
        altnames=tuple(sorted(link.altnames)) if link else (),
        altnames_known=links.from_netlink and link is not None,
        mac=reader.matched(f"{path}/address", _MAC),
        mtu=reader.number(f"{path}/mtu"),
        operstate=reader.matched(f"{path}/operstate", _WORD),
        speed_mbps=None if speed in _UNKNOWN_SPEEDS else speed,
        link_type=None if kind is None else _LINK_TYPES.get(kind, str(kind)),
        port_name=reader.text(f"{path}/phys_port_name"),
        switch_id=reader.matched(f"{path}/phys_switch_id", _HEX),
        port_id=reader.matched(f"{path}/phys_port_id", _HEX),
        master=master.name if master else None,
        lower=links.lowers(link) if link else (),
        addresses=links.addresses(link) if link else (),
        default_route=links.has_default_route(link) if link else False,
    )


def links_above(links: Links, names: Iterable[str]) -> tuple[inventory.Link, ...]:
    """The links above the netdevs named that carry an address or a default route, and those between; by name.

    Only what has one of the netdevs below it is visited and named: a bridge's five hundred veths cost nothing.
    """
    netdevs = [links.by_name[name] for name in names if name in links.by_name]
    above = _reachable(links, netdevs)
    carrying = _carrying(links, above)
    below = {link.name for link in netdevs} | {link.name for link in above.values()}
    return tuple(
        inventory.Link(
            name=link.name,
            kind=link.kind,
            lower=tuple(name for name in links.lowers(link) if name in below),
            addresses=links.addresses(link),
            default_route=links.has_default_route(link),
        )
        for link in sorted(above.values(), key=lambda link: link.name)
        if link.index in carrying
    )


def _reachable(links: Links, netdevs: Iterable[LinkInfo]) -> dict[int, LinkInfo]:
    """By index, every link above one of the netdevs."""
    found: dict[int, LinkInfo] = {}
    todo = list(netdevs)
    while todo:
        for upper in links.uppers(todo.pop()):
            if upper.index not in found:
                found[upper.index] = upper
                todo.append(upper)
    return found


def _carrying(links: Links, above: dict[int, LinkInfo]) -> set[int]:
    """Of those links, the ones that carry an address or a default route themselves or through a link above them."""
    kept: set[int] = set()
    todo = [link for link in above.values() if links.addresses(link) or links.has_default_route(link)]
    while todo:
        link = todo.pop()
        if link.index in kept:
            continue
        kept.add(link.index)
        todo += [below for name in links.lowers(link) if (below := links.by_name[name]).index in above]
    return kept
