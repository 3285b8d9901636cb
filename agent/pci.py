"""PCI functions (Documentation/ABI/testing/sysfs-bus-pci): what they are, and what only the PCI device itself tells."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agent import vpd
from agent.reader import Reader
from nicfleet.inventory import MELLANOX_VENDOR, Board, FunctionKind, PciAddress, PcieLink
from nicfleet.models import VF_IDS, in_recovery

DEVICES: Final = "sys/bus/pci/devices"

_NVIDIA_VENDOR: Final = 0x10DE
_NETWORK_CLASSES: Final = frozenset({0x0200, 0x0207})
_GPU_CLASSES: Final = frozenset({0x0300, 0x0302})

_ADDRESS: Final = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_SPEED: Final = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,2})?) GT/s.*")
_UNKNOWN_WIDTHS: Final = frozenset({0, 255})


@dataclass(frozen=True, slots=True)
class PciDevice:
    """One device of a vendor that we look at, with what decides what it is."""

    address: PciAddress
    vendor: int
    device: int
    pci_class: int
    physfn: PciAddress | None = None

    @property
    def path(self) -> str:
        return f"{DEVICES}/{self.address}"

    @property
    def is_gpu(self) -> bool:
        return self.vendor == _NVIDIA_VENDOR and self.pci_class >> 8 in _GPU_CLASSES

    @property
    def is_mellanox(self) -> bool:
        return self.vendor == MELLANOX_VENDOR

    @property
    def is_network_function(self) -> bool:
        """A NIC function that can work: one in recovery mode cannot, whatever class it shows."""
        return self.is_mellanox and self.pci_class >> 8 in _NETWORK_CLASSES and not in_recovery(self.device)

    @property
    def kind(self) -> FunctionKind:
        """A VF handed to a virtual machine has no `physfn`: there the device id tells."""
        return FunctionKind.VF if self.physfn is not None or self.device in VF_IDS else FunctionKind.PF


def devices(reader: Reader) -> tuple[PciDevice, ...]:
    """The devices of vendors 15b3 and 10de, by address."""
    return tuple(_devices(reader))


def _devices(reader: Reader) -> Iterator[PciDevice]:
    for name in reader.entries(DEVICES):
        path = f"{DEVICES}/{name}"
        if not _ADDRESS.fullmatch(name):
            reader.senseless(path)
            continue
        vendor = reader.number(f"{path}/vendor", high=0xFFFF)
        if vendor not in (MELLANOX_VENDOR, _NVIDIA_VENDOR):
            continue
        device = reader.number(f"{path}/device", high=0xFFFF)
        pci_class = reader.number(f"{path}/class", high=0xFFFFFF)
        if device is not None and pci_class is not None:
            yield PciDevice(PciAddress(name), vendor, device, pci_class, linked_address(reader, f"{path}/physfn"))


def linked_address(reader: Reader, path: str) -> PciAddress | None:
    """Address of the device that a link (`physfn`, `virtfn0`) leads to; None when there is no link."""
    name = reader.link(path)
    if name is not None and not _ADDRESS.fullmatch(name):
        reader.senseless(path)
        return None
    return None if name is None else PciAddress(name)


def pcie_link(reader: Reader, path: str) -> PcieLink | None:
    """Speed and width now and at most; None where the kernel tells none of the four."""
    link = PcieLink(
        speed_gts=_speed(reader, f"{path}/current_link_speed"),
        width=_width(reader, f"{path}/current_link_width"),
        max_speed_gts=_speed(reader, f"{path}/max_link_speed"),
        max_width=_width(reader, f"{path}/max_link_width"),
    )
    return None if link == PcieLink() else link


def _speed(reader: Reader, path: str) -> float | None:
    text = reader.text(path)
    if text is None or text.startswith("Unknown"):
        return None
    match = _SPEED.fullmatch(text)
    if match is None:
        reader.senseless(path)
        return None
    return float(match[1])


def _width(reader: Reader, path: str) -> int | None:
    width = reader.number(path, high=255)
    return None if width in _UNKNOWN_WIDTHS else width


def board(reader: Reader, path: str) -> Board | None:
    """Board identity from the VPD. Slow on hardware: read it once per card."""
    data = reader.data(f"{path}/vpd", vpd.VPD_LIMIT)
    if not data:
        return None
    identity = vpd.parse(data)
    if identity is None:
        reader.senseless(f"{path}/vpd")
    return identity
