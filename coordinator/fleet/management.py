"""Is a node managed through the NICs whose driver is about to be reloaded? Pure."""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nicfleet.inventory import Inventory


@dataclass(frozen=True, slots=True)
class NicInterface:
    """A netdev of a 15b3 function, or a link above such (bond, VLAN, bridge), that is in use.

    `ports` are the 15b3 netdevs it rests on; a netdev of a function rests on itself. `addresses` are CIDRs.
    """

    name: str
    ports: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    default_route: bool = False

    def __str__(self) -> str:
        return self.name if self.ports == (self.name,) else f"{self.name} (on {', '.join(self.ports)})"


def nic_interfaces(inventory: Inventory) -> tuple[NicInterface, ...]:
    """Every interface on a 15b3 port that carries an address or a default route, by name."""
    netdevs = {netdev.name: netdev for function in inventory.all_functions() for netdev in function.netdevs}
    lower = {link.name: link.lower for link in inventory.node.links}
    used = [
        NicInterface(netdev.name, (netdev.name,), netdev.addresses, netdev.default_route)
        for netdev in netdevs.values()
        if netdev.addresses or netdev.default_route
    ]
    used += [
        NicInterface(link.name, _ports_below(link.name, lower, netdevs.keys()), link.addresses, link.default_route)
        for link in inventory.node.links
        if link.name not in netdevs and (link.addresses or link.default_route)
    ]
    return tuple(sorted(used, key=lambda interface: interface.name))


def management_nics(interfaces: Iterable[NicInterface], internal_ips: Iterable[str]) -> tuple[NicInterface, ...]:
    """Those interfaces that carry the default route or one of the Node's InternalIPs."""
    wanted = {address for text in internal_ips if (address := _address(text)) is not None}
    return tuple(
        interface
        for interface in interfaces
        if interface.default_route or any(_address(cidr) in wanted for cidr in interface.addresses)
    )


def _ports_below(name: str, lower: Mapping[str, tuple[str, ...]], ports: Iterable[str]) -> tuple[str, ...]:
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in seen:  # what an agent says may be a circle
            continue
        seen.add(current)
        if current in ports:
            found.add(current)
        else:
            waiting.extend(lower.get(current, ()))
    return tuple(sorted(found))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_interface(text).ip
    except ValueError:
        return None
