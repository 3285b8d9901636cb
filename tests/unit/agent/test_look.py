"""A read that hangs is named and left behind; the rest is still reported."""

import errno
import threading
from pathlib import Path

import pytest

from agent import inventory, look
from agent.files import DirectoryFiles, Files
from agent.host import Host
from agent.look import Looker
from nicfleet.inventory import Inventory, NodeName
from tests.host_tree import HostTree


class HangingFiles(DirectoryFiles):
    """Reads of one file do not return until they are let go."""

    def __init__(self, root: Path, name: str) -> None:
        super().__init__(root)
        self._name = name
        self.let_go = threading.Event()
        self.hanging = 0

    def read(self, path: str, limit: int) -> bytes:
        if path.endswith(self._name):
            self.hanging += 1
            self.let_go.wait()
            self.hanging -= 1
        return super().read(path, limit)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "STUCK_SECONDS", 2.0)  # else what is only slow would count as well
    monkeypatch.setattr(look, "_CHECK_SECONDS", 0.05)


async def test_a_read_that_hangs_is_an_unread_attribute_until_it_returns(tree: HostTree) -> None:
    tree.add_pf("0000:3b:00.0", 0x1017, netdev="ens1f0")
    tree.add_pf("0000:5e:00.0", 0x101D, netdev="ens2f0")
    files = HangingFiles(tree.root, "0000:3b:00.0/numa_node")

    def read(guarded: Files, previous: Inventory | None) -> Inventory:
        return inventory.read(Host(tree.root, guarded), None, NodeName("n"), previous)

    looker = Looker(files, read)
    sick, well = (await looker.look(None)).functions
    assert (sick.address, sick.model, sick.numa_node) == ("0000:3b:00.0", "ConnectX-5", None)
    (problem,) = sick.unread
    assert problem.path.endswith("0000:3b:00.0/numa_node")
    assert problem.errno == errno.ETIMEDOUT
    assert well.unread == ()

    await looker.look(None)
    assert files.hanging == 1, "no second read on top of one that hangs"

    files.let_go.set()
    while files.hanging:
        threading.Event().wait(0.01)
    assert (await looker.look(None)).functions[0].unread == ()


async def test_what_a_reader_raises_is_raised(tree: HostTree) -> None:
    def read(guarded: Files, previous: Inventory | None) -> Inventory:
        raise OSError(errno.ENOBUFS, "netlink")

    with pytest.raises(OSError, match="netlink"):
        await Looker(DirectoryFiles(tree.root), read).look(None)
