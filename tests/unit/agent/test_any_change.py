"""Whatever two looks find, deciding what to believe and telling what changed raises nothing."""

from collections.abc import Callable
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.settle import CONFIRM_SECONDS, settle
from agent.transitions import transitions
from nicfleet.inventory import (
    Driver,
    DriverContainer,
    Flavour,
    Function,
    Gpu,
    Inventory,
    Link,
    Module,
    Netdev,
    Node,
    NodeName,
    OtherDevice,
    PciAddress,
    RdmaDevice,
    RdmaPort,
    Unread,
)

T = TypeVar("T")

ADDRESSES = st.sampled_from([PciAddress(f"0000:03:00.{number}") for number in range(3)])
NAMES = st.sampled_from(["a", "b", "c", "d"])
FOUND = st.none() | st.sampled_from(["1", "2"])
GUIDS = st.none() | st.sampled_from(["0000:0000:0000:0000", "0000:0000:0000:0001"])


def some(items: st.SearchStrategy[T], key: Callable[[T], object]) -> st.SearchStrategy[tuple[T, ...]]:
    """A few items, each name once, as a directory lists them."""
    return st.lists(items, max_size=3, unique_by=key).map(tuple)


PORTS = some(st.builds(RdmaPort, st.integers(1, 2), state=FOUND), lambda port: port.number)
NETDEVS = some(st.builds(Netdev, NAMES, mac=GUIDS, port_name=FOUND, operstate=FOUND), lambda netdev: netdev.name)
RDMA_DEVICES = some(st.builds(RdmaDevice, NAMES, node_guid=GUIDS, ports=PORTS), lambda device: device.name)
UNREAD = some(
    st.builds(Unread, st.sampled_from(["sys/bus", "sys/module", "sys/x"]), st.just(5)), lambda item: item.path
)


def functions(vfs: st.SearchStrategy[tuple[Function, ...]]) -> st.SearchStrategy[tuple[Function, ...]]:
    function = st.builds(
        Function,
        ADDRESSES,
        driver=FOUND,
        sriov_num_vfs=st.none() | st.integers(0, 2),
        netdevs=NETDEVS,
        rdma_devices=RDMA_DEVICES,
        virtual_functions=vfs,
        unread=UNREAD,
    )
    return some(function, lambda item: item.address)


MODULES = some(
    st.builds(Module, NAMES, st.sampled_from(["Live", "Unloading", ""]), version=FOUND), lambda module: module.name
)
NODES = st.builds(
    Node,
    st.just(NodeName("n")),
    gpus=some(st.builds(Gpu, ADDRESSES, st.just(1)), lambda gpu: gpu.address),
    other_devices=some(
        st.builds(OtherDevice, ADDRESSES, st.just(1), st.just(0), st.just("x"), st.booleans()),
        lambda item: item.address,
    ),
    links=some(st.builds(Link, NAMES), lambda link: link.name),
    unread=UNREAD,
)
CONTAINERS = st.builds(DriverContainer, ready=st.booleans(), running=st.booleans(), reloading=st.booleans())
DRIVERS = st.builds(Driver, st.sampled_from(Flavour), version=FOUND, modules=MODULES, container=CONTAINERS)
INVENTORIES = st.builds(Inventory, NODES, driver=DRIVERS, functions=functions(functions(st.just(()))))


ADDRESS = PciAddress("0000:03:00.0")
ALIKE = st.sampled_from(["0000:0000:0000:0000", "0000:0000:0000:0001"])
"""Few enough that things share one: identities are then told apart by nothing."""
ONE_FUNCTION = st.builds(
    Function,
    st.just(ADDRESS),
    netdevs=some(st.builds(Netdev, NAMES, mac=ALIKE), lambda netdev: netdev.name),
    rdma_devices=some(st.builds(RdmaDevice, NAMES, node_guid=ALIKE), lambda device: device.name),
)


@settings(max_examples=60, deadline=None)
@given(before=INVENTORIES, now=INVENTORIES)
def test_any_two_looks(before: Inventory, now: Inventory) -> None:
    transitions(None, now)
    transitions(before, now)
    first = settle(before, now, {}, 100.0)
    transitions(before, first.inventory)
    second = settle(first.inventory, now, first.missed, 100.0 + CONFIRM_SECONDS)
    transitions(first.inventory, second.inventory)


@settings(max_examples=300, deadline=None)
@given(before=ONE_FUNCTION, now=ONE_FUNCTION)
def test_what_is_told_of_a_function_adds_up(before: Function, now: Function) -> None:
    node = Node(NodeName("n"))
    told = [
        line.message for line in transitions(Inventory(node, functions=(before,)), Inventory(node, functions=(now,)))
    ]
    netdevs, devices = len(now.netdevs) - len(before.netdevs), len(now.rdma_devices) - len(before.rdma_devices)
    assert told.count("netdev added") - told.count("netdev removed") == netdevs
    assert told.count("RDMA device added") - told.count("RDMA device removed") == devices
