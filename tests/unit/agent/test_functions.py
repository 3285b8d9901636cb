import errno
from collections.abc import Callable

import pytest

from agent.host import Host
from agent.inventory import read
from agent.settle import is_complete
from nicfleet.inventory import Board, FunctionKind, Gpu, OtherDevice, PciAddress, PcieLink, Unread
from tests.host_tree import PCI, HostTree, vpd
from tests.unit.agent.looking import NAME, look

PF = PciAddress("0000:3b:00.0")
VF = PciAddress("0000:3b:00.2")
ETHERNET = 0x020000


def test_a_pf_holds_its_vfs(tree: HostTree) -> None:
    tree.add_pf(PF, 0x1017, netdev="ens2f0", total_vfs=8, vfs=2)
    (pf,) = look(tree).functions
    assert (pf.kind, pf.sriov_total_vfs, pf.sriov_num_vfs, pf.driver, pf.numa_node) == (
        FunctionKind.PF,
        8,
        2,
        "mlx5_core",
        0,
    )
    assert pf.pcie == PcieLink(16.0, 16, 16.0, 16)
    first, second = pf.virtual_functions
    assert (first.address, first.pf, first.vf_index, first.netdevs[0].name) == (VF, PF, 0, "ens2f0v0")
    assert (second.address, second.vf_index, second.pcie, second.sriov_total_vfs) == ("0000:3b:00.4", 1, None, None)


@pytest.mark.parametrize(
    ("device", "model", "generation", "supported"),
    [
        pytest.param(0x1015, "ConnectX-4 Lx", "connectx-4-lx", False, id="too old"),
        pytest.param(0x1017, "ConnectX-5", "connectx-5", True, id="the oldest supported"),
        pytest.param(0x101D, "ConnectX-6 Dx", "connectx-6-dx", True, id="the first with the shared VF id"),
        pytest.param(0x101F, "ConnectX-6 Lx", "connectx-6-lx", False, id="ConnectX-6 Lx"),
        pytest.param(0xA2DC, "BlueField-3", "bluefield-3", True, id="BlueField"),
        pytest.param(0x1FFF, None, None, None, id="not in the table"),
    ],
)
def test_a_vf_is_of_its_pfs_model(
    tree: HostTree, device: int, model: str | None, generation: str | None, supported: bool | None
) -> None:
    tree.add_pf(PF, device, total_vfs=4, vfs=1)
    (pf,) = look(tree).functions
    for function in (pf, *pf.virtual_functions):
        assert (function.model, function.generation, function.supported) == (model, generation, supported)
        assert (function.unsupported_reason is not None) == (supported is False)
    assert len(pf.virtual_functions) == 1


def test_a_vf_in_a_virtual_machine_stands_alone(tree: HostTree) -> None:
    tree.add_device(VF, 0x15B3, 0x101E, ETHERNET)
    (vf,) = look(tree).functions
    assert (vf.kind, vf.pf, vf.model, vf.supported) == (FunctionKind.VF, None, None, None)


def test_a_vf_whose_pf_is_hidden_names_it(tree: HostTree) -> None:
    tree.add_pf(PF, 0x1017, total_vfs=4, vfs=1)
    tree.remove(f"{PCI}/{PF}")
    (vf,) = look(tree).functions
    assert (vf.address, vf.kind, vf.pf, vf.model) == (VF, FunctionKind.VF, PF, "ConnectX-5")


def test_only_network_functions_of_the_vendor_are_functions(tree: HostTree) -> None:
    tree.add_device("0000:21:00.0", 0x8086, 0x1592, ETHERNET)
    tree.add_device("0000:31:00.0", 0x15B3, 0xC2D5, 0x080100)
    tree.add_device("0000:41:00.0", 0x15B3, 0x0218, ETHERNET)
    tree.add_device("0000:51:00.0", 0x10DE, 0x2330, 0x030200)
    tree.add_device("0000:61:00.0", 0x10DE, 0x22A3, 0x068000)
    seen = look(tree)
    assert seen.functions == ()
    assert seen.node.gpus == (Gpu(PciAddress("0000:51:00.0"), 0x2330),)
    assert seen.node.other_devices == (
        OtherDevice(PciAddress("0000:31:00.0"), 0xC2D5, 0x080100, "BlueField-3 management interface"),
        OtherDevice(PciAddress("0000:41:00.0"), 0x0218, ETHERNET, "ConnectX-7 in recovery mode", recovery=True),
    )


