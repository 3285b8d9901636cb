"""`nicfleet-agent`: settings, then objects, then run. The only place that reads flags and environment."""

import nicfleet.quiet_grpc  # noqa: F401  # before all others, as its own words say

# isort: split
import asyncio
import logging
import os
import signal
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

from agent import inventory, netlink, settings
from agent.channel import Dialler
from agent.directory import DirectoryWatch
from agent.events import UeventMonitor, UeventsUnavailable
from agent.files import Files
from agent.host import Host
from agent.latest import Latest
from agent.link_source import LinkSource
from agent.look import Looker, Read
from agent.nudges import Nudges
from agent.outbox import Identity
from agent.pci import DEVICES
from agent.record import UnusableHost, open_host
from agent.report import Reporter
from agent.run import LIVE_PERIOD, RECORDED_PERIOD, Watch
from agent.server import CannotListen, serving
from agent.settings import Settings
from nicfleet import logs
from nicfleet.flags import IN_PLAINTEXT, InvalidSettings
from nicfleet.inventory import Inventory, NodeName

_log: Final = logging.getLogger("agent")


def main() -> None:
    """Run until SIGTERM or SIGINT; exit 2 for wrong settings, 1 when the agent cannot begin, each with one sentence."""
    try:
        given = settings.read(sys.argv[1:], os.environ)
    except InvalidSettings as error:
        sys.exit(_said(str(error), 2))
    logs.configure(given.log_level)
    if given.ignored:
        _log.warning("flags ignored", extra={"flags": given.ignored, "why": IN_PLAINTEXT})
    try:
        with open_host(given.host_root) as host:
            asyncio.run(_until_signal(given, replace(host, cni_directories=given.cni_directories)))
    except UnusableHost as error:
        sys.exit(_said(f"--host-root: {error}", 2))
    except CannotListen as error:
        sys.exit(_said(str(error), 1))


def _said(sentence: str, code: int) -> int:
    sys.stderr.write(f"nicfleet-agent: {sentence}\n")
    return code


async def _until_signal(given: Settings, host: Host) -> None:
    loop = asyncio.get_running_loop()
    agent = asyncio.ensure_future(_run(given, host))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, agent.cancel)
    try:
        await agent
    except asyncio.CancelledError:
        _log.info("agent stopped")


async def _run(given: Settings, host: Host) -> None:
    agent_version = version("nicfleet")
    latest = Latest(agent_version)
    nudges = Nudges()
    identity = Identity(given.node_name, str(uuid.uuid4()), datetime.now(UTC), agent_version)
    looker = Looker(host.files, _reader(host, given.node_name))
    watch = Watch(looker, nudges, latest, LIVE_PERIOD if host.live else RECORDED_PERIOD)
    reporter = Reporter(identity, given.coordinator, latest, Dialler(given.tls))
    with _listening(host, nudges):
        async with serving(given.grpc_listen, latest) as port, asyncio.TaskGroup() as tasks:
            started = {"node": given.node_name, "version": agent_version, "live": host.live, "port": port}
            # Of any vendor: where a node has none of NVIDIA's, the number tells that the agent sees its bus.
            _log.info("agent started", extra={**started, "pci_functions": len(host.reader().entries(DEVICES))})
            tasks.create_task(watch.run())
            tasks.create_task(reporter.run())


def _reader(host: Host, node: NodeName) -> Read:
    netlinks = LinkSource(netlink.read_links)

    def read(files: Files, previous: Inventory | None) -> Inventory:
        return inventory.read(replace(host, files=files), host.links, node, previous)

    def read_live(files: Files, previous: Inventory | None) -> Inventory:
        links = netlinks.links()
        return inventory.read(replace(host, files=netlinks.fit(files)), links, node, previous)

    return read_live if host.live else read


@contextmanager
def _listening(host: Host, nudges: Nudges) -> Iterator[None]:
    """Every source of events that this host has. One that cannot be had is said once; looks by the clock remain."""
    with ExitStack() as sources:
        try:
            sources.enter_context(DirectoryWatch(host.root, nudges.nudge, recorded=not host.live).listening())
        except OSError as error:
            _log.warning("directories cannot be watched", extra={"error": str(error)})
        if host.live:
            try:
                sources.enter_context(UeventMonitor(nudges.nudge).listening())
            except UeventsUnavailable as error:
                _log.warning("uevents cannot be heard", extra={"error": str(error)})
            try:
                sources.enter_context(netlink.LinkMonitor(nudges.nudge).listening())
            except OSError as error:
                _log.warning("netlink cannot be heard", extra={"error": str(error)})
        yield


if __name__ == "__main__":
    main()
