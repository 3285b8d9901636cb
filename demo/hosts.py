"""The four nodes of the demo: three hosts that are trees of files, and this machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests import hosts
from tests.host_tree import PCI, HostTree

SPARE_NODE: Final = "connectx-5"
"""The node with a card to be pulled out and put back."""

_LOOK_ONLY: Final = {"key": "nicfleet.io/demo", "value": "look-only", "effect": "NoSchedule"}
_SPARE: Final = "0000:d8:00.0"
_CONNECTX_7: Final = 0x1021


@dataclass(frozen=True, slots=True)
class DemoHost:
    """A node's name and its root directory."""

    name: str
    root: Path

    @property
    def is_tree(self) -> bool:
        return self.root != Path("/")

    @property
    def taints(self) -> tuple[Mapping[str, str], ...]:
        """Nobody loads a driver on this machine; where it has NICs, a policy that includes it would wait for ever."""
        return (_LOOK_ONLY,) if not self.is_tree and HostTree(self.root).network_functions() else ()


def build_hosts(folder: Path) -> tuple[DemoHost, ...]:
    """Write the trees below `folder`. The kernel's own Ethernet driver is loaded in each, and no RDMA."""
    builders = {
        SPARE_NODE: hosts.connectx5,
        "connectx-6-infiniband": hosts.connectx6_infiniband,
        "connectx-6-lx": hosts.connectx6_lx,
    }
    for name, build in builders.items():
        build(folder / name)
    HostTree(folder / SPARE_NODE).add_pf(_SPARE, _CONNECTX_7, netdev="ens7f0")
    return (*(DemoHost(name, folder / name) for name in builders), DemoHost("this-machine", Path("/")))


class SpareCard:
    """A ConnectX-7 that can be pulled out of a running host, and put back."""

    LABEL: Final = "nicfleet.io/nic.connectx-7"
    """What the Node says while it is in."""

    def __init__(self, root: Path) -> None:
        self._tree = HostTree(root)
        self._slot = f"{PCI}/{_SPARE}"
        self._card = self._tree.real(self._slot)

    def pull_out(self) -> None:
        """What hangs below the PCI function goes with it, in one step."""
        self._tree.remove(self._slot)

    def put_back(self) -> None:
        self._tree.link(self._slot, self._card)
