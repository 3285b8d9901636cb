"""Everything about one node, put together from small readers. Reads files through `agent.reader` and nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from agent import pci
from agent.driver import driver
from agent.functions import Shared, functions, known_boards, with_char_devices
from agent.host import Host
from agent.last_seen import as_last_seen
from agent.links import Links
from agent.modules import modules
from agent.netdevs import links_above
from agent.node import node
from nicfleet.inventory import Function, Inventory, Netdev, NodeName

BUSES: Final = "sys/bus"


def read(host: Host, links: Links | None, name: NodeName, previous: Inventory | None = None) -> Inventory:
    """Look at a host. Never raises for what the host's files hold; what could not be read is in `unread`.

    `links` is what netlink said; with None, sysfs tells what little it can. `previous` is an earlier inventory of the
    same node: boards known from it are not asked for again, and what gives no answer now is as it was. Blocks as long
    as the kernel does (a sick NIC: a minute).
    """
    look = host.reader()
    look.require(BUSES)
    if links is None:
        links = Links.from_sysfs(look)
    devices = pci.devices(look)
    driver_section = look.section()
    loaded, use = modules(driver_section)
    before = previous.functions if previous else ()
    found = functions(look, devices, Shared(links, known_boards(before)))
    found = as_last_seen(with_char_devices(driver_section, found), before)
    above = links_above(links, (netdev.name for function in found for netdev in _netdevs(function)))
    return Inventory(
        node=replace(node(look, name, host, devices), links=above),
        driver=driver(driver_section, loaded),
        functions=found,
        module_use=use,
    )


def _netdevs(function: Function) -> Iterator[Netdev]:
    yield from function.netdevs
    for vf in function.virtual_functions:
        yield from vf.netdevs
