"""What `nicfleet inspect` and `nicfleet record` say about built hosts, to the letter."""

import json
import re
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from google.protobuf import json_format
from typer.testing import CliRunner, Result

from cli.__main__ import app
from nicfleet.inventory import Flavour
from nicfleet.v1 import view_pb2
from tests import hosts
from tests.host_driver import load_driver, set_ready, set_running
from tests.host_tree import HostTree


@pytest.fixture
def connectx5(tmp_path: Path) -> Path:
    root = tmp_path / "worker-1"
    hosts.connectx5(root)
    load_driver(root, Flavour.OFED, "24.10-1.1.4")
    set_running(root, True)
    set_ready(root, True)
    return root


def nicfleet(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_table_speaks_the_words_of_nic_tools(connectx5: Path) -> None:
    HostTree(connectx5).write("sys/bus/pci/devices/0000:3b:00.1/current_link_width", "8")
    HostTree(connectx5).write("sys/class/net/ens2f1/operstate", "down")
    HostTree(connectx5).write("sys/class/infiniband/mlx5_1/ports/1/state", "1: DOWN")

    result = nicfleet("inspect", "--host-root", connectx5)

    heading, *rows, driver = result.stdout.splitlines()
    assert heading == "worker-1, ubuntu 22.04, kernel 6.8.0-60-generic, x86_64"
    assert [re.split(" {2,}", row.strip()) for row in rows] == [
        ["ADDRESS", "MODEL", "PORT", "LINK", "FW", "PCIE", "VFS", "NUMA", "DRIVER"],
        [
            *("0000:3b:00.0", "ConnectX-5", "mlx5_0 port 1 ==> ens2f0 (Up)", "Ethernet 100 Gb/s", "16.35.4030"),
            *("16 GT/s x16", "2 of 8", "0", "mlx5_core"),
        ],
        [
            *("0000:3b:00.2", "ConnectX-5", "mlx5_2 port 1 ==> ens2f0v0 (Up)", "Ethernet 100 Gb/s", "16.35.4030"),
            *("-", "VF 0", "0", "mlx5_core"),
        ],
        [
            *("0000:3b:00.4", "ConnectX-5", "mlx5_3 port 1 ==> ens2f0v1 (Up)", "Ethernet 100 Gb/s", "16.35.4030"),
            *("-", "VF 1", "0", "mlx5_core"),
        ],
        [
            *("0000:3b:00.1", "ConnectX-5", "mlx5_1 port 1 ==> ens2f1 (Down)", "Ethernet DOWN", "16.35.4030"),
            *("16 GT/s x8 (of 16 GT/s x16)", "0 of 8", "0", "mlx5_core"),
        ],
    ]
    assert driver == "NIC driver: OFED 24.10-1.1.4 (driver container running, ready)"


def test_without_rdma_the_table_shows_netdevs_and_findings(tmp_path: Path) -> None:
    hosts.connectx6_lx(tmp_path)

    result = nicfleet("inspect", "--host-root", tmp_path)

    assert "ConnectX-6 Lx (unsupported)  ens5f0 (Up)  Ethernet 100 Gb/s  -" in result.stdout
    assert "NIC driver: inbox\n" in result.stdout
    assert "UnsupportedDevice: ConnectX-6 Lx is not supported" in result.stdout


def test_representors_and_ports_without_a_netdev_stand_alone(connectx5: Path) -> None:
    tree = HostTree(connectx5)
    port = tree.real("sys/bus/pci/devices/0000:3b:00.0")
    tree.add_netdev(port, "eth4", attributes={"phys_port_name": "pf0vf0", "operstate": "up"})
    tree.remove("sys/bus/pci/devices/0000:3b:00.1/net/ens2f1")

    output = nicfleet("inspect", "--host-root", connectx5).stdout

    assert "\n              " + " " * 12 + "eth4 (Up)  " in output
    assert "mlx5_1 port 1  " in output


def test_what_the_host_says_is_printed_as_it_is(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.add_system(os_id="[red]")
    tree.add_pf("0000:ab:00.0", 0x1021, netdev="ens1[0]")

    output = nicfleet("inspect", "--host-root", tmp_path).stdout

    assert "[red] 22.04" in output
    assert "0000:ab:00.0  ConnectX-7  ens1[0] (Up)" in output


def test_a_machine_without_nics_is_not_an_error(tmp_path: Path) -> None:
    HostTree(tmp_path).add_system()

    result = nicfleet("inspect", "--host-root", tmp_path)

    assert "no NVIDIA/Mellanox network function\nNIC driver: none loaded" in result.stdout
    assert result.exit_code == 0


@pytest.mark.parametrize("arguments", [("--help",), ("inspect", "--help"), ("record", "--help")], ids=" ".join)
def test_help_shows_no_value_where_none_is_taken(arguments: tuple[str, ...]) -> None:
    result = nicfleet(*arguments)

    assert result.exit_code == 0
    assert re.search(r"--help +Show this message and exit\.", result.stdout)
    assert "bool" not in result.stdout


def test_the_version_is_that_of_the_distribution() -> None:
    result = nicfleet("--version")

    assert (result.exit_code, result.stdout) == (0, f"nicfleet {version('nicfleet')}\n")


def test_json_and_yaml_are_the_inventory_message(connectx5: Path) -> None:
    as_json = json.loads(nicfleet("inspect", "--host-root", connectx5, "-o", "json").stdout)
    as_yaml = yaml.safe_load(nicfleet("inspect", "--host-root", connectx5, "-o", "yaml").stdout)

    message = json_format.ParseDict(as_json, view_pb2.Inventory())

    assert as_yaml == as_json
    assert [function.address for function in message.functions] == ["0000:3b:00.0", "0000:3b:00.1"]
    assert as_json["functions"][0]["sriov_total_vfs"] == 8


def test_a_recorded_host_looks_like_the_host(connectx5: Path, tmp_path: Path) -> None:
    archive = tmp_path / "worker-1.tar.gz"

    recorded = nicfleet("record", "--host-root", connectx5, "-o", archive)

    assert recorded.stdout == (
        f"{archive}: 4 network functions. To look at it: nicfleet inspect --host-root {archive}\n"
    )
    assert nicfleet("inspect", "--host-root", archive).stdout == nicfleet("inspect", "--host-root", connectx5).stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(
            ("inspect", "--host-root", "/no/such"),
            "nicfleet: --host-root: /no/such does not exist: "
            "give a host's root directory, or a file of nicfleet record",
            id="no-such-root",
        ),
        pytest.param(
            ("inspect", "--host-root", __file__),
            f"nicfleet: --host-root: {__file__} is not a recorded host",
            id="root-is-no-archive",
        ),
        pytest.param(
            ("inspect", "--host-root", str(Path(__file__).parent)),
            f"nicfleet: --host-root: {Path(__file__).parent} shows no PCI bus (/sys/bus/pci/devices cannot be listed): "
            "give a host's root directory",
            id="root-is-no-host",
        ),
        pytest.param(("plan",), "nicfleet: missing option '--filename' / '-f': see nicfleet plan", id="no-file"),
        pytest.param(("plan", "--bogus"), "nicfleet: no such option: --bogus: see nicfleet plan", id="no-such-option"),
        pytest.param(("--bogus",), "nicfleet: no such option: --bogus: see nicfleet", id="no-such-option-of-it"),
        pytest.param(("bogus",), "nicfleet: no such command 'bogus': see nicfleet", id="no-such-command"),
        pytest.param(
            ("inspect", "-o", "csv"),
            "nicfleet: invalid value for '--output' / '-o': 'csv' is not one of 'table', 'json', 'yaml': see nicfleet",
            id="no-such-form",
        ),
        pytest.param(
            ("record", "-o", "/no/such/folder.tar.gz"),
            "nicfleet: cannot write /no/such/folder.tar.gz: No such file or directory; "
            "give a file in a folder that you may write",
            id="unwritable-archive",
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    result = nicfleet(*arguments)

    assert result.exit_code == 2
    assert result.stderr.startswith(sentence)
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
