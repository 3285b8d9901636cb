"""The log of one node tells the story of its driver: one line for each turn, none for anything else."""

import logging
from dataclasses import replace

import pytest

from agent.transitions import transitions
from nicfleet.inventory import (
    Driver,
    DriverContainer,
    Flavour,
    Function,
    FunctionKind,
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

PF = Function(PciAddress("0000:03:00.0"), model="ConnectX-6 Dx", driver="mlx5_core", supported=True)
UP = Netdev("ens1f0", mac="0c:42:a1:00:00:01", operstate="up", speed_mbps=100000)
RDMA = RdmaDevice("mlx5_0", node_guid="1", firmware="22.1", ports=(RdmaPort(1, "ACTIVE", "LinkUp"),))
MODULE = Module("mlx5_core", "Live", "24.10-1.1.4", "A", out_of_tree=True)
NODE = Node(NodeName("n"))
DRIVER = Driver(Flavour.OFED, "24.10-1.1.4", (MODULE,))
FULL = Inventory(NODE, DRIVER, (replace(PF, netdevs=(UP,), rdma_devices=(RDMA,), sriov_num_vfs=2),))


def pf(**changes: object) -> Inventory:
    return replace(FULL, functions=(replace(FULL.functions[0], **changes),))  # type: ignore[arg-type]


def driver(**changes: object) -> Inventory:
    return replace(FULL, driver=replace(DRIVER, **changes))  # type: ignore[arg-type]


def node(**changes: object) -> Inventory:
    return replace(FULL, node=replace(NODE, **changes))  # type: ignore[arg-type]


OTHER = OtherDevice(PciAddress("0000:08:00.0"), 0x0212, 0, "ConnectX-6 Dx flash recovery", recovery=True)

CASES = {
    "unplug": (FULL, replace(FULL, functions=()), ["device removed"]),
    "unbind": (FULL, pf(driver=None), ["driver unbound"]),
    "rebind": (FULL, pf(driver="vfio-pci"), ["driver unbound", "driver bound"]),
    "netdev-leaves": (FULL, pf(netdevs=()), ["netdev removed"]),
    "netdev-arrives-up": (pf(netdevs=()), FULL, ["netdev added", "port up"]),
    "rename": (FULL, pf(netdevs=(replace(UP, name="ens1f0np0"),)), ["netdev renamed"]),
    "cable": (FULL, pf(netdevs=(replace(UP, operstate="down", speed_mbps=None),)), ["port down"]),
    "two-netdevs-without-mac": (
        pf(netdevs=(Netdev("a"),)),
        pf(netdevs=(Netdev("b"),)),
        ["netdev removed", "netdev added"],
    ),
    "rdma-leaves": (FULL, pf(rdma_devices=()), ["RDMA device removed"]),
    "rdma-rename": (FULL, pf(rdma_devices=(replace(RDMA, name="rocep3s0f0"),)), ["RDMA device renamed"]),
    "rdma-two-vanish-and-a-third-comes": (
        pf(rdma_devices=(RDMA, replace(RDMA, name="mlx5_1"))),
        pf(rdma_devices=(replace(RDMA, name="mlx5_2"),)),
        ["RDMA device renamed", "RDMA device removed"],
    ),
    "rdma-zero-guid-is-no-identity": (
        pf(rdma_devices=(replace(RDMA, node_guid="0000:0000:0000:0000", ports=()),)),
        pf(rdma_devices=(replace(RDMA, node_guid="0000:0000:0000:0000", ports=(), name="mlx5_1"),)),
        ["RDMA device removed", "RDMA device added"],
    ),
    "rdma-port": (FULL, pf(rdma_devices=(replace(RDMA, ports=(RdmaPort(1, "DOWN"),)),)), ["RDMA port down"]),
    "firmware": (FULL, pf(rdma_devices=(replace(RDMA, firmware="22.2"),)), ["firmware version changed"]),
    "chars": (
        FULL,
        pf(rdma_devices=(replace(RDMA, char_devices=("infiniband/uverbs0",)),)),
        ["character devices changed"],
    ),
    "vfs": (FULL, pf(sriov_num_vfs=4), ["number of VFs changed"]),
    "unload": (FULL, driver(modules=()), ["module unloaded"]),
    "reload": (
        FULL,
        driver(modules=(replace(MODULE, version="25.07-0.9.7", srcversion="B"),), version="25.07-0.9.7"),
        ["module replaced", "driver version changed"],
    ),
    "container-starts": (FULL, driver(container=DriverContainer(running=True)), ["driver container started"]),
    "container-ready": (
        driver(container=DriverContainer(running=True, reloading=True)),
        driver(container=DriverContainer(running=True, ready=True)),
        ["driver reload ended", "driver container ready"],
    ),
    "peermem": (FULL, driver(peermem_stale=True), ["nvidia_peermem is stale"]),
    "gpu": (FULL, node(gpus=(Gpu(PciAddress("0000:07:00.0"), 1),)), ["GPU added"]),
    "recovery": (FULL, node(other_devices=(OTHER,)), ["device added", "device in recovery mode"]),
    "unread": (FULL, node(unread=(Unread("sys/x", 5),)), ["attribute not readable"]),
    "unread-otherwise": (
        node(unread=(Unread("sys/x", 5),)),
        node(unread=(Unread("sys/x", 110),)),
        ["attribute not readable"],
    ),
    "readable": (node(unread=(Unread("sys/x", 5),)), FULL, ["attribute readable again"]),
    "nothing": (FULL, FULL, []),
    "addresses-and-links-are-no-transition": (FULL, node(links=(Link("br0", addresses=("10.0.0.1/8",)),)), []),
    "a-vf-is-told-by-number": (
        FULL,
        pf(virtual_functions=(Function(PciAddress("0000:03:00.2"), FunctionKind.VF, driver="mlx5_core"),)),
        [],
    ),
}


@pytest.mark.parametrize(("before", "now", "messages"), CASES.values(), ids=CASES)
def test_one_line_for_each_transition(before: Inventory, now: Inventory, messages: list[str]) -> None:
    assert [transition.message for transition in transitions(before, now)] == messages


def test_the_first_read_tells_what_was_found() -> None:
    told = [transition.message for transition in transitions(None, FULL)]
    assert told == [
        "device added",
        "driver bound",
        "number of VFs changed",
        "netdev added",
        "port up",
        "RDMA device added",
        "RDMA port up",
        "module loaded",
        "driver version changed",
    ]


def test_the_first_read_tells_that_there_is_nothing() -> None:
    empty = Inventory(Node(NodeName("n"), unread=(Unread("sys/x", 5),)))
    told = [transition.message for transition in transitions(None, empty)]
    assert told == ["no device of NVIDIA found", "attribute not readable"]
    assert transitions(empty, empty) == []


@pytest.mark.parametrize(("before", "now", "messages"), CASES.values(), ids=CASES)
def test_fields_do_not_clash_with_those_of_a_log_record(before: Inventory, now: Inventory, messages: list[str]) -> None:
    for transition in transitions(before, now):
        logging.getLogger("test").makeRecord("test", 20, "", 0, transition.message, (), None, extra=transition.fields)
