import errno
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.host import Host
from agent.inventory import read
from agent.links import LinkInfo, Links
from agent.record import FILE_NAME, Record, RecordedFiles, UnusableHost, open_host
from agent.recording import record
from nicfleet.inventory import Flavour, Inventory, Unread
from tests import hosts
from tests.host_driver import load_driver, set_ready, set_running
from tests.host_tree import PCI, HostTree

LINKS = Links((LinkInfo(2, "ens2f0", altnames=("nic0",), addresses=("192.0.2.5/24",)),), (2,), from_netlink=True)
SPEED = f"{PCI}/0000:3b:00.0/net/ens2f0/speed"
SERIAL = f"{PCI}/0000:3b:00.0/vpd"


def _see(path: Path, seen: Inventory) -> Inventory:
    with open_host(path) as host:
        return read(host, host.links, seen.node.name)


def _busy_host(root: Path) -> None:
    hosts.connectx5(root)
    load_driver(root, Flavour.OFED, "24.10-1.1.4")
    set_ready(root, True)
    set_running(root, True)


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(_busy_host, id="a running driver container"),
        pytest.param(hosts.connectx6_infiniband, id="InfiniBand"),
        pytest.param(hosts.connectx6_lx, id="unsupported"),
        pytest.param(hosts.multiport_eswitch, id="multiport E-Switch"),
    ],
)
@pytest.mark.parametrize("links", [pytest.param(LINKS, id="netlink"), pytest.param(None, id="no netlink")])
def test_a_record_is_seen_as_the_host_was(tmp_path: Path, build: Callable[[Path], None], links: Links | None) -> None:
    build(tmp_path / "host")
    seen = record(Host.at(tmp_path / "host"), links, tmp_path / "host.tar.gz")
    assert len(seen.functions) == 2
    assert _see(tmp_path / "host.tar.gz", seen) == seen


def test_failures_are_recorded(tmp_path: Path) -> None:
    hosts.connectx5(tmp_path / "host")
    host = Host.at(tmp_path / "host")
    tree = HostTree(host.root)
    errnos = {tree.real(SPEED): errno.EINVAL, tree.real(SERIAL): errno.EIO, "var/opt/mofed-container": errno.EACCES}
    (host.root / "etc/os-release").unlink()
    (host.root / "etc/os-release").symlink_to("os-release")
    failing = Host(host.root, RecordedFiles(host.files, Record(errnos=errnos)), machine="riscv64")
    (host.root / "proc/sys/kernel/arch").unlink()
    seen = record(failing, LINKS, tmp_path / "host.tar.gz")
    assert seen.functions[0].netdevs[0].speed_mbps is None
    assert seen.functions[0].unread == (Unread(SERIAL, errno.EIO),)
    assert seen.node.unread == (Unread("etc/os-release", errno.ELOOP),)
    assert seen.node.architecture == "riscv64"
    assert _see(tmp_path / "host.tar.gz", seen) == seen


def test_absolute_links_are_recorded(tmp_path: Path) -> None:
    hosts.connectx5(tmp_path / "host")
    (tmp_path / "host/etc/os-release").unlink()
    (tmp_path / "host/etc/os-release").symlink_to("/usr/lib/os-release")
    seen = record(Host.at(tmp_path / "host"), None, tmp_path / "host.tar.gz")
    assert seen.node.os_id == "ubuntu"
    assert _see(tmp_path / "host.tar.gz", seen) == seen


def test_a_record_holds_what_was_read_and_nothing_else(tmp_path: Path) -> None:
    hosts.connectx5(tmp_path / "host")
    HostTree(tmp_path / "host").write("etc/shadow", "root:secret")
    record(Host.at(tmp_path / "host"), None, tmp_path / "host.tar.gz")
    with tarfile.open(tmp_path / "host.tar.gz") as tar:
        names = tar.getnames()
    assert "etc/shadow" not in names
    assert len(names) > 100


def test_what_was_listed_but_not_read_says_so(tmp_path: Path) -> None:
    hosts.connectx5(tmp_path / "host")
    unasked = f"{PCI}/0000:3b:00.0/reset_method"
    HostTree(tmp_path / "host").write(unasked, "flr")
    record(Host.at(tmp_path / "host"), None, tmp_path / "host.tar.gz")
    with open_host(tmp_path / "host.tar.gz") as host:
        reader = host.reader()
        assert reader.text(unasked) is None
        assert reader.unread == (Unread(unasked, errno.ENODATA),)


def test_the_same_host_gives_the_same_bytes(tmp_path: Path) -> None:
    hosts.connectx5(tmp_path / "host")
    for name in ("first", "second"):
        record(Host.at(tmp_path / "host"), LINKS, tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_an_unpacked_record_is_a_host_too(tmp_path: Path) -> None:
    _busy_host(tmp_path / "host")
    seen = record(Host.at(tmp_path / "host"), LINKS, tmp_path / "host.tar.gz")
    with tarfile.open(tmp_path / "host.tar.gz") as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    assert _see(tmp_path / "unpacked", seen) == seen


def _archive(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def _sidecar(**change: Any) -> tuple[tarfile.TarInfo, bytes]:
    return tarfile.TarInfo(FILE_NAME), json.dumps({**Record().to_json(), **change}).encode()


def _nothing(path: Path) -> None:
    del path


def _text(path: Path) -> None:
    path.write_text("NAME  MODEL")


def _cut_off(path: Path) -> None:
    hosts.connectx5(path.parent / "host")
    record(Host.at(path.parent / "host"), None, path)
    path.write_bytes(path.read_bytes()[:-900])


def _no_sidecar(path: Path) -> None:
    _archive(path, (tarfile.TarInfo("etc/os-release"), b"ID=x"))


def _newer(path: Path) -> None:
    _archive(path, _sidecar(format=2))


def _odd_sidecar(path: Path) -> None:
    _archive(path, _sidecar(errnos=[1]))


def _climbing(path: Path) -> None:
    _archive(path, _sidecar(), (tarfile.TarInfo("../outside"), b"owned"))


def _climbing_link(path: Path) -> None:
    link = tarfile.TarInfo("etc")
    link.type, link.linkname = tarfile.SYMTYPE, "../.."
    _archive(path, _sidecar(), (link, b""), (tarfile.TarInfo("etc/outside"), b"owned"))


def _device(path: Path) -> None:
    device = tarfile.TarInfo("dev/mem")
    device.type = tarfile.CHRTYPE
    _archive(path, _sidecar(), (device, b""))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        pytest.param(_nothing, "does not exist: give a host's root directory", id="nothing there"),
        pytest.param(_text, "is not a recorded host", id="a text file"),
        pytest.param(_cut_off, "is not a recorded host", id="cut off"),
        pytest.param(_no_sidecar, "it has no nicfleet-record.json", id="another archive"),
        pytest.param(_newer, "its format is 2, this nicfleet reads format 1", id="a newer format"),
        pytest.param(_odd_sidecar, "is not the record of a host", id="odd JSON"),
        pytest.param(_climbing, "is not a recorded host", id="a file outside"),
        pytest.param(_climbing_link, "is not a recorded host", id="a link that leads outside"),
        pytest.param(_device, "is not a recorded host", id="a device"),
    ],
)
def test_what_is_no_record_is_refused_in_one_sentence(
    tmp_path: Path, make: Callable[[Path], None], sentence: str
) -> None:
    path = tmp_path / "host.tar.gz"
    make(path)
    with pytest.raises(UnusableHost) as raised, open_host(path):
        pass
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "outside").exists()
