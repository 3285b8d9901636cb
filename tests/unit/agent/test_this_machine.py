"""The machine that the tests run on is a host as well."""

import platform
from pathlib import Path

from agent.host import Host
from agent.inventory import read
from agent.links import Links
from agent.record import open_host
from agent.recording import record
from agent.settle import is_complete
from nicfleet import wire
from nicfleet.inventory import NodeName

HERE = Host.at(Path("/"))


def test_it_is_read_whole() -> None:
    seen = read(HERE, None, NodeName("here"))
    assert HERE.live
    assert is_complete(seen)
    assert (seen.node.kernel_release, seen.node.architecture) == (platform.release(), platform.machine())
    assert wire.from_wire(wire.to_wire(seen)) == seen


def test_its_links_are_those_of_sysfs() -> None:
    assert "lo" in Links.from_sysfs(HERE.reader()).by_name


def test_it_can_be_recorded(tmp_path: Path) -> None:
    seen = record(HERE, None, tmp_path / "here.tar.gz")
    with open_host(tmp_path / "here.tar.gz") as host:
        assert not host.live
        assert read(host, host.links, seen.node.name) == seen