def test_both_functions_of_a_socket_direct_card_have_its_serial(tree: HostTree) -> None:
    board = vpd("ConnectX-6 Socket Direct", "MCX654106A-HCAT", "MT1950X00042")
    tree.add_pf("0000:17:00.0", 0x101B, board=board, attributes={"numa_node": "0"})
    tree.add_pf("0000:b5:00.0", 0x101B, board=board, attributes={"numa_node": "1"})
    functions = look(tree).functions
    assert [(function.address, function.numa_node) for function in functions] == [
        ("0000:17:00.0", 0),
        ("0000:b5:00.0", 1),
    ]
    assert {function.board for function in functions} == {
        Board("MT1950X00042", "MCX654106A-HCAT", "ConnectX-6 Socket Direct")
    }


def _without_bus(tree: HostTree) -> None:
    tree.remove("sys/bus")


def _without_pci(tree: HostTree) -> None:
    tree.remove("sys/bus/pci")


def _with_odd_class(tree: HostTree) -> None:
    tree.add_device(PF, 0x15B3, 0x1017, ETHERNET, {"class": "network"})


def _with_odd_speed(tree: HostTree) -> None:
    tree.add_device(PF, 0x15B3, 0x1017, ETHERNET, {"current_link_speed": "fast"})


@pytest.mark.parametrize(
    ("change", "unread", "complete"),
    [
        pytest.param(_without_bus, Unread("sys/bus", errno.ENOENT), False, id="nothing mounted"),
        pytest.param(_without_pci, None, True, id="a machine without PCI"),
        pytest.param(_with_odd_class, Unread(f"{PCI}/{PF}/class", 0), True, id="a device that cannot be classed"),
        pytest.param(_with_odd_speed, Unread(f"{PCI}/{PF}/current_link_speed", 0), True, id="a property"),
    ],
)
def test_what_hides_devices_is_told(
    tree: HostTree, change: Callable[[HostTree], None], unread: Unread | None, complete: bool
) -> None:
    (tree.root / "sys/bus").mkdir(exist_ok=True)
    change(tree)
    seen = look(tree)
    assert [*seen.all_unread()] == ([] if unread is None else [unread])
    assert is_complete(seen) is complete


def test_an_unreadable_attribute_costs_nothing_else(tree: HostTree) -> None:
    tree.add_pf(PF, 0x1017, netdev="ens2f0", board=vpd("a", "b", "c"))
    tree.add_pf("0000:5e:00.0", 0x101B, netdev="ens3f0")
    before = look(tree)
    after = look(tree, errnos={f"{PCI}/{PF}/vpd": errno.EIO})
    assert after.functions[0].board is None
    assert after.functions[0].unread == (Unread(f"{PCI}/{PF}/vpd", errno.EIO),)
    assert after.functions[0].netdevs == before.functions[0].netdevs
    assert after.functions[1] == before.functions[1]


@pytest.mark.parametrize(
    ("attribute", "code"),
    [
        pytest.param("speed", errno.EINVAL, id="speed of a link that is down"),
        pytest.param("phys_port_name", errno.EOPNOTSUPP, id="a name the driver does not give"),
        pytest.param("address", errno.ENODEV, id="a driver that goes away"),
    ],
)
def test_errnos_by_which_a_driver_says_no_value(tree: HostTree, attribute: str, code: int) -> None:
    tree.add_pf(PF, 0x1017, netdev="ens2f0")
    path = f"{PCI}/{PF}/net/ens2f0/{attribute}"
    tree.write(path, "1")
    assert [*look(tree, errnos={path: code}).all_unread()] == []


