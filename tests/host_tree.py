"""Builds host trees as the kernel lays them out: real directories below sys/devices, relative links everywhere else.

Tests build the hosts they need, the demo's hosts are built from it (`tests.hosts`), and whoever plays a part on a host
(hot-plug, the driver container, see `tests.host_driver`) changes a tree with the same functions. All state is in the
tree, so any process may change it. Whole directories appear by one rename, as sysfs shows a new device.
"""

import hashlib
import os
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PCI: Final = "sys/bus/pci/devices"
NO_VFS: Final = 0

_AUXILIARY: Final = "sys/bus/auxiliary/devices"

_SHARED_VF: Final = 0x101E
_VF_IDS: Final = {0x1013: 0x1014, 0x1015: 0x1016, 0x1017: 0x1018, 0x1019: 0x101A, 0x101B: 0x101C, 0xA2D2: 0xA2D3}
_ETHERNET: Final = 0x020000
_INFINIBAND: Final = 0x020700
_BRIDGE: Final = 0x060400
_VF_OFFSET: Final = 2
_VF_STRIDE: Final = 2
"""First VF and stride of a card with two ports, whose VFs alternate (sriov_offset, sriov_stride)."""

Attributes = Mapping[str, str | bytes]


class HostTree:
    """The tree below one root. Paths are relative to it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    # Files, as the kernel and user space leave them.

    def write(self, path: str, content: str | bytes) -> None:
        """A file; text gets the newline that attributes end with."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else f"{content}\n".encode())

    def link(self, path: str, target: str) -> None:
        """A relative symbolic link from one place of the tree to another."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(os.path.relpath(self.root / target, place.parent))

    def directory(self, path: str, attributes: Attributes) -> None:
        """A directory with all its attributes at once. Keys may hold slashes."""
        staging = HostTree(self.root / ".staging")
        staging.root.mkdir(exist_ok=True)
        for name, content in attributes.items():
            staging.write(name, content)
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        staging.root.rename(place)

    def remove(self, path: str) -> None:
        """A file, a link or a whole directory; nothing when there is none."""
        place = self.root / path
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)

    def names(self, path: str) -> list[str]:
        """What a directory lists, sorted; empty without it."""
        place = self.root / path
        return sorted(entry.name for entry in place.iterdir()) if place.is_dir() else []

    def text(self, path: str) -> str:
        return (self.root / path).read_text().strip()

    def real(self, path: str) -> str:
        """The path without links."""
        return str((self.root / path).resolve().relative_to(self.root.resolve()))

    # The machine.

    def add_system(
        self,
        *,
        os_id: str = "ubuntu",
        os_version: str = "22.04",
        kernel: str = "6.8.0-60-generic",
        boot_id: str = "3f1c2a9e-7d64-4b07-9a53-0c4ae51d8b11",
        disk: str = "sda",
    ) -> None:
        """What every host has: identity, a root file system on `disk`, the kubelet's folders, an empty PCI bus."""
        self.write("usr/lib/os-release", f'NAME="Test"\nID={os_id}\nVERSION_ID="{os_version}"')
        self.link("etc/os-release", "usr/lib/os-release")
        self.write("proc/sys/kernel/osrelease", kernel)
        self.write("proc/sys/kernel/arch", "x86_64")
        self.write("proc/sys/kernel/random/boot_id", boot_id)
        self.write("proc/1/mountinfo", f"25 1 8:2 / / rw,relatime shared:1 - ext4 /dev/{disk}2 rw")
        self.write("proc/locks", "1: POSIX  ADVISORY  WRITE 811 00:19:620 0 EOF")
        self.directory(f"sys/devices/pci0000:00/0000:00:17.0/block/{disk}/{disk}2", {"partition": "2"})
        self.link("sys/dev/block/8:2", f"sys/devices/pci0000:00/0000:00:17.0/block/{disk}/{disk}2")
        for folder in (PCI, "sys/class/net", "sys/module", "var/lib/kubelet/device-plugins"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        (self.root / "var/lib/kubelet/plugins_registry").mkdir()
        self.write("var/lib/kubelet/device-plugins/kubelet.sock", "")  # in place of the socket: its name counts

    # PCI.

    def add_device(
        self, address: str, vendor: int, device: int, pci_class: int, attributes: Attributes | None = None
    ) -> str:
        """A PCI device behind a bridge of its own bus; returns its real path."""
        bridge = f"sys/devices/pci{address[:4]}:00/{_bridge_of(address)}"
        if not (self.root / bridge).exists():
            self.directory(bridge, _ids(0x8086, 0x347A, _BRIDGE))
            self.link(f"{PCI}/{_bridge_of(address)}", bridge)
        path = f"{bridge}/{address}"
        self.directory(path, {**_ids(vendor, device, pci_class), "numa_node": "0", **(attributes or {})})
        self.link(f"{PCI}/{address}", path)
        return path

    def add_pf(
        self,
        address: str,
        device: int,
        *,
        netdev: str | None = None,
        infiniband: bool = False,
        total_vfs: int = NO_VFS,
        vfs: int = NO_VFS,
        board: bytes | None = None,
        attributes: Attributes | None = None,
    ) -> None:
        """A network PF with mlx5_core bound, its netdev, and VFs named after it (`ens2f0v0`)."""
        sriov = {"sriov_totalvfs": str(total_vfs), "sriov_numvfs": str(vfs)} if total_vfs else {}
        link = {"current_link_speed": "16.0 GT/s PCIe", "current_link_width": "16"}
        limit = {"max_link_speed": "16.0 GT/s PCIe", "max_link_width": "16"}
        vpd = {} if board is None else {"vpd": board}
        pci_class = _INFINIBAND if infiniband else _ETHERNET
        own = {**sriov, **link, **limit, **vpd, **(attributes or {})}
        path = self.add_device(address, 0x15B3, device, pci_class, own)
        self._bind(path)
        if netdev is not None:
            self.add_netdev(path, netdev, infiniband=infiniband)
        for index in range(vfs):
            self._add_vf(address, index, f"{netdev}v{index}" if netdev else None)

    def _add_vf(self, pf: str, index: int, netdev: str | None) -> None:
        place = f"{PCI}/{pf}"
        device, pci_class = int(self.text(f"{place}/device"), 16), int(self.text(f"{place}/class"), 16)
        address = vf_address(pf, index)
        links = {"current_link_speed": "Unknown", "current_link_width": "0"}
        path = self.add_device(address, 0x15B3, _VF_IDS.get(device, _SHARED_VF), pci_class, links)
        self.link(f"{path}/physfn", self.real(place))
        self.link(f"{self.real(place)}/virtfn{index}", path)
        self._bind(path)
        if netdev is not None:
            self.add_netdev(path, netdev, infiniband=pci_class == _INFINIBAND)

    def _bind(self, path: str) -> None:
        (self.root / "sys/bus/pci/drivers/mlx5_core").mkdir(parents=True, exist_ok=True)
        self.link(f"{path}/driver", "sys/bus/pci/drivers/mlx5_core")

    def add_auxiliary_devices(self, address: str, *kinds: str) -> None:
        """What mlx5_core has made below a function, e.g. "eth" and "rdma": sys/bus/auxiliary links to it."""
        path = self.real(f"{PCI}/{address}")
        number = self.network_functions().index(path)
        for kind in kinds:
            name = f"mlx5_core.{kind}.{number}"
            self.directory(f"{path}/{name}", {"uevent": f"MODALIAS=auxiliary:mlx5_core.{kind}"})
            self.link(f"{_AUXILIARY}/{name}", f"{path}/{name}")

    def may_have_rdma(self, path: str) -> bool:
        """Whether mlx5_ib finds a device to drive below a function; yes where no auxiliary devices are laid out."""
        kinds = [name.split(".")[1] for name in self.names(path) if name.startswith("mlx5_core.")]
        return not kinds or not {"rdma", "rdma-rep"}.isdisjoint(kinds)

    def add_gpu(self, address: str) -> None:
        self.add_device(address, 0x10DE, 0x2330, 0x030200)

    def remove_function(self, address: str) -> None:
        """Unplug a function: its VFs, then its RDMA devices and netdevs, then itself."""
        path = self.real(f"{PCI}/{address}")
        for entry in self.names(path):
            if entry.startswith("virtfn"):
                self.remove_function((self.root / path / entry).readlink().name)
        for name in self.names(f"{path}/infiniband"):
            self.remove_rdma_device(name)
        for name in self.names(f"{path}/net"):
            self.remove(f"sys/class/net/{name}")
        for name in self.names(path):
            if name.startswith("mlx5_core."):
                self.remove(f"{_AUXILIARY}/{name}")
        self.remove(f"{PCI}/{address}")
        self.remove(path)

    def network_functions(self) -> list[str]:
        """Real paths of the functions of vendor 15b3 and a network class, by address."""
        paths = [self.real(f"{PCI}/{address}") for address in self.names(PCI)]
        return [
            path
            for path in paths
            if self.text(f"{path}/vendor") == "0x15b3" and self.text(f"{path}/class").startswith("0x02")
        ]

    # Netdevs and RDMA devices.

    def add_netdev(
        self, parent: str, name: str, *, infiniband: bool = False, attributes: Attributes | None = None
    ) -> None:
        """A netdev that is up, below a PCI or auxiliary device."""
        mac = mac_of(f"{parent}/{name}")
        guid = bytes.fromhex(guid_of(mac).replace(":", "")).hex(":")
        address = f"00:00:10:29:fe:80:00:00:00:00:00:00:{guid}" if infiniband else mac
        common = {
            "ifindex": str(1000 + len(self.names("sys/class/net"))),
            "address": address,
            "operstate": "up",
            "mtu": "2044" if infiniband else "1500",
            "type": "32" if infiniband else "1",
            "speed": "100000",
        }
        path = f"{parent}/net/{name}"
        self.directory(path, {**common, **(attributes or {})})
        self.link(f"{path}/device", parent)
        self.link(f"sys/class/net/{name}", path)

    def add_rdma_device(
        self, parent: str, name: str, *, infiniband: bool = False, attributes: Attributes | None = None
    ) -> None:
        """An RDMA device with one active port and its character devices, below a PCI or auxiliary device."""
        guid = guid_of(mac_of(parent))
        port = {
            "state": "4: ACTIVE",
            "phys_state": "5: LinkUp",
            "rate": "100 Gb/sec (4X EDR)",
            "link_layer": "InfiniBand" if infiniband else "Ethernet",
            "lid": "0x1a" if infiniband else "0x0",
            "pkeys/0": "0xffff",
            "pkeys/1": "0x0000",
            "gids/0": f"fe80:0000:0000:0000:{guid}",
        }
        device = {
            "node_guid": guid,
            "sys_image_guid": guid,
            "fw_ver": "16.35.4030",
            "board_id": "MT_0000000008",
            **{f"ports/1/{attribute}": value for attribute, value in port.items()},
            **(attributes or {}),
        }
        path = f"{parent}/infiniband/{name}"
        self._add_char_device("infiniband_verbs", "uverbs", parent, name)
        self._add_char_device("infiniband_mad", "umad", parent, name)
        self._add_char_device("infiniband_mad", "issm", parent, name)
        self.directory(path, device)
        self.link(f"{path}/device", parent)
        self.link(f"sys/class/infiniband/{name}", path)

    def _add_char_device(self, folder: str, kind: str, parent: str, owner: str) -> None:
        taken = self.names(f"sys/class/{folder}")
        name = next(name for number in range(len(taken) + 1) if (name := f"{kind}{number}") not in taken)
        self.write(f"dev/infiniband/{name}", b"")
        self.directory(f"{parent}/{folder}/{name}", {"ibdev": owner, "dev": "231:192"})
        self.link(f"sys/class/{folder}/{name}", f"{parent}/{folder}/{name}")

    def remove_rdma_device(self, name: str) -> None:
        for folder in ("infiniband_verbs", "infiniband_mad"):
            for char in self.names(f"sys/class/{folder}"):
                if self.text(f"sys/class/{folder}/{char}/ibdev") == name:
                    real = self.real(f"sys/class/{folder}/{char}")
                    self.remove(f"dev/infiniband/{char}")
                    self.remove(f"sys/class/{folder}/{char}")
                    self.remove(real)
        real = self.real(f"sys/class/infiniband/{name}")
        self.remove(f"sys/class/infiniband/{name}")
        self.remove(real)


def vf_address(pf: str, index: int) -> str:
    """Address of a VF: routing ids run on into the device and bus parts (ARI)."""
    domain, bus, rest = pf.split(":")
    device, function = rest.split(".")
    number = (int(bus, 16) << 8) + (int(device, 16) << 3) + int(function)
    number += _VF_OFFSET + index * _VF_STRIDE
    return f"{domain}:{number >> 8:02x}:{number >> 3 & 0x1F:02x}.{number & 7}"


def mac_of(seed: str) -> str:
    """A MAC address of its own for each seed."""
    return "b8:ce:f6:" + hashlib.blake2b(seed.encode(), digest_size=3).digest().hex(":")


def guid_of(mac: str) -> str:
    """The EUI-64 of a MAC address, in four groups as sysfs prints GUIDs."""
    digits = mac.replace(":", "")
    return f"{digits[:4]}:{digits[4:6]}03:00{digits[6:8]}:{digits[8:]}"


def vpd(description: str, part_number: str, serial: str) -> bytes:
    """Vital Product Data of a board."""
    fields = b"".join(
        keyword + bytes([len(value)]) + value.encode()
        for keyword, value in ((b"PN", part_number), (b"EC", "A1"), (b"SN", serial), (b"V0", "PCIeGen4 x16"))
    )
    return (
        struct.pack("<BH", 0x82, len(description))
        + description.encode()
        + struct.pack("<BH", 0x90, len(fields))
        + fields
        + b"\x78"
    )


def _ids(vendor: int, device: int, pci_class: int) -> dict[str, str]:
    return {
        "vendor": f"0x{vendor:04x}",
        "device": f"0x{device:04x}",
        "subsystem_vendor": f"0x{vendor:04x}",
        "subsystem_device": "0x0008",
        "class": f"0x{pci_class:06x}",
    }


def _bridge_of(address: str) -> str:
    domain, bus, _ = address.split(":")
    return f"{domain}:{int(bus, 16) - 1:02x}:00.0"
