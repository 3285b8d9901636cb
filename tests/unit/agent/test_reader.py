import errno
from collections.abc import Callable

import pytest

from agent.host import Host
from agent.reader import Reader
from nicfleet.inventory import Unread
from tests.host_tree import HostTree


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"0x15b3\n", "0x15b3", id="one newline ends an attribute"),
        pytest.param(b" Gen4 x16 \n", "Gen4 x16", id="padding goes"),
        pytest.param(b"", None, id="empty says nothing"),
        pytest.param(b"\n", None, id="a lone newline says nothing"),
    ],
)
def test_text(tree: HostTree, content: bytes, expected: str | None) -> None:
    tree.write("attribute", content)
    reader = Host.at(tree.root).reader()
    assert (reader.text("attribute"), reader.unread) == (expected, ())


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"ens2f0\0", id="NUL"),
        pytest.param(b"\xff\xfe", id="no UTF-8"),
        pytest.param(b"up\nup", id="two lines"),
        pytest.param(b"\x1b[31m", id="terminal escape"),
        pytest.param(b"1" * 5000, id="more than a page"),
    ],
)
def test_what_is_no_attribute_is_a_finding(tree: HostTree, content: bytes) -> None:
    tree.write("attribute", content)
    reader = Host.at(tree.root).reader()
    assert (reader.text("attribute"), reader.unread) == (None, (Unread("attribute", 0),))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("16", 16, id="decimal"),
        pytest.param("0x101b", 0x101B, id="hexadecimal"),
        pytest.param("-1", -1, id="lowest"),
        pytest.param("-2", None, id="too low"),
        pytest.param("70000", None, id="too high"),
        pytest.param("1e3", None, id="no integer"),
        pytest.param("٣", None, id="a digit of another script"),
        pytest.param("0x", None, id="a prefix alone"),
    ],
)
def test_number(tree: HostTree, content: str, expected: int | None) -> None:
    tree.write("number", content)
    reader = Host.at(tree.root).reader()
    assert reader.number("number", low=-1, high=0xFFFF) == expected
    assert reader.unread == (() if expected is not None else (Unread("number", 0),))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param("../usr/lib/os-release", "inside", id="relative"),
        pytest.param("/usr/lib/os-release", "inside", id="absolute links start at the host's root"),
        pytest.param("../../../../usr/lib/os-release", "inside", id="nothing is above the root"),
        pytest.param("/etc/again", "inside", id="link to a link"),
        pytest.param("../../outside", None, id="outside is not there"),
    ],
)
def test_links_resolve_below_the_root(tree: HostTree, target: str, expected: str | None) -> None:
    (tree.root.parent / "outside").write_text("outside")
    tree.write("usr/lib/os-release", "inside")
    (tree.root / "etc/again").symlink_to("../usr/lib/os-release")
    (tree.root / "etc/link").symlink_to(target)
    assert Host.at(tree.root).reader().text("etc/link") == expected


def _loop(tree: HostTree) -> None:
    (tree.root / "place").symlink_to("place")


def _directory(tree: HostTree) -> None:
    (tree.root / "place").mkdir()


def _below_a_file(tree: HostTree) -> None:
    tree.write("place", "a file")


@pytest.mark.parametrize(
    ("make", "path", "code"),
    [
        pytest.param(_loop, "place", errno.ELOOP, id="a loop of links"),
        pytest.param(_loop, "place/below", errno.ELOOP, id="below a loop of links"),
        pytest.param(_directory, "place", errno.EISDIR, id="a directory where a file should be"),
        pytest.param(_below_a_file, "place/below", errno.ENOTDIR, id="a file where a directory should be"),
    ],
)
def test_what_stands_in_the_way_is_named(
    tree: HostTree, make: Callable[[HostTree], None], path: str, code: int
) -> None:
    make(tree)
    reader = Host.at(tree.root).reader()
    assert reader.text(path) is None
    assert reader.unread == (Unread(path, code),)


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda reader: reader.text("gone"), id="text"),
        pytest.param(lambda reader: reader.link("gone"), id="link"),
        pytest.param(lambda reader: reader.real("gone"), id="real"),
        pytest.param(lambda reader: reader.identity("gone"), id="identity"),
        pytest.param(lambda reader: reader.exists("gone") or None, id="exists"),
        pytest.param(lambda reader: reader.entries("gone") or None, id="entries"),
        pytest.param(lambda reader: reader.data("no/such/folder", 9), id="data"),
    ],
)
def test_absence_is_no_finding(tree: HostTree, ask: Callable[[Reader], object]) -> None:
    reader = Host.at(tree.root).reader()
    assert ask(reader) is None
    assert reader.unread == ()


def test_a_file_in_place_of_a_link_makes_no_sense(tree: HostTree) -> None:
    tree.write("driver", "mlx5_core")
    reader = Host.at(tree.root).reader()
    assert reader.link("driver") is None
    assert reader.unread == (Unread("driver", 0),)


def test_names_that_cannot_be_written_down_are_left_out_and_told(tree: HostTree) -> None:
    (tree.root / "net").mkdir()
    (tree.root / "net" / "ens2f0").mkdir()
    (tree.root / "net" / b"\xff".decode(errors="surrogateescape")).mkdir()
    reader = Host.at(tree.root).reader()
    assert reader.entries("net") == ("ens2f0",)
    assert reader.unread == (Unread("net", 0),)


def test_a_section_owns_its_findings(tree: HostTree) -> None:
    tree.write("odd", b"\xff")
    reader = Host.at(tree.root).reader()
    section = reader.section()
    section.text("odd")
    assert (section.unread, reader.unread) == ((Unread("odd", 0),), ())
