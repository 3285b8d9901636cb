"""Looks at one host for a command; whatever a person can put right is one sentence."""

import platform
from pathlib import Path

from agent import inventory, recording
from agent.host import Host
from agent.links import Links
from agent.pci import DEVICES
from agent.record import UnusableHost, open_host
from agent.settle import is_complete
from nicfleet.inventory import Inventory, NodeName


class Refused(Exception):
    """What was asked for cannot be done; the text is one sentence for the person who asked."""


def inspect(host_root: Path) -> Inventory:
    """The inventory of this machine, of a host's tree or of a recorded host. Raises Refused."""
    try:
        with open_host(host_root) as host:
            name = platform.node() if host.live else host.root.name
            seen = inventory.read(host, _links(host), NodeName(name))
    except UnusableHost as error:
        raise Refused(f"--host-root: {error}") from error
    if not is_complete(seen):
        raise Refused(
            f"--host-root: {host_root} shows no PCI bus (/{DEVICES} cannot be listed): "
            "give a host's root directory, or a file of nicfleet record"
        )
    return seen


def record(host_root: Path, output: Path) -> Inventory:
    """Write the record of a host to `output`. Raises Refused."""
    try:
        with open_host(host_root) as host:
            return recording.record(host, _links(host), output)
    except UnusableHost as error:
        raise Refused(f"--host-root: {error}") from error
    except OSError as error:
        raise Refused(f"cannot write {output}: {error.strerror}; give a file in a folder that you may write") from error


def _links(host: Host) -> Links | None:
    """What netlink says, of this machine only; a sandbox may forbid to ask it."""
    if not host.live:
        return host.links
    from agent.link_source import LinkSource
    from agent.netlink import read_links

    return LinkSource(read_links).links()
