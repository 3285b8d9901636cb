"""The story of a node's hardware and driver, one log line for each turn of it. Pure.

Only what the inventory holds is ever told, so the veths of a node's pods are not. VFs are told by their number: a line
for each would bury the rest.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from agent.renames import netdev_renames, rdma_device_renames
from nicfleet.inventory import (
    Driver,
    DriverContainer,
    Function,
    Inventory,
    Netdev,
    Node,
    NodeName,
    OtherDevice,
    RdmaDevice,
    RdmaPort,
)

T = TypeVar("T")

_UP: Final = "up"
_ACTIVE: Final = "ACTIVE"


@dataclass(frozen=True, slots=True)
class Transition:
    """One line: a constant message, and what varies."""

    message: str
    fields: dict[str, object]


def transitions(before: Inventory | None, now: Inventory) -> list[Transition]:
    """What happened between two inventories, or what was found by the first read."""
    if before is None:
        nothing = Inventory(node=Node(name=NodeName(now.node.name)))
        found = transitions(nothing, now)
        return found if _has_devices(now) else [Transition("no device of NVIDIA found", {}), *found]
    return [
        *_devices(before, now),
        *_other_devices(before.node.other_devices, now.node.other_devices),
        *_gpus(before.node, now.node),
        *_modules(before.driver, now.driver),
        *_driver(before.driver, now.driver),
        *_container(before.driver.container, now.driver.container),
        *_unread(before, now),
    ]


def _has_devices(now: Inventory) -> bool:
    return bool(now.functions or now.node.other_devices or now.node.gpus)


def _devices(before: Inventory, now: Inventory) -> Iterator[Transition]:
    gone, come, both = _compared(before.functions, now.functions, lambda function: function.address)
    for function in gone:
        yield Transition("device removed", {"address": function.address, "model": function.model})
    for function in come:
        fields: dict[str, object] = {"address": function.address, "model": function.model}
        if function.supported is False:
            fields["unsupported"] = function.unsupported_reason
        yield Transition("device added", fields)
        yield from _function(_bare(function), function)
    for old, new in both:
        yield from _function(old, new)


def _bare(function: Function) -> Function:
    """The function before anything was known of it."""
    return Function(address=function.address, sriov_num_vfs=0)


def _function(before: Function, now: Function) -> Iterator[Transition]:
    address = now.address
    if before.driver != now.driver:
        if before.driver is not None:
            yield Transition("driver unbound", {"address": address, "driver": before.driver})
        if now.driver is not None:
            yield Transition("driver bound", {"address": address, "driver": now.driver})
    if (before.sriov_num_vfs or 0) != (now.sriov_num_vfs or 0):
        counts = {"before": before.sriov_num_vfs or 0, "now": now.sriov_num_vfs or 0}
        yield Transition("number of VFs changed", {"address": address, **counts})
    yield from _netdevs(address, before.netdevs, now.netdevs)
    yield from _rdma_devices(address, before.rdma_devices, now.rdma_devices)


def _netdevs(address: str, before: Collection[Netdev], now: Collection[Netdev]) -> Iterator[Transition]:
    renamed = netdev_renames(before, now)
    gone, come, both = _compared(before, now, lambda netdev: netdev.name, renamed)
    for old, new in renamed:
        yield Transition("netdev renamed", {"address": address, "netdev": new.name, "before": old.name})
    for netdev in gone:
        yield Transition("netdev removed", {"address": address, "netdev": netdev.name})
    for netdev in come:
        yield Transition("netdev added", {"address": address, "netdev": netdev.name, "mac": netdev.mac})
        both.append((replace(netdev, operstate=None), netdev))
    for old, new in both:
        if (old.operstate == _UP) != (new.operstate == _UP):
            message = "port up" if new.operstate == _UP else "port down"
            fields = {"operstate": new.operstate, "speed_mbps": new.speed_mbps}
            yield Transition(message, {"address": address, "netdev": new.name, **fields})


def _rdma_devices(address: str, before: Collection[RdmaDevice], now: Collection[RdmaDevice]) -> Iterator[Transition]:
    renamed = rdma_device_renames(before, now)
    gone, come, both = _compared(before, now, lambda device: device.name, renamed)
    for old, new in renamed:
        yield Transition("RDMA device renamed", {"address": address, "device": new.name, "before": old.name})
    for device in gone:
        yield Transition("RDMA device removed", {"address": address, "device": device.name})
    for device in come:
        yield Transition("RDMA device added", {"address": address, "device": device.name, "firmware": device.firmware})
        both.append((replace(device, ports=()), device))
    for old, new in both:
        yield from _rdma_device(address, old, new)


def _rdma_device(address: str, before: RdmaDevice, now: RdmaDevice) -> Iterator[Transition]:
    where = {"address": address, "device": now.name}
    if before.firmware != now.firmware:
        yield Transition("firmware version changed", {**where, "before": before.firmware, "now": now.firmware})
    if before.char_devices != now.char_devices:
        yield Transition("character devices changed", {**where, "now": list(now.char_devices)})
    known = {port.number: port for port in before.ports}
    for port in now.ports:
        old = known.get(port.number, RdmaPort(port.number))
        if (old.state == _ACTIVE) != (port.state == _ACTIVE):
            message = "RDMA port up" if port.state == _ACTIVE else "RDMA port down"
            fields = {"port": port.number, "state": port.state, "physical_state": port.physical_state}
            yield Transition(message, {**where, **fields})


def _other_devices(before: Iterable[OtherDevice], now: Iterable[OtherDevice]) -> Iterator[Transition]:
    gone, come, both = _compared(before, now, lambda device: device.address)
    for device in gone:
        yield Transition("device removed", {"address": device.address, "model": device.model})
    for device in come:
        yield Transition("device added", {"address": device.address, "model": device.model})
    recovering = [device for device in come if device.recovery]
    recovering += [new for old, new in both if new.recovery and not old.recovery]
    for device in recovering:
        yield Transition("device in recovery mode", {"address": device.address, "model": device.model})


def _gpus(before: Node, now: Node) -> Iterator[Transition]:
    gone, come, _ = _compared(before.gpus, now.gpus, lambda gpu: gpu.address)
    for gpu in gone:
        yield Transition("GPU removed", {"address": gpu.address})
    for gpu in come:
        yield Transition("GPU added", {"address": gpu.address})


def _modules(before: Driver, now: Driver) -> Iterator[Transition]:
    gone, come, both = _compared(before.modules, now.modules, lambda module: module.name)
    for module in gone:
        yield Transition("module unloaded", {"kernel_module": module.name})
    for module in come:
        fields: dict[str, object] = {"kernel_module": module.name, "version": module.version}
        yield Transition("module loaded", {**fields, "out_of_tree": module.out_of_tree})
    for old, new in both:
        if (old.srcversion, old.version) != (new.srcversion, new.version):
            fields = {"kernel_module": new.name, "before": old.version, "now": new.version}
            yield Transition("module replaced", {**fields, "out_of_tree": new.out_of_tree})


def _driver(before: Driver, now: Driver) -> Iterator[Transition]:
    if (before.flavour, before.version) != (now.flavour, now.version):
        old = {"before": before.version, "flavour_before": before.flavour.name.lower()}
        new = {"now": now.version, "flavour": now.flavour.name.lower()}
        yield Transition("driver version changed", {**old, **new})
    if now.peermem_stale and not before.peermem_stale:
        yield Transition("nvidia_peermem is stale", {})


def _container(before: DriverContainer, now: DriverContainer) -> Iterator[Transition]:
    if before.running != now.running:
        yield Transition("driver container started" if now.running else "driver container stopped", {})
    if before.reloading != now.reloading:
        yield Transition("driver reload began" if now.reloading else "driver reload ended", {})
    if before.ready != now.ready:
        yield Transition("driver container ready" if now.ready else "driver container not ready", {})


def _unread(before: Inventory, now: Inventory) -> Iterator[Transition]:
    old, new = set(before.all_unread()), set(now.all_unread())
    for problem in sorted(new - old):
        yield Transition("attribute not readable", {"path": problem.path, "errno": problem.errno})
    still = {problem.path for problem in new}
    for problem in sorted(old - new):
        if problem.path not in still:
            yield Transition("attribute readable again", {"path": problem.path})


def _compared(
    before: Iterable[T], now: Iterable[T], key: Callable[[T], str], renamed: Sequence[tuple[T, T]] = ()
) -> tuple[list[T], list[T], list[tuple[T, T]]]:
    """What is gone, what has come, and what was and is there, as pairs; `renamed` are such pairs with two keys."""
    old = {key(item): item for item in before}
    new = {key(item): item for item in now}
    same = [(old[name], item) for name, item in new.items() if name in old]
    not_gone = {key(one) for one, _ in renamed}
    not_come = {key(other) for _, other in renamed}
    return (
        [item for name, item in old.items() if name not in new and name not in not_gone],
        [item for name, item in new.items() if name not in old and name not in not_come],
        [*same, *renamed],
    )
