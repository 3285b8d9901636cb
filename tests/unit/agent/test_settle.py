"""A removal needs two reads, and no driver reload; an addition needs one."""

from dataclasses import replace

import pytest

from agent.settle import CONFIRM_SECONDS, is_reloading, settle
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
    Unread,
)

ADDRESS = PciAddress("0000:03:00.0")
NETDEV = Netdev("ens1f0", mac="0c:42:a1:00:00:01")
RDMA_DEVICE = RdmaDevice("mlx5_0", node_guid="0c42:a103:0000:0001")
VF = Function(PciAddress("0000:03:00.2"), FunctionKind.VF)
PF = Function(ADDRESS, netdevs=(NETDEV,), rdma_devices=(RDMA_DEVICE,), virtual_functions=(VF,), sriov_num_vfs=1)
FULL = Inventory(
    node=Node(
        NodeName("n"),
        gpus=(Gpu(PciAddress("0000:07:00.0"), 0x2330),),
        other_devices=(OtherDevice(PciAddress("0000:08:00.0"), 0x0212, 0, "recovery"),),
        links=(Link("bond0"),),
    ),
    driver=Driver(Flavour.OFED, "24.10-1.1.4", (Module("ib_core", "Live"), Module("mlx5_core", "Live"))),
    functions=(PF,),
)
RELOADING = DriverContainer(running=True, reloading=True)

REMOVALS = {
    "function": replace(FULL, functions=()),
    "netdev": replace(FULL, functions=(replace(PF, netdevs=()),)),
    "rdma-device": replace(FULL, functions=(replace(PF, rdma_devices=()),)),
    "vf": replace(FULL, functions=(replace(PF, virtual_functions=()),)),
    "vf-count": replace(FULL, functions=(replace(PF, sriov_num_vfs=0),)),
    "vf-count-unknown": replace(FULL, functions=(replace(PF, sriov_num_vfs=None),)),
    "gpu": replace(FULL, node=replace(FULL.node, gpus=())),
    "other-device": replace(FULL, node=replace(FULL.node, other_devices=())),
    "link": replace(FULL, node=replace(FULL.node, links=())),
}
DRIVER_GONE = replace(FULL, driver=Driver(Flavour.INBOX, None, (Module("ib_core", "Live"),)))


removals = pytest.mark.parametrize("read", REMOVALS.values(), ids=REMOVALS)
anything_gone = pytest.mark.parametrize("read", [*REMOVALS.values(), DRIVER_GONE], ids=[*REMOVALS, "module"])


@anything_gone
def test_what_is_missing_once_is_kept_and_missing_again_is_gone(read: Inventory) -> None:
    first = settle(FULL, read, {}, now=100.0)
    assert first.inventory == FULL
    assert first.unconfirmed

    too_soon = settle(first.inventory, read, first.missed, now=100.0 + CONFIRM_SECONDS / 2)
    assert too_soon.inventory == FULL

    second = settle(too_soon.inventory, read, too_soon.missed, now=100.0 + CONFIRM_SECONDS)
    assert second.inventory == read
    assert not second.unconfirmed
    assert second.missed == {}


@removals
def test_what_was_back_between_two_misses_is_missed_anew(read: Inventory) -> None:
    missed = settle(FULL, read, {}, now=100.0).missed
    back = settle(FULL, FULL, missed, now=101.0)
    assert settle(FULL, read, back.missed, now=102.0).inventory == FULL


@removals
def test_hardware_is_kept_while_the_driver_reloads_and_goes_at_once_when_that_is_over(read: Inventory) -> None:
    during = replace(read, driver=replace(read.driver, container=RELOADING))
    missed = settle(FULL, during, {}, now=100.0).missed
    later = settle(FULL, during, missed, now=500.0)
    assert later.inventory == replace(FULL, driver=during.driver)
    assert not later.unconfirmed

    assert settle(later.inventory, read, later.missed, now=501.0).inventory == read


def test_the_driver_itself_is_told_truly_while_it_reloads() -> None:
    during = replace(DRIVER_GONE, driver=replace(DRIVER_GONE.driver, container=RELOADING))
    missed = settle(FULL, during, {}, now=100.0).missed
    assert settle(FULL, during, missed, now=101.0).inventory.driver == during.driver


def test_an_addition_counts_at_once_beside_a_removal_that_waits() -> None:
    other = Function(PciAddress("0000:04:00.0"))
    assert settle(FULL, replace(FULL, functions=(other,)), {}, now=0.0).inventory.functions == (PF, other)


@pytest.mark.parametrize(
    ("read", "path"),
    [
        pytest.param(REMOVALS["function"], "sys/bus/pci/devices", id="function-listing"),
        pytest.param(REMOVALS["function"], f"sys/bus/pci/devices/{ADDRESS}/vendor", id="function-vendor"),
        pytest.param(REMOVALS["netdev"], f"sys/devices/pci0000:00/{ADDRESS}/net", id="netdev-listing"),
        pytest.param(REMOVALS["rdma-device"], f"sys/bus/pci/devices/{ADDRESS}/infiniband", id="rdma-listing"),
        pytest.param(REMOVALS["vf-count-unknown"], f"sys/bus/pci/devices/{ADDRESS}/sriov_numvfs", id="vf-count"),
        pytest.param(REMOVALS["gpu"], "sys/bus/pci/devices", id="gpu-listing"),
        pytest.param(DRIVER_GONE, "sys/module", id="module-listing"),
    ],
)
def test_absence_means_nothing_where_the_place_could_not_be_read(read: Inventory, path: str) -> None:
    incomplete = replace(read, node=replace(read.node, unread=(Unread(path, 5),)))
    missed = settle(FULL, incomplete, {}, now=100.0).missed
    assert settle(FULL, incomplete, missed, now=500.0).inventory.functions == FULL.functions
    assert settle(FULL, incomplete, missed, now=500.0).inventory.driver == FULL.driver
    assert settle(FULL, incomplete, missed, now=500.0).inventory.node.gpus == FULL.node.gpus


def test_an_attribute_that_is_never_readable_does_not_keep_the_dead_alive() -> None:
    unreadable = Unread(f"sys/bus/pci/devices/{ADDRESS}/vpd", 13)
    read = replace(FULL, functions=(replace(PF, netdevs=(), unread=(unreadable,)),))
    missed = settle(FULL, read, {}, now=100.0).missed
    assert settle(FULL, read, missed, now=101.0).inventory == read


def test_a_new_name_replaces_the_old_one_at_once() -> None:
    renamed = replace(
        PF, netdevs=(replace(NETDEV, name="ens1f0np0"),), rdma_devices=(replace(RDMA_DEVICE, name="rocep3s0f0"),)
    )
    read = replace(FULL, functions=(renamed,))
    assert settle(FULL, read, {}, now=0.0).inventory == read


@pytest.mark.parametrize(
    ("driver", "reloading"),
    [
        pytest.param(Driver(), False, id="no-driver"),
        pytest.param(Driver(container=DriverContainer(running=True, ready=True)), False, id="ready"),
        pytest.param(Driver(container=DriverContainer(running=True)), True, id="starting"),
        pytest.param(Driver(container=DriverContainer(ready=True, reloading=True)), True, id="blacklist"),
        pytest.param(Driver(container=DriverContainer(ready=True)), False, id="stopped-by-crash"),
        pytest.param(Driver(modules=(Module("mlx5_core", "Unloading"),)), True, id="module-leaves"),
    ],
)
def test_signs_of_a_reload(driver: Driver, reloading: bool) -> None:
    assert is_reloading(driver) is reloading
