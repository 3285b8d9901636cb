"""What device plugins go by: packed and unpacked, and equal while only pods come and go."""

from dataclasses import replace
from pathlib import Path

import pytest

from coordinator.fleet.facts import derive
from coordinator.fleet.plugin_view import (
    DEFAULT_ROUTE,
    HAS_VFS,
    RDMA,
    UMAD,
    UVERBS,
    VF,
    ZERO_GUID,
    Candidate,
    Host,
    PluginView,
    plugin_view,
)
from nicfleet.inventory import Flavour, Function, FunctionKind, PciAddress, RdmaDevice, RdmaPort
from tests.host_driver import load_driver
from tests.host_tree import HostTree
from tests.hosts import connectx5
from tests.unit.agent.looking import look
from tests.unit.coordinator import inventories as i

USABLE = RDMA | UVERBS | UMAD
PF = PciAddress("0000:3b:00.0")


def candidates(*functions: Function) -> tuple[Candidate, ...]:
    return plugin_view(i.inventory(*functions, driver=i.ofed())).host().candidates


def pf(*vfs: Function, **changes: object) -> Function:
    usual = i.connectx6dx(netdevs=(i.port(link_type="ether"),), virtual_functions=vfs)
    return replace(usual, **changes)  # type: ignore[arg-type]


def vf(index: int = 0, **changes: object) -> Function:
    netdevs = (i.port(f"ens1f0v{index}", link_type="ether"),)
    usual = i.virtual_function(f"0000:3b:00.{2 + index}", pf=PF, vf_index=index, netdevs=netdevs)
    return replace(usual, **changes)  # type: ignore[arg-type]


def test_a_pf_and_its_vf() -> None:
    assert candidates(pf(vf(), sriov_num_vfs=1)) == (
        Candidate("0000:3b:00.0", "101d", "mlx5_core", "ens1f0np0", "ether", USABLE | HAS_VFS, None),
        Candidate(
            "0000:3b:00.2", "101e", "mlx5_core", "ens1f0v0", "ether", USABLE | VF, None, PF, "ens1f0np0", "ether", 0
        ),
    )


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        pytest.param(
            i.connectx6dx(driver=None, netdevs=(), rdma_devices=()),
            Candidate("0000:3b:00.0", "101d", "", "", "", 0, None),
            id="nothing-bound",
        ),
        pytest.param(
            i.connectx6dx(netdevs=(i.port(), i.port("other"))),
            Candidate("0000:3b:00.0", "101d", "mlx5_core", "ens1f0np0", None, USABLE, None),
            id="first-netdev-of-unknown-type",
        ),
        pytest.param(
            i.connectx6dx(netdevs=(i.port(link_type="ether", default_route=True),), device=0x1B),
            Candidate("0000:3b:00.0", "001b", "mlx5_core", "ens1f0np0", "ether", USABLE | DEFAULT_ROUTE, None),
            id="default-route",
        ),
        pytest.param(
            i.connectx6dx(netdevs=(), rdma_devices=(i.rdma(devices=("infiniband/issm0",)),)),
            Candidate("0000:3b:00.0", "101d", "mlx5_core", "", "", RDMA, None),
            id="character-devices-missing",
        ),
        pytest.param(
            i.connectx6dx(
                netdevs=(),
                rdma_devices=(RdmaDevice("mlx5_0", ports=(RdmaPort(2, pkeys=(1,)), RdmaPort(1, pkeys=(7, 8)))),),
            ),
            Candidate("0000:3b:00.0", "101d", "mlx5_core", "", "", RDMA, 7),
            id="default-key-of-the-first-port",
        ),
        pytest.param(
            i.virtual_function(netdevs=(), rdma_devices=()),
            Candidate("0000:3b:00.2", "101e", "mlx5_core", "", "", VF, None, "", "", "", None),
            id="vf-in-a-virtual-machine",
        ),
        pytest.param(
            i.virtual_function(netdevs=(), rdma_devices=(), pf=PF),
            Candidate("0000:3b:00.2", "101e", "mlx5_core", "", "", VF, None, PF, None, None, None),
            id="vf-whose-pf-is-out-of-sight",
        ),
    ],
)
def test_a_function_alone(function: Function, expected: Candidate) -> None:
    assert candidates(function) == (expected,)


def test_in_switchdev_mode_a_pf_is_called_by_its_uplink() -> None:
    netdevs = (
        i.port("a0_representor", link_type="ether", port_name="pf0vf0", switch_id="1c34"),
        i.port("uplink", link_type="ether", port_name="p0", switch_id="1c34"),
    )

    found = candidates(i.connectx6dx(netdevs=netdevs, virtual_functions=(vf(),)))

    assert (found[0].interface, found[1].pf_name) == ("a0_representor", "uplink")


ZERO = "0000:0000:0000:0000"
GUID = "b8ce:f603:00a1:b2c3"


