"""A read that hangs is named and left behind, with all that would hang with it; the rest is still reported."""

import asyncio
import errno
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import inventory, look
from agent.files import DirectoryFiles, Files
from agent.hangs import Hang
from agent.host import Host
from agent.look import Looker
from nicfleet.inventory import Function, Inventory, NodeName, Unread
from tests.host_tree import PCI, HostTree

SICK, WELL = "0000:3b:00.0", "0000:5e:00.0"
KEY = r"/infiniband/mlx5_0/ports/[0-9]+/pkeys/[0-9]+"


class HangingFiles(DirectoryFiles):
    """Reads of the files whose path matches do not return until they are let go."""

    def __init__(self, root: Path, pattern: str = "$.") -> None:
        super().__init__(root)
        self._let_go = threading.Event()
        self._begin = pattern
        self.hung: list[str] = []

    def begin(self, pattern: str) -> None:
        """From now on these hang."""
        self._begin = pattern

    def let_go(self) -> None:
        """From now on nothing hangs."""
        self._begin = "$."
        self._let_go.set()

    def read(self, path: str, limit: int) -> bytes:
        if re.search(self._begin, path):
            self.hung.append(path)
            self._let_go.wait()
        return super().read(path, limit)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "STUCK_SECONDS", 2.0)  # else what is only slow would count as well
    monkeypatch.setattr(look, "_CHECK_SECONDS", 0.05)
    monkeypatch.setattr(Hang, "is_over", lambda hang, _: hang.returned is not None)


@pytest.fixture
def files(tree: HostTree) -> Iterator[HangingFiles]:
    """Of a host with two cards."""
    tree.add_pf(SICK, 0x1017, netdev="ens1f0", total_vfs=8, vfs=2, attributes={"numa_node": "1"})
    tree.add_pf("0000:3b:00.1", 0x1017, netdev="ens1f1")
    tree.add_pf(WELL, 0x101D, netdev="ens2f0")
    found = HangingFiles(tree.root)
    yield found
    found.let_go()


def looker_of(tree: HostTree, files: Files) -> Looker:
    def read(guarded: Files, previous: Inventory | None) -> Inventory:
        return inventory.read(Host(tree.root, guarded), None, NodeName("n"), previous)

    return Looker(files, read)


async def looked(looker: Looker, previous: Inventory | None = None) -> Inventory:
    async with asyncio.timeout(60):
        return await looker.look(previous)


async def until_answered(looker: Looker, previous: Inventory | None) -> Inventory:
    """A look that finds nothing unread; a thread that was let go needs a moment to say so."""
    async with asyncio.timeout(60):
        while True:
            seen = await looker.look(previous)
            if not [*seen.all_unread()]:
                return seen


async def test_a_read_that_hangs_is_an_unread_attribute_until_it_returns(tree: HostTree, files: HangingFiles) -> None:
    files.begin(f"{SICK}/numa_node")
    looker = looker_of(tree, files)

    seen = await looked(looker)
    sick, port, well = seen.functions
    assert (sick.address, sick.model, sick.numa_node) == (SICK, "ConnectX-5", None)
    (problem,) = sick.unread
    assert problem.path.endswith(f"{SICK}/numa_node")
    assert problem.errno == errno.ETIMEDOUT
    assert port.unread == (problem,)
    assert well.unread == ()

    await looked(looker, seen)
    assert len(files.hung) == 1, "no second read on top of one that hangs"

    files.let_go()
    assert (await until_answered(looker, seen)).functions[0].numa_node == 1


