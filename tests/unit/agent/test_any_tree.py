"""Whatever a host's files hold, a look raises nothing, and its inventory survives the wire and a record."""

import errno
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import vpd
from agent.host import Host
from agent.inventory import read
from agent.record import open_host
from agent.recording import record
from nicfleet import wire
from nicfleet.inventory import Flavour, Inventory
from tests import hosts
from tests.host_driver import add_build, add_module, load_driver, set_running
from tests.host_tree import HostTree
from tests.unit.agent.looking import look

Change = Callable[[Path], object]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A host that has something of everything."""
    root = tmp_path_factory.mktemp("any") / "host"
    hosts.connectx6_infiniband(root)
    load_driver(root, Flavour.OFED, "24.10-1.1.4")
    add_module(root, "nvidia_peermem")
    add_build(root, "6.8.0-60-generic", "24.10-1.1.4.0")
    set_running(root, True)
    tree = HostTree(root)
    tree.add_pf("0000:d1:00.0", 0x101D, netdev="ens7f0", total_vfs=2, vfs=1)
    tree.write("sys/class/net/bonding_masters", "bond0")
    return root


@pytest.fixture(scope="module")
def paths(template: Path) -> list[str]:
    return sorted(str(path.relative_to(template)) for path in template.rglob("*"))


def _with_content(content: bytes) -> Change:
    return lambda place: place.write_bytes(content)


def _with_link(target: str) -> Change:
    return lambda place: place.symlink_to(target)


def _with_directory(place: Path) -> None:
    place.mkdir()


def _with_odd_name(place: Path) -> None:
    place.mkdir()
    (place / b"\xff\xfe".decode(errors="surrogateescape")).mkdir()


def _with_nothing(place: Path) -> None:
    del place


CONTENTS = st.one_of(
    st.binary(max_size=64),
    st.text(max_size=20).map(lambda text: text.encode(errors="replace")),
    st.integers().map(lambda number: str(number).encode()),
    st.sampled_from([b"", b"\0" * 9, b"-1", b"0x", b"9" * 5000, b"4: \n", b"1 1 0:1 / / rw - btrfs /dev/\0 rw\n"]),
)
TARGETS = st.sampled_from(
    ["/", "..", "../" * 60, "self", "../0000:5e:00.1", "/sys/bus/pci/devices", "a" * 250, "\udcff"]
)
CHANGES: st.SearchStrategy[Change] = st.one_of(
    CONTENTS.map(_with_content),
    TARGETS.map(_with_link),
    st.sampled_from([_with_directory, os.mkfifo, _with_odd_name, _with_nothing]),
)


def _survives(seen: Inventory) -> None:
    message = wire.to_wire(seen)
    assert wire.from_wire(type(message).FromString(message.SerializeToString())) == seen


@contextmanager
def _changed(root: Path, changes: Mapping[str, Change]) -> Iterator[None]:
    """The tree with what stands at some paths replaced; put back afterwards."""
    with tempfile.TemporaryDirectory(dir=root.parent) as stash, ExitStack() as undo:
        for number, (path, change) in enumerate(changes.items()):
            place, kept = root / path, Path(stash) / str(number)
            if place.parent.is_dir() and os.path.lexists(place):
                place.rename(kept)
                undo.callback(kept.rename, place)
                undo.callback(HostTree(root).remove, path)
                change(place)
        yield


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_files(template: Path, paths: list[str], data: st.DataObject) -> None:
    changes = data.draw(st.dictionaries(st.sampled_from(paths), CHANGES, min_size=1, max_size=6))
    with _changed(template, changes):
        _survives(look(HostTree(template)))


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_any_files_recorded(template: Path, paths: list[str], data: st.DataObject) -> None:
    changes = data.draw(st.dictionaries(st.sampled_from(paths), CHANGES, min_size=1, max_size=6))
    archive = template.parent / "host.tar.gz"
    with _changed(template, changes):
        seen = record(Host.at(template), None, archive)
    with open_host(archive) as host:
        assert read(host, host.links, seen.node.name) == seen


CODES = st.sampled_from([errno.EACCES, errno.EIO, errno.EINVAL, errno.ENODEV, errno.ETIMEDOUT, errno.EISDIR])


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_failure(template: Path, paths: list[str], data: st.DataObject) -> None:
    errnos = data.draw(st.dictionaries(st.sampled_from(paths), CODES, min_size=1, max_size=6))
    _survives(look(HostTree(template), errnos=errnos))


@settings(max_examples=300)
@given(
    st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda tail: b"\x82\x01\x00a\x90\x20\x00SN" + tail))
)
def test_any_vital_product_data(data: bytes) -> None:
    board = vpd.parse(data)
    assert board is None or any((board.serial, board.part_number, board.description))