@pytest.mark.parametrize(
    ("kind", "layer", "node_guid", "port_guid", "expected"),
    [
        pytest.param(FunctionKind.VF, "InfiniBand", GUID, GUID, False, id="both-given"),
        pytest.param(FunctionKind.VF, "InfiniBand", ZERO, GUID, True, id="node-guid"),
        pytest.param(FunctionKind.VF, "InfiniBand", GUID, ZERO, True, id="port-guid"),
        pytest.param(FunctionKind.VF, "InfiniBand", None, None, False, id="not-known"),
        pytest.param(FunctionKind.VF, "Ethernet", ZERO, ZERO, False, id="ethernet"),
        pytest.param(FunctionKind.PF, "InfiniBand", ZERO, ZERO, False, id="pf"),
    ],
)
def test_a_guid_of_zeros(kind: FunctionKind, layer: str, node_guid: str, port_guid: str, expected: bool) -> None:
    port = RdmaPort(1, link_layer=layer, port_guid=port_guid)
    function = i.connectx6dx(kind=kind, rdma_devices=(RdmaDevice("mlx5_0", node_guid, ports=(port,)),))

    assert bool(candidates(function)[0].traits & ZERO_GUID) is expected


def test_the_node_says_whether_rdma_devices_can_be_shared() -> None:
    def host(*, netns_shared: bool | None, rdma_cm: bool) -> Host:
        driver = i.ofed(netns_shared=netns_shared, rdma_cm=rdma_cm)
        return plugin_view(i.inventory(driver=driver)).host()

    assert host(netns_shared=True, rdma_cm=True) == Host((), shared=True, rdma_cm=True)
    assert host(netns_shared=False, rdma_cm=False) == Host((), shared=False, rdma_cm=False)
    assert host(netns_shared=None, rdma_cm=True) == Host((), shared=True, rdma_cm=True)


def test_nothing_is_in_an_empty_view() -> None:
    assert PluginView().host() == Host()
    assert PluginView() == PluginView()


def test_like_machines_give_the_same_bytes() -> None:
    one = i.inventory(pf(vf(netdevs=(i.port("v", mac="b8:ce:f6:00:00:01"),))), node=i.node("a"))
    other = i.inventory(pf(vf(netdevs=(i.port("v", mac="b8:ce:f6:00:00:02"),))), node=i.node("b"))

    assert plugin_view(one).packed == plugin_view(other).packed


def test_a_vf_that_goes_into_a_pod_changes_what_is_told_and_not_what_lasts() -> None:
    before = i.inventory(pf(vf(), sriov_num_vfs=1), driver=i.ofed())
    away = i.inventory(pf(vf(netdevs=()), sriov_num_vfs=1), driver=i.ofed())

    assert derive(before) == derive(away)
    assert plugin_view(before).digest != plugin_view(away).digest
    assert plugin_view(away).host().candidates[1].interface == ""


@pytest.mark.parametrize(
    ("shared", "lasts"), [pytest.param(True, False, id="shared"), pytest.param(False, True, id="exclusive")]
)
def test_in_exclusive_mode_a_pod_takes_the_rdma_device_too(shared: bool, lasts: bool) -> None:
    driver = i.ofed(netns_shared=shared)
    before = plugin_view(i.inventory(pf(vf()), driver=driver))
    away = plugin_view(i.inventory(pf(vf(netdevs=(), rdma_devices=())), driver=driver))

    assert (before == away) is lasts


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(pf(vf(), driver=None), id="driver"),
        pytest.param(replace(pf(vf()), netdevs=(i.port("ens2f0", link_type="ether"),)), id="interface"),
        pytest.param(pf(vf(driver="vfio-pci")), id="driver-of-a-vf"),
        pytest.param(pf(vf(), vf(1)), id="another-vf"),
        pytest.param(pf(vf(rdma_devices=())), id="rdma-device-of-a-vf"),
    ],
)
def test_what_decides_changes_the_facts(changed: Function) -> None:
    assert derive(i.inventory(changed)) != derive(i.inventory(pf(vf())))


def test_of_a_host_as_its_agent_reads_it(tmp_path: Path) -> None:
    connectx5(tmp_path)
    load_driver(tmp_path, Flavour.OFED, "24.10-1.1.4")

    host = plugin_view(look(HostTree(tmp_path))).host()

    assert (host.shared, host.rdma_cm) == (True, True)
    assert [(c.address, c.device, c.interface, c.pf_name, c.vf_index) for c in host.candidates] == [
        ("0000:3b:00.0", "1017", "ens2f0", "", None),
        ("0000:3b:00.2", "1018", "ens2f0v0", "ens2f0", 0),
        ("0000:3b:00.4", "1018", "ens2f0v1", "ens2f0", 1),
        ("0000:3b:00.1", "1017", "ens2f1", "", None),
    ]
    assert all(candidate.traits & USABLE == USABLE for candidate in host.candidates)
