from collections.abc import Callable
from pathlib import Path

import pytest

from agent.files import DirectoryFiles
from agent.host import Host
from agent.inventory import read
from nicfleet.inventory import RdmaPort
from tests.host_tree import PCI, HostTree
from tests.unit.agent.looking import NAME, look

PF = "0000:5e:00.0"
GUID = "b8ce:f603:00c4:1234"


def _port(tree: HostTree, infiniband: bool, attributes: dict[str, str]) -> RdmaPort:
    tree.add_pf(PF, 0x101B, infiniband=infiniband)
    changed = {f"ports/1/{name}": value for name, value in attributes.items()}
    tree.add_rdma_device(tree.real(f"{PCI}/{PF}"), "mlx5_0", infiniband=infiniband, attributes=changed)
    seen = look(tree)
    assert [*seen.all_unread()] == []
    (port,) = seen.functions[0].rdma_devices[0].ports
    return port


def test_an_infiniband_port(tree: HostTree) -> None:
    attributes = {
        "gids/0": f"fe80:0000:0000:0000:{GUID}",
        "lid": "0x1a",
        "pkeys/0": "0xffff",
        "pkeys/1": "0x0000",
        "pkeys/2": "0x8001",
        "rate": "200 Gb/sec (4X HDR)",
    }
    assert _port(tree, True, attributes) == RdmaPort(
        number=1,
        state="ACTIVE",
        physical_state="LinkUp",
        link_layer="InfiniBand",
        rate_gbps=200.0,
        lid=0x1A,
        pkeys=(0xFFFF, 0x8001),
        port_guid=GUID,
    )


def test_a_roce_port_has_no_lid(tree: HostTree) -> None:
    assert _port(tree, False, {"lid": "0x0"}).lid is None


@pytest.mark.parametrize(
    ("state", "rate", "expected"),
    [
        pytest.param("4: ACTIVE", "2.5 Gb/sec (1X SDR)", 2.5, id="a fraction"),
        pytest.param("1: DOWN", "40 Gb/sec (4X QDR)", None, id="a port that is down shows a preset"),
        pytest.param("2: INIT", "10 Gb/sec (4X SDR)", None, id="no subnet manager yet"),
    ],
)
def test_rate(tree: HostTree, state: str, rate: str, expected: float | None) -> None:
    assert _port(tree, True, {"state": state, "rate": rate}).rate_gbps == expected


def test_guids_of_zero_stay(tree: HostTree) -> None:
    tree.add_pf(PF, 0x101B, infiniband=True)
    zero = {"node_guid": "0000:0000:0000:0000"}
    tree.add_rdma_device(tree.real(f"{PCI}/{PF}"), "mlx5_0", infiniband=True, attributes=zero)
    assert look(tree).functions[0].rdma_devices[0].node_guid == "0000:0000:0000:0000"


def test_of_a_vf_only_the_default_key_is_asked(tree: HostTree) -> None:
    tree.add_pf(PF, 0x101B, infiniband=True, total_vfs=2, vfs=1)
    keys = {"ports/1/pkeys/0": "0x7fff", "ports/1/pkeys/1": "0x8001"}
    tree.add_rdma_device(tree.real(f"{PCI}/0000:5e:00.2"), "mlx5_1", infiniband=True, attributes=keys)
    assert look(tree).functions[0].virtual_functions[0].rdma_devices[0].ports[0].pkeys == (0x7FFF,)


def test_character_devices_count_when_sysfs_and_dev_both_have_them(tree: HostTree) -> None:
    tree.add_pf(PF, 0x101B)
    tree.add_pf("0000:5e:00.1", 0x101B)
    tree.add_rdma_device(tree.real(f"{PCI}/{PF}"), "rocep94s0f0")
    tree.add_rdma_device(tree.real(f"{PCI}/0000:5e:00.1"), "rocep94s0f1")
    tree.remove("dev/infiniband/umad0")
    tree.write("dev/infiniband/uverbs7", b"")
    first, second = (function.rdma_devices[0] for function in look(tree).functions)
    assert first.char_devices == ("infiniband/issm0", "infiniband/uverbs0")
    assert second.char_devices == ("infiniband/issm1", "infiniband/umad1", "infiniband/uverbs1")


class Meanwhile(DirectoryFiles):
    """Something happens when a path is listed for the first time."""

    def __init__(self, root: Path, path: str, happen: Callable[[], None]) -> None:
        super().__init__(root)
        self._path = path
        self._happen: Callable[[], None] | None = happen

    def names(self, path: str) -> list[str]:
        happen = self._happen
        if path == self._path and happen is not None:
            self._happen = None
            happen()
        return super().names(path)


def test_a_device_that_comes_during_a_look_has_its_character_devices(tree: HostTree) -> None:
    tree.add_pf(PF, 0x101B)
    place = tree.real(f"{PCI}/{PF}")
    files = Meanwhile(tree.root, f"{place}/infiniband", lambda: tree.add_rdma_device(place, "mlx5_9"))
    (device,) = read(Host(tree.root, files), None, NAME).functions[0].rdma_devices
    assert device.char_devices == ("infiniband/issm0", "infiniband/umad0", "infiniband/uverbs0")


def test_a_device_that_goes_during_a_look_is_gone_and_not_without_character_devices(tree: HostTree) -> None:
    tree.add_pf(PF, 0x101B)
    subfunction = f"{tree.real(f'{PCI}/{PF}')}/mlx5_core.sf.4"
    tree.add_rdma_device(tree.real(f"{PCI}/{PF}"), "mlx5_0")
    tree.add_rdma_device(subfunction, "mlx5_9")
    files = Meanwhile(tree.root, "sys/class/infiniband_verbs", lambda: tree.remove_rdma_device("mlx5_9"))
    (device,) = read(Host(tree.root, files), None, NAME).functions[0].rdma_devices
    assert (device.name, len(device.char_devices)) == ("mlx5_0", 3)


def test_a_device_of_a_sub_function_without_character_devices_is_told(tree: HostTree) -> None:
    tree.add_pf(PF, 0x101B)
    tree.add_rdma_device(f"{tree.real(f'{PCI}/{PF}')}/mlx5_core.sf.4", "mlx5_9")
    for name in ("uverbs0", "umad0", "issm0"):
        tree.remove(f"dev/infiniband/{name}")
    (device,) = look(tree).functions[0].rdma_devices
    assert (device.name, device.char_devices) == ("mlx5_9", ())
