"""What a device that gives no answer was like when it last did. Pure.

No answer is no news. To call it none would turn representors into uplinks and take a port's keys away, for as long as a
firmware command hangs or a driver holds a lock. What is listed needs no answer, so that comings and goings are told.
"""

import errno
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, TypeVar

from nicfleet.inventory import Function, Netdev, RdmaDevice, RdmaPort

T = TypeVar("T", Function, Netdev, RdmaDevice)

_OF_FUNCTION: Final = (
    *("subsystem_vendor", "subsystem_device", "numa_node"),
    *("sriov_total_vfs", "sriov_num_vfs", "pcie", "board"),
)
_OF_NETDEV: Final = (
    *("mac", "mtu", "operstate", "speed_mbps", "link_type"),
    *("port_name", "switch_id", "port_id"),
)
_OF_RDMA_DEVICE: Final = ("node_guid", "system_image_guid", "firmware", "board_id")
"""What is asked of the function, and not listed or told by netlink."""


def as_last_seen(read: Sequence[Function], before: Sequence[Function]) -> tuple[Function, ...]:
    """The functions read; those with a read that hung, or was left out for one, filled from the look before."""
    known = {(function.address, function.device): function for function in before}
    return tuple(_function(function, known.get((function.address, function.device))) for function in read)


def _function(read: Function, before: Function | None) -> Function:
    if before is None:
        return read
    read = replace(read, virtual_functions=as_last_seen(read.virtual_functions, before.virtual_functions))
    if not any(problem.errno == errno.ETIMEDOUT for problem in read.unread):
        return read
    netdevs = {netdev.name: netdev for netdev in before.netdevs}
    devices = {device.name: device for device in before.rdma_devices}
    return replace(
        _filled(read, before, _OF_FUNCTION),
        netdevs=tuple(_filled(netdev, netdevs.get(netdev.name), _OF_NETDEV) for netdev in read.netdevs),
        rdma_devices=tuple(_rdma_device(device, devices.get(device.name)) for device in read.rdma_devices),
    )


def _rdma_device(read: RdmaDevice, before: RdmaDevice | None) -> RdmaDevice:
    ports = {port.number: port for port in before.ports} if before else {}
    return replace(
        _filled(read, before, _OF_RDMA_DEVICE),
        ports=tuple(_port(port, ports.get(port.number)) for port in read.ports),
    )


def _port(read: RdmaPort, before: RdmaPort | None) -> RdmaPort:
    """A port's answers come from one firmware, and without its state the others mean nothing."""
    return read if before is None or read.state is not None else before


def _filled(read: T, before: T | None, names: Sequence[str]) -> T:
    """What was not read, as it was before."""
    missing = {name: getattr(before, name) for name in names if before and getattr(read, name) is None}
    return replace(read, **missing)