def test_an_unplugged_function_leaves_nothing_behind(tree: HostTree) -> None:
    tree.add_pf(PF, 0x1017, netdev="ens2f0", total_vfs=4, vfs=2)
    tree.remove_function(PF)
    seen = look(tree)
    assert (seen.functions, seen.node.links, [*seen.all_unread()]) == ((), (), [])
    assert tree.names("sys/class/net") == []


@pytest.mark.parametrize(
    ("attributes", "speed"),
    [
        pytest.param({"speed": "25000"}, 25000, id="known"),
        pytest.param({"speed": "-1"}, None, id="unknown"),
        pytest.param({"speed": "4294967295"}, None, id="unknown, as older kernels print it"),
    ],
)
def test_speed(tree: HostTree, attributes: dict[str, str], speed: int | None) -> None:
    tree.add_pf(PF, 0x1017)
    tree.add_netdev(tree.real(f"{PCI}/{PF}"), "ens2f0", attributes=attributes)
    seen = look(tree)
    assert seen.functions[0].netdevs[0].speed_mbps == speed
    assert [*seen.all_unread()] == []


def test_representors_and_subfunctions_are_the_pfs(tree: HostTree) -> None:
    tree.add_pf(PF, 0x101D)
    pf = tree.real(f"{PCI}/{PF}")
    tree.add_netdev(pf, "ens2f0np0", attributes={"phys_port_name": "p0", "phys_switch_id": "90ab12"})
    tree.add_netdev(pf, "eth0", attributes={"phys_port_name": "pf0vf0", "phys_switch_id": "90ab12"})
    tree.add_netdev(f"{pf}/mlx5_core.sf.4", "enp59s0f0s88", attributes={"phys_port_name": "pf0sf88"})
    tree.add_rdma_device(f"{pf}/mlx5_core.sf.4", "mlx5_4")
    (function,) = look(tree).functions
    assert {netdev.name: (netdev.port_name, netdev.switch_id) for netdev in function.netdevs} == {
        "ens2f0np0": ("p0", "90ab12"),
        "eth0": ("pf0vf0", "90ab12"),
        "enp59s0f0s88": ("pf0sf88", None),
    }
    assert [device.name for device in function.rdma_devices] == ["mlx5_4"]


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        pytest.param(("eth", "rdma"), True, id="Ethernet"),
        pytest.param(("rdma",), True, id="InfiniBand"),
        pytest.param(("eth", "eth-rep", "rdma-rep"), True, id="switchdev mode"),
        pytest.param(("eth", "eth-rep"), False, id="second port of a multiport E-Switch"),
        pytest.param(("eth", "multiport"), False, id="second port of multi-port RoCE"),
        pytest.param(("eth", "fwctl", "dpll"), False, id="switched off"),
        pytest.param((), None, id="a kernel without the auxiliary bus"),
        pytest.param(("sf",), None, id="a sub-function's is its own"),
    ],
)
def test_whether_a_function_is_to_have_an_rdma_device(
    tree: HostTree, kinds: tuple[str, ...], expected: bool | None
) -> None:
    tree.add_pf(PF, 0x101D, netdev="ens2f0np0", total_vfs=8, vfs=1)
    tree.add_auxiliary_devices(PF, *kinds)
    (function,) = look(tree).functions
    assert function.rdma_auxiliary is expected
    assert function.virtual_functions[0].rdma_auxiliary is None


def test_ipoib_addresses_have_twenty_bytes(tree: HostTree) -> None:
    tree.add_pf(PF, 0x101B, netdev="ibs2f0", infiniband=True)
    (netdev,) = look(tree).functions[0].netdevs
    assert netdev.link_type == "infiniband"
    assert len((netdev.mac or "").split(":")) == 20


def test_a_board_once_known_is_not_asked_for_again(tree: HostTree) -> None:
    tree.add_pf(PF, 0x1017, board=vpd("a", "b", "c"))
    first = look(tree)
    tree.remove(f"{PCI}/{PF}/vpd")
    assert read(Host.at(tree.root), None, NAME, first) == first
    assert read(Host.at(tree.root), None, NAME).functions[0].board is None
