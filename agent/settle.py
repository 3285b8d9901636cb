"""What a read is believed to say: additions at once, removals only when they are sure. Pure.

A thing that is missing in one read may be on its way back: a listing raced with the kernel, or the driver is being
reloaded. So what is gone is kept as it was until it has been missing for `CONFIRM_SECONDS` in every read. While a
driver reload shows, hardware is kept for as long as that lasts; about the driver itself the truth is told at once.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, TypeVar

from agent.renames import netdev_renames, rdma_device_renames
from nicfleet.inventory import Driver, Function, Inventory

T = TypeVar("T")

CONFIRM_SECONDS: Final = 0.2

_FUNCTION: Final = "function"
_VF_COUNT: Final = "vf-count"
_NETDEV: Final = "netdev"
_RDMA_DEVICE: Final = "rdma-device"
_GPU: Final = "gpu"
_OTHER_DEVICE: Final = "other-device"
_LINK: Final = "link"
_MODULE: Final = "module"


_LISTINGS: Final = ("sys/bus", "sys/bus/pci/devices")
_PCI_DEVICE: Final = (*_LISTINGS, "/{function}/vendor", "/{function}/device", "/{function}/class")
_PLACES: Final = {
    _FUNCTION: _PCI_DEVICE,
    _VF_COUNT: ("/{function}/sriov_numvfs",),
    _NETDEV: ("/{function}/net",),
    _RDMA_DEVICE: ("/{function}/infiniband",),
    _GPU: _PCI_DEVICE,
    _OTHER_DEVICE: _PCI_DEVICE,
    _LINK: (*_LISTINGS, "sys/class/net"),
    _MODULE: ("sys/module",),
}
"""Per kind, how the paths end in which such a thing is found."""


class Thing(NamedTuple):
    """Something that can be removed. `owner` is the PCI address of a netdev's or RDMA device's function."""

    kind: str
    name: str
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """`inventory` is what to believe; `missed` is what it holds although this read missed it, and since when.

    `unconfirmed`: only time is wanting for some of it, so look again soon.
    """

    inventory: Inventory
    missed: Mapping[Thing, float]
    unconfirmed: bool


def settle(believed: Inventory, read: Inventory, missed: Mapping[Thing, float], now: float) -> Settled:
    """Decide what to believe after a read.

    `missed` is that of the decision before; `now` and its times are monotonic seconds.
    """
    reloading = is_reloading(read.driver)
    absent = _things(believed) - _things(read) - _renamed(believed, read)
    gone = absent | _fewer_vfs(believed, read)
    since = {thing: missed.get(thing, now) for thing in gone}
    kept = {
        thing: first
        for thing, first in since.items()
        if now - first < CONFIRM_SECONDS or (reloading and thing.kind != _MODULE) or _was_unreadable(thing, read)
    }
    unconfirmed = any(now - first < CONFIRM_SECONDS for first in kept.values())
    return Settled(_with(believed, read, kept.keys()), kept, unconfirmed)


def is_complete(read: Inventory) -> bool:
    """Whether devices could be looked for at all. A read that is not says nothing to one who knows nothing."""
    return not any(problem.path in _LISTINGS for problem in read.all_unread())


def is_reloading(driver: Driver) -> bool:
    """Whether the driver is being loaded or unloaded now, so that its devices are expected to vanish and return."""
    container = driver.container
    starting = container.running and not container.ready
    return container.reloading or starting or any(module.state in ("Loading", "Unloading") for module in driver.modules)


def _things(inventory: Inventory) -> set[Thing]:
    things = {Thing(_GPU, gpu.address) for gpu in inventory.node.gpus}
    things |= {Thing(_OTHER_DEVICE, device.address) for device in inventory.node.other_devices}
    things |= {Thing(_LINK, link.name) for link in inventory.node.links}
    things |= {Thing(_MODULE, module.name) for module in inventory.driver.modules}
    for function in inventory.all_functions():
        things.add(Thing(_FUNCTION, function.address))
        things |= {Thing(_NETDEV, netdev.name, function.address) for netdev in function.netdevs}
        things |= {Thing(_RDMA_DEVICE, device.name, function.address) for device in function.rdma_devices}
    return things


def _by_address(inventory: Inventory) -> dict[str, Function]:
    return {function.address: function for function in inventory.all_functions()}


def _renamed(believed: Inventory, read: Inventory) -> set[Thing]:
    """Names that are gone because the same netdev or RDMA device has another name now."""
    names: set[Thing] = set()
    now = _by_address(read)
    for function in believed.all_functions():
        if (same := now.get(function.address)) is None:
            continue
        netdevs = netdev_renames(function.netdevs, same.netdevs)
        devices = rdma_device_renames(function.rdma_devices, same.rdma_devices)
        names |= {Thing(_NETDEV, old.name, function.address) for old, _ in netdevs}
        names |= {Thing(_RDMA_DEVICE, old.name, function.address) for old, _ in devices}
    return names


def _fewer_vfs(believed: Inventory, read: Inventory) -> set[Thing]:
    now = _by_address(read)
    return {
        Thing(_VF_COUNT, function.address)
        for function in believed.all_functions()
        if function.address in now and (function.sriov_num_vfs or 0) > (now[function.address].sriov_num_vfs or 0)
    }


def _was_unreadable(thing: Thing, read: Inventory) -> bool:
    """Whether a place where the thing would have been found could not be read: its absence then means nothing."""
    places = _PLACES[thing.kind]
    function = thing.owner or thing.name
    suffixes = tuple(place.format(function=function) for place in places)
    return any(problem.path.endswith(suffixes) for problem in read.all_unread())


def _with(believed: Inventory, read: Inventory, kept: Collection[Thing]) -> Inventory:
    """The read, with what is kept of what was believed."""
    if not kept:
        return read
    node = replace(
        read.node,
        gpus=_joined(believed.node.gpus, read.node.gpus, lambda gpu: Thing(_GPU, gpu.address), kept),
        other_devices=_joined(
            believed.node.other_devices,
            read.node.other_devices,
            lambda device: Thing(_OTHER_DEVICE, device.address),
            kept,
        ),
        links=_joined(believed.node.links, read.node.links, lambda link: Thing(_LINK, link.name), kept),
    )
    return replace(
        read,
        node=node,
        driver=_driver_with(believed.driver, read.driver, kept),
        functions=_functions_with(believed.functions, read.functions, kept),
    )


def _driver_with(believed: Driver, read: Driver, kept: Collection[Thing]) -> Driver:
    modules = _joined(believed.modules, read.modules, lambda module: Thing(_MODULE, module.name), kept)
    if modules == read.modules:
        return read
    # Flavour and version were concluded from the modules.
    return replace(read, modules=modules, flavour=believed.flavour, version=believed.version)


def _functions_with(
    believed: tuple[Function, ...], read: tuple[Function, ...], kept: Collection[Thing]
) -> tuple[Function, ...]:
    before = {function.address: function for function in believed}
    merged = [
        _function_with(before[function.address], function, kept) if function.address in before else function
        for function in read
    ]
    return _joined(believed, merged, lambda function: Thing(_FUNCTION, function.address), kept)


def _function_with(believed: Function, read: Function, kept: Collection[Thing]) -> Function:
    address = read.address
    return replace(
        read,
        sriov_num_vfs=believed.sriov_num_vfs if Thing(_VF_COUNT, address) in kept else read.sriov_num_vfs,
        netdevs=_joined(believed.netdevs, read.netdevs, lambda netdev: Thing(_NETDEV, netdev.name, address), kept),
        rdma_devices=_joined(
            believed.rdma_devices, read.rdma_devices, lambda device: Thing(_RDMA_DEVICE, device.name, address), kept
        ),
        virtual_functions=_functions_with(believed.virtual_functions, read.virtual_functions, kept),
    )


def _joined(
    believed: Iterable[T], read: Iterable[T], thing: Callable[[T], Thing], kept: Collection[Thing]
) -> tuple[T, ...]:
    """What was read and what is kept, in the order of their names."""
    present = {thing(item): item for item in read}
    absent = {thing(item): item for item in believed if thing(item) in kept and thing(item) not in present}
    if not absent:
        return tuple(present.values())
    return tuple(item for _, item in sorted((present | absent).items()))
