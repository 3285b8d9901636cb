"""The agent's ears on the real kernel: netlink, uevents, inotify."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.directory import DirectoryWatch
from agent.events import UeventMonitor
from agent.netlink import LinkMonitor, read_links
from tests.integration.agent.namespace import LOOPBACK, Namespace, namespace

SECONDS = 60.0
"""Longest wait for anything; reached only when a test fails."""
SETTLE_SECONDS = 0.2
"""What the kernel does, it has told when it is done, and the loop hears all that before a timer ends. Only what a link
does by itself comes later: most of it in this time."""
TRIES = 5
"""Uevents are the whole machine's: at some time nobody else's come."""
FEW = 100
"""A loop that spins makes more nudges than this in a moment."""


class Counter:
    """Counts nudges."""

    def __init__(self) -> None:
        self.count = 0

    def nudge(self) -> None:
        self.count += 1

    async def some(self) -> None:
        """Until one comes, and those that come with it."""
        async with asyncio.timeout(SECONDS):
            while not await self.taken():
                pass

    async def taken(self) -> int:
        """How many came since the last call."""
        await asyncio.sleep(SETTLE_SECONDS)
        taken, self.count = self.count, 0
        return taken


@pytest.fixture
def net() -> Iterator[Namespace]:
    with namespace() as made:
        yield made


@pytest.fixture
def nudges() -> Counter:
    return Counter()


def shrink_buffer(monitor: LinkMonitor | UeventMonitor) -> None:
    """Make the socket's receive buffer as small as the kernel allows: a few messages."""
    with socket.fromfd(monitor.fileno(), socket.AF_NETLINK, socket.SOCK_RAW) as duplicate:
        duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)


def replay_uevent() -> None:
    """Have the kernel tell of a PCI device again."""
    device = next(Path("/sys/bus/pci/devices").iterdir())
    (device / "uevent").write_text("add")


def test_links_as_the_kernel_knows_them(net: Namespace) -> None:
    below = net.add_veth("pod0")
    index = net.add_macvlan("mac0", below)
    net.link("property_add", index=index, altname="a-longer-name-than-sixteen-bytes")
    net.link("set", index=below, state="up")
    net.link("set", index=index, state="up")
    net.address("add", index=index, address="192.0.2.7", prefixlen=24)
    net.route("add", dst="default", gateway="192.0.2.1")

    links = net.run(read_links)

    assert links.by_name.keys() >= {"lo", "mac0"}
    assert not links.by_name.keys() & {"pod0", "pod0-peer"}, "links between pods are left out"
    link = links.by_name["mac0"]
    assert (link.index, link.kind, link.lower, link.admin_up) == (index, "macvlan", below, True)
    assert link.altnames == ("a-longer-name-than-sixteen-bytes",)
    assert "192.0.2.7/24" in link.addresses
    assert links.default_routes == (index,)
    assert links.from_netlink


async def test_links_addresses_and_default_routes_nudge_and_pods_do_not(net: Namespace, nudges: Counter) -> None:
    net.link("set", index=LOOPBACK, state="up")
    with net.run(lambda: LinkMonitor(nudges.nudge)).listening():
        below = net.add_veth("pod0")
        net.link("set", index=below, state="up")
        net.route("add", dst="198.51.100.0/24", oif=LOOPBACK)
        assert await nudges.taken() == 0
        net.address("add", index=LOOPBACK, address="192.0.2.7", prefixlen=24)
        await nudges.some()
        net.route("add", dst="default", gateway="192.0.2.1")
        await nudges.some()

        index = net.add_macvlan("mac0", below)
        await nudges.some()
        net.link("set", index=index, state="up")
        await nudges.some()
        net.link("del", index=index)
        await nudges.some()


async def test_lost_netlink_events_are_a_nudge_and_the_next_ones_are_heard(
    net: Namespace, nudges: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    index = net.add_macvlan("mac0", net.add_veth("pod0"))
    monitor = net.run(lambda: LinkMonitor(nudges.nudge))
    shrink_buffer(monitor)
    for mtu in range(1000, 1020):
        net.link("set", index=index, mtu=mtu)
    with monitor.listening():
        await nudges.some()
        assert "netlink events lost, reading everything" in caplog.messages
        net.link("set", index=index, mtu=1400)
        await nudges.some()
        assert await nudges.taken() < FEW, "the loop must not spin on the socket's error"


async def test_uevents_of_devices_nudge_and_those_of_pods_do_not(net: Namespace, nudges: Counter) -> None:
    with net.run(lambda: UeventMonitor(nudges.nudge)).listening():
        heard = [await _nudges_of(net, f"pod{number}", nudges) for number in range(TRIES)]
        assert min(heard) == 0
        replay_uevent()
        await nudges.some()


async def _nudges_of(net: Namespace, pod: str, nudges: Counter) -> int:
    await nudges.taken()
    net.add_veth(pod)
    return await nudges.taken()


async def test_lost_uevents_are_a_nudge_and_the_next_ones_are_heard(
    nudges: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = UeventMonitor(nudges.nudge)
    shrink_buffer(monitor)
    for _ in range(20):
        replay_uevent()
    with monitor.listening():
        await nudges.some()
        assert set(caplog.messages) == {"uevents lost, reading everything"}
        replay_uevent()
        await nudges.some()
        assert await nudges.taken() < FEW, "the loop must not spin on the socket's error"
        assert len(caplog.messages) < FEW


async def test_the_driver_containers_files_nudge_from_before_their_folder_exists(
    tmp_path: Path, nudges: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with DirectoryWatch(tmp_path, nudges.nudge, recorded=False).listening():
        drivers = tmp_path / "run/mellanox/drivers"
        (tmp_path / "run").mkdir()
        (tmp_path / "run/unrelated").touch()
        await asyncio.sleep(SETTLE_SECONDS)
        drivers.mkdir(parents=True)
        await nudges.some()
        ready = drivers / ".driver-ready"
        ready.touch()
        await nudges.some()
        ready.write_text("text")
        assert await nudges.taken() == 0, "on a live host every close of a device would be heard"
        ready.unlink()
        await nudges.some()
        drivers.rmdir()
        await nudges.taken()
        drivers.mkdir()
        await nudges.some()
        ready.touch()
        await nudges.some()


async def test_a_recorded_host_nudges_on_every_change(tmp_path: Path, nudges: Counter) -> None:
    device = tmp_path / "sys/bus/pci/devices/0000:3b:00.0"
    device.mkdir(parents=True)
    with DirectoryWatch(tmp_path, nudges.nudge, recorded=True).listening():
        (device / "sriov_numvfs").write_text("4\n")
        await nudges.some()
        (device / "net").mkdir()
        await nudges.some()
        device.rename(tmp_path / "gone")
        await nudges.some()