@pytest.mark.parametrize(("ports", "keys"), [pytest.param(1, 40, id="40"), pytest.param(3, 100, id="300")])
async def test_of_a_card_that_answers_nothing_one_read_hangs(
    tree: HostTree, files: HangingFiles, ports: int, keys: int
) -> None:
    """As many minutes as it has attributes would pass until the node is reported, and then all over again."""
    many = {f"ports/{port + 1}/pkeys/{key}": "0xffff" for port in range(ports) for key in range(keys)}
    tree.add_rdma_device(tree.real(f"{PCI}/{SICK}"), "mlx5_0", attributes=many)
    tree.add_rdma_device(tree.real(f"{PCI}/{WELL}"), "mlx5_3")
    files.begin(KEY)
    looker = looker_of(tree, files)

    seen = await looked(looker)
    assert len(files.hung) == 1
    assert {*seen.all_unread()} == {Unread(files.hung[0], errno.ETIMEDOUT)}
    sick, port, well = seen.functions
    assert [sick.address, port.address] == [SICK, "0000:3b:00.1"]
    assert sick.unread == port.unread != ()
    assert (well.unread, well.rdma_devices[0].ports[0].pkeys) == ((), (0xFFFF,))
    assert [len(function.rdma_devices[0].char_devices) for function in (sick, well)] == [3, 3]

    tree.write(f"{PCI}/{WELL}/numa_node", "3")
    seen = await looked(looker, seen)
    assert seen.functions[2].numa_node == 3, "others are told as ever"
    assert len(files.hung) == 1

    files.let_go()
    seen = await until_answered(looker, seen)
    assert [len(port.pkeys) for port in seen.functions[0].rdma_devices[0].ports] == [keys] * ports


async def test_a_card_is_as_it_was_while_it_answers_nothing(tree: HostTree, files: HangingFiles) -> None:
    tree.add_rdma_device(tree.real(f"{PCI}/{SICK}"), "mlx5_0", infiniband=True)
    looker = looker_of(tree, files)
    before = await looked(looker)
    files.begin(KEY)
    tree.add_netdev(tree.real(f"{PCI}/{SICK}"), "ens1f0_0")
    tree.remove_function("0000:3b:00.2")

    seen = await looked(looker, before)
    assert [_answers(function) for function in seen.functions] == [_answers(function) for function in before.functions]
    assert [netdev.name for netdev in seen.functions[0].netdevs] == ["ens1f0", "ens1f0_0"], "listings ask no device"
    assert [vf.address for vf in seen.functions[0].virtual_functions] == ["0000:3b:00.4"]


def _answers(function: Function) -> tuple[object, ...]:
    netdev = function.netdevs[0]
    return (function.numa_node, function.pcie, function.sriov_total_vfs, netdev, function.rdma_devices)


async def test_the_attributes_that_wait_for_one_lock_hang_together(tree: HostTree, files: HangingFiles) -> None:
    """Whichever card holds it: the first that was waited for stands for all, and no card is called sick."""
    looker = looker_of(tree, files)
    before = await looked(looker)
    files.begin("/net/[^/]+/(speed|phys_)")
    tree.write(f"{PCI}/{WELL}/net/ens2f0/mtu", "9000")

    seen = await looked(looker, before)
    assert len(files.hung) == 1
    assert {*seen.all_unread()} == {Unread(files.hung[0], errno.ETIMEDOUT)}
    (netdev,) = seen.functions[2].netdevs
    assert (netdev.speed_mbps, netdev.mtu) == (100000, 9000)


async def test_of_what_hung_one_thing_is_tried_in_a_look(tree: HostTree, files: HangingFiles) -> None:
    """Else a look would take five seconds for each of a node's cards."""
    files.begin("/numa_node")
    looker = looker_of(tree, files)
    seen = await looked(looker)
    assert len(files.hung) == 2
    assert all(function.unread for function in seen.functions)

    files.let_go()
    tried = [len({*(await looked(looker, seen)).all_unread()})]
    async with asyncio.timeout(60):
        while tried[-1]:
            tried.append(len({*(await looker.look(seen)).all_unread()}))
    assert 1 in tried


async def test_what_a_reader_raises_is_raised(tree: HostTree) -> None:
    def read(guarded: Files, previous: Inventory | None) -> Inventory:
        raise OSError(errno.ENOBUFS, "netlink")

    with pytest.raises(OSError, match="netlink"):
        await Looker(DirectoryFiles(tree.root), read).look(None)
