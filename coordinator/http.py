"""The coordinator's HTTP side: probes for the kubelet and metrics for Prometheus. It tells nothing else."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from coordinator.fleet.fleet import Connection, Snapshot
from nicfleet.listen import host_and_port
from nicfleet.reasons import Reason

_CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class CannotServe(RuntimeError):
    """The address to serve on is taken, or is none."""


class FleetCollector(Collector):
    """Metrics computed from the fleet when they are scraped, so that none can be stale."""

    def __init__(self, snapshots: Callable[[], Iterable[Snapshot]], policy_ready: Callable[[], bool | None]) -> None:
        self._snapshots = snapshots
        self._policy_ready = policy_ready

    def collect(self) -> Iterator[Metric]:
        counts = Counter(snapshot.connection for snapshot in self._snapshots())
        nodes = GaugeMetricFamily("nicfleet_nodes", "Nodes by the state of their agent's connection.", labels=["state"])
        for connection in Connection:
            nodes.add_metric([connection.name.lower()], counts[connection])
        yield nodes
        ready = self._policy_ready()
        if ready is not None:
            yield GaugeMetricFamily(
                "nicfleet_policy_ready", "1 when nic-cluster-policy is ready, else 0.", float(ready)
            )


class RefusalCollector(Collector):
    """How often agents and viewers were refused, by reason."""

    def __init__(self, counts: Mapping[Reason, int]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        refusals = CounterMetricFamily("nicfleet_refusals", "Agents and viewers refused, by reason.", labels=["reason"])
        for reason, count in sorted(self._counts.items()):
            refusals.add_metric([reason], count)
        yield refusals


class LeaderCollector(Collector):
    """Which of several coordinators leads."""

    def __init__(self, leads: Callable[[], bool]) -> None:
        self._leads = leads

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("nicfleet_leader", "1 when this coordinator leads, else 0.", float(self._leads()))


def registry(*collectors: Collector) -> CollectorRegistry:
    """A registry of these collectors and the process's own figures."""
    own = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=own)
    PlatformCollector(registry=own)
    GCCollector(registry=own)
    for collector in collectors:
        own.register(collector)
    return own


async def serve_http(
    listen: str, metrics: CollectorRegistry, unhealthy: Callable[[], str], role: Callable[[], str]
) -> web.AppRunner:
    """Serve `/healthz` (the process answers), `/readyz` (503 with `unhealthy()` while that is not empty), `/metrics`.

    `role` is what there is to say when it is ready.
    Raises CannotServe.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        reason = unhealthy()
        return web.Response(text=f"{reason or role()}\n", status=503 if reason else 200)

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics), headers={"Content-Type": _CONTENT_TYPE})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", scrape)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, *host_and_port(listen)).start()
    except OSError as error:
        await runner.cleanup()
        raise CannotServe(f"cannot listen on {listen}: give --http-listen a free HOST:PORT of this host") from error
    return runner
