"""A netlink that fails or hangs costs a look what netlink would have said, and nothing more."""

import errno
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from time import monotonic

import pytest

from agent import inventory, link_source
from agent.host import Host
from agent.link_source import LinkSource
from agent.links import LinkInfo, Links
from nicfleet.inventory import NodeName, Unread
from tests.host_tree import PCI, HostTree

FIRST = Links((LinkInfo(1, "ens1f0"),), from_netlink=True)
SECOND = Links((LinkInfo(2, "ens2f0"),), from_netlink=True)
SECONDS = 30.0
"""In which a dump that does not hang has ended on any machine."""


def answering(*answers: Callable[[], Links]) -> LinkSource:
    """Each dump gives the next answer."""
    rest: Iterator[Callable[[], Links]] = iter(answers)
    return LinkSource(lambda: next(rest)())


def refuse() -> Links:
    raise OSError(errno.ENOBUFS, "No buffer space available")


def stumble() -> Links:
    raise KeyError("index")


@pytest.mark.parametrize("fail", [refuse, stumble])
def test_a_dump_that_fails_leaves_the_last_one_and_is_told_once(
    fail: Callable[[], Links], caplog: pytest.LogCaptureFixture
) -> None:
    source = answering(lambda: FIRST, fail, fail, lambda: SECOND, fail)
    seen = [source.links() for _ in range(3)]
    assert seen == [FIRST, FIRST, FIRST]
    assert caplog.messages == ["netlink gives no links"]
    assert source.links() == SECOND
    assert source.links() == SECOND
    assert len(caplog.messages) == 2, "a new failure is told anew"


def test_without_any_dump_there_is_sysfs_only(caplog: pytest.LogCaptureFixture) -> None:
    assert answering(refuse).links() is None
    assert caplog.messages == ["netlink gives no links"]


def test_a_dump_that_hangs_costs_one_deadline_and_is_not_asked_on_top(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_source, "DUMP_SECONDS", SECONDS)
    let_go = threading.Event()

    def hang() -> Links:
        let_go.wait()
        return FIRST

    source = answering(lambda: FIRST, hang, lambda: SECOND)
    assert source.links() == FIRST
    with monkeypatch.context() as impatient:
        impatient.setattr(link_source, "DUMP_SECONDS", 0.1)
        assert source.links() == FIRST
    began = monotonic()
    assert source.links() == FIRST
    assert monotonic() - began < SECONDS, "while it hangs, no look waits again"

    let_go.set()
    while (links := source.links()) == FIRST and monotonic() - began < SECONDS:
        threading.Event().wait(0.01)
    assert links == SECOND


def test_while_a_dump_hangs_nobody_waits_for_its_lock(tree: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reader that waits for it takes a core, on kernels before 6.15."""
    tree.add_pf("0000:3b:00.0", 0x1017, netdev="ens1f0", attributes={"numa_node": "1"})
    tree.add_pf("0000:5e:00.0", 0x101D)
    representor = {"phys_port_name": "pf0vf3", "phys_switch_id": "ab12", "mtu": "9000"}
    tree.add_netdev(tree.real(f"{PCI}/0000:5e:00.0"), "eth7", attributes=representor)
    host = Host.at(tree.root)
    let_go = threading.Event()

    def hang() -> Links:
        let_go.wait()
        return FIRST

    source = answering(lambda: FIRST, hang, lambda: SECOND)
    before = inventory.read(host, source.links(), NodeName("n"))
    assert source.fit(host.files) is host.files

    monkeypatch.setattr(link_source, "DUMP_SECONDS", 0.1)
    links = source.links()
    locked = replace(host, files=source.fit(host.files))
    seen = inventory.read(locked, links, NodeName("n"))
    first = tree.real(f"{PCI}/0000:3b:00.0/net/ens1f0/speed")
    assert {*seen.all_unread()} == {Unread(first, errno.ETIMEDOUT)}
    (netdev,) = seen.functions[1].netdevs
    assert (netdev.mtu, netdev.speed_mbps, netdev.port_name, netdev.switch_id) == (9000, None, None, None)
    seen = inventory.read(locked, links, NodeName("n"), before)
    assert seen.functions[1].netdevs == before.functions[1].netdevs, "no representor becomes an uplink"

    monkeypatch.setattr(link_source, "DUMP_SECONDS", SECONDS)
    let_go.set()
    began = monotonic()
    while source.links() == FIRST and monotonic() - began < SECONDS:
        threading.Event().wait(0.01)
    assert source.fit(host.files) is host.files
