"""What the nodes say against a network, on which nodes, and when they say nothing."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from coordinator.fleet.facts import Facts, derive
from coordinator.networks.warnings import alike, warnings
from coordinator.policy.networks import Network
from nicfleet.inventory import DriverContainer, Function, Link, Netdev, RdmaDevice, RdmaPort
from nicfleet.reasons import Reason
from tests.unit.coordinator.inventories import connectx6dx, inventory, node, ofed, port, virtual_function
from tests.unit.coordinator.networks.documents import host_device, ipoib, macvlan

WHEREABOUTS = '{"type": "whereabouts", "range": "10.0.0.0/24"}'


def ethernet(*netdevs: Netdev, vfs: tuple[Function, ...] = ()) -> Function:
    return connectx6dx(netdevs=netdevs or (port("ens1f0np0", link_type="ether"),), virtual_functions=vfs)


def infiniband(*keys: int, name: str = "ib0", children: Iterable[Netdev] = ()) -> Function:
    ports = (RdmaPort(1, link_layer="InfiniBand", pkeys=keys),)
    netdevs = (port(name, link_type="infiniband"), *children)
    return connectx6dx(pci_class=0x020700, netdevs=netdevs, rdma_devices=(RdmaDevice("mlx5_0", ports=ports),))


def facts(*functions: Function, links: tuple[Link, ...] = ()) -> Facts:
    return derive(inventory(*functions, node=node(links=links)))


RENAMED = ethernet(port("ens1f0np0", altnames=("eth2", "enp59s0f0np0"), link_type="ether"))
VF_BESIDE = ethernet(vfs=(virtual_function(netdevs=(port("ens1f0v0"),)),))
CHILD = port("ib0.8005", link_type="infiniband", lower=("ib0",))
PASSING = port("ipoib1a2b", link_type="infiniband", lower=("ib0",))
PARTIAL = replace(facts(ethernet()), partial=True)


@pytest.mark.parametrize(
    ("given_network", "seen", "expected"),
    [
        pytest.param(macvlan(master="ens1f0np0"), facts(ethernet()), (), id="there"),
        pytest.param(macvlan(), facts(ethernet()), (), id="no-master-no-question"),
        pytest.param(
            macvlan(master="eth9"),
            facts(ethernet()),
            (
                (
                    Reason.MasterMissing,
                    "spec.master eth9 is no interface of an NVIDIA NIC on node-1: pods of this network start there "
                    "only if another NIC has it",
                ),
            ),
            id="missing",
        ),
        pytest.param(
            macvlan(master="eth2"),
            facts(RENAMED),
            (
                (
                    Reason.MasterRenamed,
                    "spec.master eth2 is only an alternative name of ens1f0np0 on node-1: write the name in use",
                ),
            ),
            id="renamed",
        ),
        pytest.param(
            macvlan(master="ib0"),
            facts(infiniband(0xFFFF)),
            ((Reason.MasterUnsuitable, "spec.master ib0 is an InfiniBand port on node-1: use an IPoIBNetwork there"),),
            id="infiniband-under-macvlan",
        ),
        pytest.param(
            ipoib(master="ens1f0np0"),
            facts(ethernet()),
            (
                (
                    Reason.MasterUnsuitable,
                    "spec.master ens1f0np0 is an Ethernet port on node-1: use a MacvlanNetwork there",
                ),
            ),
            id="ethernet-under-ipoib",
        ),
        pytest.param(
            ipoib(master="ib0"),
            facts(infiniband(0x8005, 0x7FFF)),
            (
                (
                    Reason.PartitionKeyNotDefault,
                    "spec.master ib0 has the P_Key 0x8005 on node-1, and interfaces of the ipoib plugin have the "
                    "default one: their link stays down there",
                ),
            ),
            id="another-partition",
        ),
        pytest.param(ipoib(master="ib0"), facts(infiniband(0x7FFF)), (), id="default-partition-as-limited-member"),
        pytest.param(ipoib(master="ib0"), facts(infiniband(0xFFFF, 0x8005)), (), id="further-partitions"),
        pytest.param(ipoib(master="ib0"), facts(infiniband()), (), id="no-key-known"),
        pytest.param(
            ipoib(master="ib0.8005"),
            facts(infiniband(0xFFFF, children=(CHILD, PASSING))),
            (
                (
                    Reason.PartitionKeyNotDefault,
                    "spec.master ib0.8005 has the P_Key 0x8005 on node-1, and interfaces of the ipoib plugin have the "
                    "default one: their link stays down there",
                ),
            ),
            id="child-of-another-partition",
        ),
        pytest.param(
            macvlan(master="bond0"), facts(ethernet(port("p0", master="bond0"), port("p1"))), (), id="bond-by-its-port"
        ),
        pytest.param(
            macvlan(master="br0"), facts(ethernet(), links=(Link("br0", "bridge", ("ens1f0np0",)),)), (), id="bridge"
        ),
        pytest.param(macvlan(master="ens1f0np0.100"), facts(ethernet()), (), id="vlan-may-be-out-of-sight"),
        pytest.param(macvlan(master="eth2.100"), facts(RENAMED), (), id="vlan-of-an-altname"),
        pytest.param(macvlan(master="ens1f0v0"), facts(VF_BESIDE), (), id="netdev-of-a-vf"),
        pytest.param(macvlan(master="eth9"), facts(), (), id="node-without-a-nic"),
        pytest.param(macvlan(master="eth9"), PARTIAL, (), id="driver-being-reloaded"),
        pytest.param(
            macvlan(master="pf0vf1"),
            facts(ethernet(port("ens1f0np0", port_name="p0"), port("pf0vf1", port_name="pf0vf1"))),
            (
                (
                    Reason.MasterMissing,
                    "spec.master pf0vf1 is no interface of an NVIDIA NIC on node-1: pods of this network start "
                    "there only if another NIC has it",
                ),
            ),
            id="representor",
        ),
        pytest.param(
            ipoib(),
            facts(infiniband()),
            (
                (
                    Reason.MasterMissing,
                    "spec.master is empty, and the ipoib plugin has no default: name an interface",
                ),
            ),
            id="ipoib-without-a-master",
        ),
        pytest.param(
            host_device(ipam=WHEREABOUTS),
            facts(ethernet()),
            (
                (
                    Reason.NvIpamRecommended,
                    "spec.ipam uses whereabouts, which works as before: nv-ipam is recommended for new networks",
                ),
            ),
            id="whereabouts",
        ),
    ],
)
def test_warnings(given_network: Network, seen: Facts, expected: tuple[tuple[Reason, str], ...]) -> None:
    found = warnings(given_network, alike({"node-1": seen}))
    assert tuple((finding.reason, finding.message) for finding in found) == expected


def test_nodes_that_say_the_same_are_told_together_and_at_most_five_are_named() -> None:
    nodes = {f"node-{number}": facts(RENAMED) for number in range(7)}
    nodes |= {"other": facts(ethernet(port("ens9np0", altnames=("eth2",)))), "well": facts(ethernet(port("eth2")))}

    found = warnings(macvlan(master="eth2"), alike(nodes))

    assert [finding.message for finding in found] == [
        "spec.master eth2 is only an alternative name of ens1f0np0 on node-0, node-1, node-2, node-3, node-4 and 2 more"
        ": write the name in use",
        "spec.master eth2 is only an alternative name of ens9np0 on other: write the name in use",
    ]
    assert len(found[0].nodes) == 7


def test_a_hostile_master_is_shown_as_one_short_word() -> None:
    (found,) = warnings(macvlan(master="a\n" * 100), alike({"node-1": facts(ethernet())}))
    assert "\n" not in found.message
    assert len(found.message) < 200


def test_vfs_that_move_into_pods_and_interfaces_of_pods_change_no_fact() -> None:
    """Else each pod that starts would wake a pass."""
    moved = ethernet(vfs=(virtual_function(netdevs=()),))
    assert facts(VF_BESIDE) == facts(moved)
    assert facts(infiniband(children=(PASSING,))) == facts(infiniband())


def test_a_reload_of_the_driver_proves_nothing() -> None:
    reloading = inventory(driver=ofed(container=DriverContainer(reloading=True)))
    assert warnings(macvlan(master="eth9"), alike({"node-1": replace(derive(reloading), functions=1)})) == ()


def test_nodes_are_alike_when_they_say_the_same_of_every_network() -> None:
    usual, other = facts(ethernet()), facts(ethernet(port("ens9", link_type="ether")))
    nodes = {"a": usual, "b": other, "c": usual, "with-a-vf": facts(VF_BESIDE), "bare": facts(), "partial": PARTIAL}
    assert [group.nodes for group in alike(nodes)] == [("a", "c"), ("b",), ("with-a-vf",)]
