"""Network functions put together: a PF with its VFs, netdevs and RDMA devices; one section of the inventory each."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from agent import pci
from agent.links import Links
from agent.netdevs import netdevs
from agent.pci import PciDevice
from agent.rdma import PF_PKEYS, VF_PKEYS, CharDevices, char_devices, rdma_devices, rdma_names
from agent.reader import Reader
from nicfleet.inventory import Board, Function, FunctionKind, PciAddress, RdmaDevice
from nicfleet.models import Model, network_model

_SUBFUNCTION: Final = re.compile(r"mlx5_core\.sf\.[0-9]+")
_AUXILIARY: Final = re.compile(r"mlx5_core\.([a-z0-9_-]+)\.[0-9]+")
_RDMA_KINDS: Final = frozenset({"rdma", "rdma-rep"})
"""What mlx5_ib makes a function's own RDMA device of: the second stands for the first in switchdev mode."""
_VIRTFN: Final = re.compile(r"virtfn([0-9]{1,5})")
_NO_NUMA_NODE: Final = -1


@dataclass(frozen=True, slots=True)
class Shared:
    """What all functions share: the links, and boards known from an earlier look."""

    links: Links
    boards: "Boards"


Boards = Mapping[tuple[PciAddress, int | None], Board]
"""By address and device id."""


def known_boards(seen: Sequence[Function]) -> Boards:
    """The boards of functions seen before."""
    return {(function.address, function.device): function.board for function in seen if function.board is not None}


def functions(reader: Reader, devices: Sequence[PciDevice], shared: Shared) -> tuple[Function, ...]:
    """The network functions among the devices: PFs with their VFs in them, and VFs whose PF is not visible."""
    nics = [device for device in devices if device.is_network_function]
    vfs: dict[PciAddress, list[PciDevice]] = {device.address: [] for device in nics if device.physfn is None}
    tops: list[PciDevice] = []
    for device in nics:
        siblings = vfs.get(device.physfn) if device.physfn is not None else None
        (tops if siblings is None else siblings).append(device)
    return tuple(_top(reader, device, vfs.get(device.address, ()), shared) for device in tops)


def _top(reader: Reader, device: PciDevice, vfs: Sequence[PciDevice], shared: Shared) -> Function:
    section = reader.section()
    path, entries = device.path, section.entries(device.path)
    model = network_model(device.device)
    function = _function(section, device, model, _parents(path, entries), shared)
    function = replace(function, rdma_auxiliary=_rdma_auxiliary(entries))
    if device.kind is FunctionKind.PF:
        function = replace(
            function,
            sriov_total_vfs=section.number(f"{path}/sriov_totalvfs"),
            sriov_num_vfs=section.number(f"{path}/sriov_numvfs"),
            pcie=pci.pcie_link(section, path),
            board=shared.boards.get((device.address, device.device)) or pci.board(section, path),
        )
    indexes = _vf_indexes(section, path, entries)
    members = tuple(_vf(reader, vf, indexes.get(vf.address), model, shared) for vf in vfs)
    return replace(function, virtual_functions=members, unread=section.unread)


def _vf(reader: Reader, device: PciDevice, index: int | None, model: Model | None, shared: Shared) -> Function:
    """A VF below its PF. The model is the PF's: many generations share one device id for their VFs.

    The PCIe link is the PF's too, a VF shows none.
    """
    section = reader.section()
    function = _function(section, device, model, [device.path], shared)
    return replace(function, vf_index=index, unread=section.unread)


def _function(
    section: Reader, device: PciDevice, model: Model | None, parents: Sequence[str], shared: Shared
) -> Function:
    """What a PF and a VF have alike. `parents` are the devices that may carry netdevs and RDMA devices."""
    path = device.path
    numa_node = section.number(f"{path}/numa_node", low=_NO_NUMA_NODE, high=2**31 - 1)
    most_pkeys = PF_PKEYS if device.kind is FunctionKind.PF else VF_PKEYS
    return Function(
        address=device.address,
        kind=device.kind,
        vendor=device.vendor,
        device=device.device,
        subsystem_vendor=section.number(f"{path}/subsystem_vendor", high=0xFFFF),
        subsystem_device=section.number(f"{path}/subsystem_device", high=0xFFFF),
        pci_class=device.pci_class,
        pf=device.physfn,
        numa_node=None if numa_node == _NO_NUMA_NODE else numa_node,
        driver=section.link(f"{path}/driver"),
        model=model.name if model else None,
        generation=model.generation if model else None,
        supported=model.supported if model else None,
        unsupported_reason=model.unsupported_reason if model else None,
        netdevs=tuple(netdev for parent in parents for netdev in netdevs(section, parent, shared.links)),
        rdma_devices=tuple(rdma for parent in parents for rdma in rdma_devices(section, parent, most_pkeys)),
    )


def with_char_devices(reader: Reader, found: Sequence[Function]) -> tuple[Function, ...]:
    """The functions with the character devices of their RDMA devices.

    The kernel makes these after the RDMA device and removes them before it. So they are read after all functions: of a
    device that has just come they are there by then, and one that has gone since is left out.
    """
    return _with_chars(reader, found, char_devices(reader))


def _with_chars(reader: Reader, found: Sequence[Function], chars: CharDevices) -> tuple[Function, ...]:
    return tuple(
        replace(
            function,
            rdma_devices=_with_own_chars(reader, function, chars),
            virtual_functions=_with_chars(reader, function.virtual_functions, chars),
        )
        for function in found
    )


def _with_own_chars(reader: Reader, function: Function, chars: CharDevices) -> tuple[RdmaDevice, ...]:
    if not function.rdma_devices:
        return ()
    path = f"{pci.DEVICES}/{function.address}"
    present = {name for parent in _parents(path, reader.entries(path)) for name in rdma_names(reader, parent)}
    return tuple(
        replace(device, char_devices=chars.get(device.name, ()))
        for device in function.rdma_devices
        if device.name in present
    )


def _parents(path: str, entries: Sequence[str]) -> list[str]:
    """The devices that may carry netdevs and RDMA devices: the function, and sub-functions among its entries."""
    return [path, *(f"{path}/{entry}" for entry in entries if _SUBFUNCTION.fullmatch(entry))]


def _vf_indexes(section: Reader, path: str, entries: Sequence[str]) -> dict[PciAddress, int]:
    """Index of each VF below the PF at `path`, from its virtfn<N> links."""
    matches = [match for entry in entries if (match := _VIRTFN.fullmatch(entry))]
    addresses = ((pci.linked_address(section, f"{path}/{match[0]}"), match[1]) for match in matches)
    return {address: int(index) for address, index in addresses if address is not None}


def _rdma_auxiliary(entries: Sequence[str]) -> bool | None:
    """Whether a function is to have an RDMA device of its own, by the auxiliary devices below it.

    Sub-functions are functions of their own and tell nothing about this one. Without any other, the kernel knows no
    auxiliary bus or the function has not started.
    """
    kinds = {match[1] for entry in entries if (match := _AUXILIARY.fullmatch(entry))} - {"sf"}
    return bool(kinds & _RDMA_KINDS) if kinds else None
