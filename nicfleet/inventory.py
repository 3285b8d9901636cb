"""What an agent knows about its node, as frozen values.

Field for field the same as `proto/nicfleet/v1/inventory.proto`, which documents units and kernel sources;
`nicfleet.wire` translates. `None` means "the kernel did not say", never zero or false. The one difference: here a PF
holds its VFs whole, on the wire they are folded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NewType

NodeName = NewType("NodeName", str)
PciAddress = NewType("PciAddress", str)
"""`DDDD:BB:DD.F` in lower-case hex; the domain may have more digits."""

MELLANOX_VENDOR = 0x15B3


@dataclass(frozen=True, slots=True, order=True)
class Unread:
    """One attribute that could not be read: path below the host root, errno (0: read, but senseless)."""

    path: str
    errno: int


@dataclass(frozen=True, slots=True)
class Gpu:
    address: PciAddress
    device: int


@dataclass(frozen=True, slots=True)
class OtherDevice:
    """A device of vendor 15b3 that is not a network function."""

    address: PciAddress
    device: int
    pci_class: int
    model: str
    recovery: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A link that has a 15b3 netdev below it, directly or not."""

    name: str
    kind: str | None = None
    lower: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    default_route: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    name: NodeName
    boot_id: str | None = None
    os_id: str | None = None
    os_version_id: str | None = None
    kernel_release: str | None = None
    architecture: str | None = None
    root_on_nvme: bool | None = None
    gpus: tuple[Gpu, ...] = ()
    other_devices: tuple[OtherDevice, ...] = ()
    links: tuple[Link, ...] = ()
    plugin_directories: tuple[str, ...] = ()
    absent_cni_directories: tuple[str, ...] = ()
    unread: tuple[Unread, ...] = ()


class Flavour(IntEnum):
    """Origin of the loaded RDMA stack. Values are those of the wire."""

    NONE = 1
    INBOX = 2
    OFED = 3
    MIXED = 4


@dataclass(frozen=True, slots=True)
class Module:
    name: str
    state: str
    version: str | None = None
    srcversion: str | None = None
    out_of_tree: bool = False


@dataclass(frozen=True, slots=True)
class DriverBuild:
    kernel: str
    version: str
    path: str


@dataclass(frozen=True, slots=True)
class DriverContainer:
    """What the driver container keeps on the host."""

    ready: bool = False
    running: bool = False
    reloading: bool = False
    builds: tuple[DriverBuild, ...] = ()


@dataclass(frozen=True, slots=True)
class Driver:
    flavour: Flavour = Flavour.NONE
    version: str | None = None
    modules: tuple[Module, ...] = ()
    container: DriverContainer = DriverContainer()
    netns_shared: bool | None = None
    rdma_cm: bool = False
    peermem_stale: bool = False
    unread: tuple[Unread, ...] = ()

    def module(self, name: str) -> Module | None:
        """The loaded module of that name."""
        return next((module for module in self.modules if module.name == name), None)


@dataclass(frozen=True, slots=True)
class ModuleUse:
    """Volatile: how often a module is used, and by which modules. The rest of `references` is user space."""

    name: str
    references: int | None = None
    holders: tuple[str, ...] = ()


class FunctionKind(IntEnum):
    PF = 1
    VF = 2


@dataclass(frozen=True, slots=True)
class PcieLink:
    """Speeds in GT/s per lane."""

    speed_gts: float | None = None
    width: int | None = None
    max_speed_gts: float | None = None
    max_width: int | None = None


@dataclass(frozen=True, slots=True)
class Board:
    serial: str | None = None
    part_number: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Netdev:
    name: str
    altnames: tuple[str, ...] = ()
    altnames_known: bool = False
    mac: str | None = None
    mtu: int | None = None
    operstate: str | None = None
    speed_mbps: int | None = None
    link_type: str | None = None
    port_name: str | None = None
    switch_id: str | None = None
    port_id: str | None = None
    master: str | None = None
    lower: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    default_route: bool = False


@dataclass(frozen=True, slots=True)
class RdmaPort:
    number: int
    state: str | None = None
    physical_state: str | None = None
    link_layer: str | None = None
    rate_gbps: float | None = None
    lid: int | None = None
    pkeys: tuple[int, ...] = ()
    port_guid: str | None = None


@dataclass(frozen=True, slots=True)
class RdmaDevice:
    name: str
    node_guid: str | None = None
    system_image_guid: str | None = None
    firmware: str | None = None
    board_id: str | None = None
    char_devices: tuple[str, ...] = ()
    ports: tuple[RdmaPort, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """One PCI network function of vendor 15b3 (class 0200 or 0207)."""

    address: PciAddress
    kind: FunctionKind = FunctionKind.PF
    vendor: int | None = None
    device: int | None = None
    subsystem_vendor: int | None = None
    subsystem_device: int | None = None
    pci_class: int | None = None
    pf: PciAddress | None = None
    vf_index: int | None = None
    sriov_total_vfs: int | None = None
    sriov_num_vfs: int | None = None
    numa_node: int | None = None
    driver: str | None = None
    rdma_auxiliary: bool | None = None
    pcie: PcieLink | None = None
    board: Board | None = None
    model: str | None = None
    generation: str | None = None
    supported: bool | None = None
    unsupported_reason: str | None = None
    netdevs: tuple[Netdev, ...] = ()
    rdma_devices: tuple[RdmaDevice, ...] = ()
    virtual_functions: tuple["Function", ...] = ()
    unread: tuple[Unread, ...] = ()


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything about one node. `functions` holds the PFs, and VFs whose PF is not visible; sorted by address."""

    node: Node
    driver: Driver = Driver()
    functions: tuple[Function, ...] = ()
    module_use: tuple[ModuleUse, ...] = ()

    def all_functions(self) -> Iterator[Function]:
        """Every function, each PF before its VFs."""
        for function in self.functions:
            yield function
            yield from function.virtual_functions

    def all_unread(self) -> Iterator[Unread]:
        """Whatever could not be read, of the node, the driver and every function."""
        yield from self.node.unread
        yield from self.driver.unread
        for function in self.all_functions():
            yield from function.unread
