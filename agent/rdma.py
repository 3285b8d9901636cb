"""RDMA devices of a PCI function or sub-function (Documentation/ABI/stable/sysfs-class-infiniband)."""

import re
from collections.abc import Mapping
from typing import Final

from agent.reader import Reader
from nicfleet.inventory import RdmaDevice, RdmaPort

CharDevices = Mapping[str, tuple[str, ...]]
"""By RDMA device, its character devices as paths below /dev."""

_CHAR_CLASSES: Final = ("sys/class/infiniband_mad", "sys/class/infiniband_verbs")
_GUID: Final = re.compile(r"([0-9a-f]{4}(?::[0-9a-f]{4}){3})")
_GID: Final = re.compile(r"[0-9a-f]{4}(?::[0-9a-f]{4}){3}:([0-9a-f]{4}(?::[0-9a-f]{4}){3})")
_STATE: Final = re.compile(r"[0-9]+: (.+)")
_RATE: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) Gb/sec.*")

_ACTIVE: Final = "ACTIVE"
_INFINIBAND: Final = "InfiniBand"
_EMPTY_PKEY: Final = 0

PF_PKEYS: Final = 128
VF_PKEYS: Final = 1
"""Each slot read is a firmware command: of hundreds of VFs only the default key is asked, which plugins select on."""


def char_devices(reader: Reader) -> CharDevices:
    """The uverbs, umad and issm devices of the host that exist both in sysfs and below /dev."""
    found: dict[str, list[str]] = {}
    for folder in _CHAR_CLASSES:
        for name in reader.entries(folder):
            owner = reader.text(f"{folder}/{name}/ibdev")
            if owner is not None and reader.exists(f"dev/infiniband/{name}"):
                found.setdefault(owner, []).append(f"infiniband/{name}")
    return {owner: tuple(sorted(paths)) for owner, paths in found.items()}


def rdma_names(reader: Reader, device: str) -> tuple[str, ...]:
    """Names of the RDMA devices whose parent is `device`, sorted."""
    return reader.entries(f"{device}/infiniband")


def rdma_devices(reader: Reader, device: str, most_pkeys: int) -> tuple[RdmaDevice, ...]:
    """The RDMA devices whose parent is `device`, by name, with the P_Keys of their first `most_pkeys` slots.

    Their character devices are left to `char_devices`.
    """
    return tuple(
        _rdma_device(reader, f"{device}/infiniband/{name}", name, most_pkeys) for name in rdma_names(reader, device)
    )


def _rdma_device(reader: Reader, path: str, name: str, most_pkeys: int) -> RdmaDevice:
    numbers = sorted(int(entry) for entry in reader.entries(f"{path}/ports") if re.fullmatch(r"[0-9]{1,3}", entry))
    return RdmaDevice(
        name=name,
        node_guid=reader.matched(f"{path}/node_guid", _GUID),
        system_image_guid=reader.matched(f"{path}/sys_image_guid", _GUID),
        firmware=reader.text(f"{path}/fw_ver"),
        board_id=reader.text(f"{path}/board_id"),
        ports=tuple(_port(reader, f"{path}/ports/{number}", number, most_pkeys) for number in numbers),
    )


def _port(reader: Reader, path: str, number: int, most_pkeys: int) -> RdmaPort:
    state = reader.matched(f"{path}/state", _STATE)
    link_layer = reader.text(f"{path}/link_layer")
    return RdmaPort(
        number=number,
        state=state,
        physical_state=reader.matched(f"{path}/phys_state", _STATE),
        link_layer=link_layer,
        # A port that is down shows a preset rate.
        rate_gbps=_rate(reader, f"{path}/rate") if state == _ACTIVE else None,
        lid=reader.number(f"{path}/lid", high=0xFFFF) if link_layer == _INFINIBAND else None,
        pkeys=_pkeys(reader, f"{path}/pkeys", most_pkeys),
        port_guid=reader.matched(f"{path}/gids/0", _GID),
    )


def _rate(reader: Reader, path: str) -> float | None:
    rate = reader.matched(path, _RATE)
    return None if rate is None else float(rate)


def _pkeys(reader: Reader, path: str, most: int) -> tuple[int, ...]:
    slots = sorted(int(entry) for entry in reader.entries(path) if re.fullmatch(r"[0-9]{1,5}", entry))
    keys = (reader.number(f"{path}/{slot}", high=0xFFFF) for slot in slots[:most])
    return tuple(key for key in keys if key is not None and key != _EMPTY_PKEY)
