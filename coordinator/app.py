"""The coordinator, put together: what every one of several does, and when one of them leads.

every one   serves gRPC, probes, metrics and the admission webhook, and takes part in the election
the leader  hears the agents and writes labels, objects and statuses: leader.py

A process leads once, and ends when it has lost the lease: what it knew of the fleet is not to be true any more. Its
container starts anew at once and stands by, however long the API server is away.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from random import Random
from typing import Final

from coordinator.admission.server import Webhook
from coordinator.authentication.gate import Gate
from coordinator.certificates.keeper import Certificates
from coordinator.certificates.settings import TlsSettings
from coordinator.certificates.sources import source_of
from coordinator.fleet.leadership import ALONE, Leadership
from coordinator.fleet.refusals import Refusals
from coordinator.fleet.server import CannotListen, Server, serve
from coordinator.http import FleetCollector, LeaderCollector, RefusalCollector, registry, serve_http
from coordinator.kube.client import Kube
from coordinator.kube.objects import NETWORKS, NIC_CLUSTER_POLICY, NIC_NODE_POLICY
from coordinator.leader import Leader
from coordinator.leadership.election import Election
from coordinator.preflight import require_crd
from coordinator.settings import Settings, WebhookSettings
from nicfleet.listen import host_and_port

log = logging.getLogger(__name__)

HEALTH_SECONDS: Final = 1.0

STOP_SECONDS: Final = 2.0
"""For the writes that are under way when the coordinator is told to stop."""
_GRACE_SECONDS: Final = 0.5
"""For calls that are under way then. Agents' streams never end by themselves."""


class LeadershipLost(RuntimeError):
    """This coordinator has led and does not any more; the text says why."""


class Coordinator:
    """Owns every part and its lifetime."""

    def __init__(self, kube: Kube, always: Kube, settings: Settings, election: Election | None) -> None:
        """`kube` writes only while this coordinator leads, `always` at any time. Without an election it leads."""
        self._kube = kube
        self._always = always
        self._settings = settings
        self._election = election
        self._leadership: Leadership = election or ALONE
        self._refusals = Refusals(time.monotonic)
        self._gate = Gate(always, settings.agent_account) if settings.tls is not None else None
        self._certificates = self._make_certificates(settings.tls) if settings.tls is not None else None
        self._leader = Leader(kube, settings, Random())
        self._webhook = self._make_webhook(settings.webhook) if settings.webhook else None

    async def run(self, started: Callable[[Server], None]) -> None:
        """Serve and work until cancelled.

        Raises CannotListen, CannotServe, CannotServeWebhook or CrdUnusable when it cannot begin, and LeadershipLost.
        """
        metrics = registry(
            FleetCollector(self._leader.fleet.snapshots, self._leader.policy_ready),
            RefusalCollector(self._refusals.counts),
            LeaderCollector(lambda: self._leadership.leads),
            *([self._certificates] if self._certificates is not None else []),
        )
        await self._require_addresses()
        web = await serve_http(self._settings.http_listen, metrics, self.unhealthy, self.role)
        try:
            if self._certificates is not None:
                await self._certificates.obtain()
            server = await serve(
                self._settings.grpc_listen,
                self._leader.fleet,
                self._leader.view,
                self._refusals,
                self._certificates.credentials() if self._certificates is not None else None,
                gate=self._gate,
                leadership=self._leadership,
                trust_loopback=self._settings.trust_loopback,
            )
        except (CannotListen, asyncio.CancelledError):
            await web.cleanup()
            raise
        try:
            started(server)
            for resource in (NIC_CLUSTER_POLICY, NIC_NODE_POLICY, *NETWORKS):
                await require_crd(self._kube, resource)
            if self._webhook is not None:
                await self._webhook.start()
            await self._work(server)
        finally:
            if self._webhook is not None:
                await self._webhook.stop()
            await server.stop(grace=_GRACE_SECONDS)
            await web.cleanup()

    async def _require_addresses(self) -> None:
        """Say at once what would be found out when the certificate and the CRDs are there. Raises CannotListen."""
        listens = {"--grpc-listen": self._settings.grpc_listen}
        if self._settings.webhook is not None:
            listens["--webhook-listen"] = self._settings.webhook.listen
        for flag, listen in listens.items():
            try:
                probe = await asyncio.get_running_loop().create_server(
                    asyncio.Protocol, *host_and_port(listen), start_serving=False
                )
            except OSError as error:
                raise CannotListen(f"cannot listen on {listen}: give {flag} a free HOST:PORT of this host") from error
            probe.close()

    def unhealthy(self) -> str:
        """Why the coordinator cannot speak the truth now; "" when it can."""
        if self._certificates is not None and (reason := self._certificates.unhealthy()):
            return reason
        if self._leadership.leads:
            reason = self._leader.unhealthy()
        else:
            reason = f"it is not known who leads: {trouble}" if (trouble := self._trouble()) else ""
        return reason or (self._webhook.unhealthy() if self._webhook is not None else "")

    def role(self) -> str:
        """What it does, for a person who asks whether it is ready."""
        if self._election is None:
            return "ok"
        return "ok, leads" if self._election.leads else f"ok, on standby: {self._election.leader or 'nobody'} leads"

    async def _work(self, server: Server) -> None:
        """Every coordinator's work, and the leader's when this one is it. Raises LeadershipLost."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._tell_health(server))]
            if self._certificates is not None:
                tasks.append(group.create_task(self._certificates.run()))
            if self._webhook is not None:
                tasks += [
                    group.create_task(self._webhook.run()),
                    group.create_task(self._leader.watch_policies()),
                ]
            if self._election is None:
                await self._leader.run(policies=self._webhook is None)
                return
            async with self._letting_go(self._election):
                await self._election.win()
                tasks.append(group.create_task(self._leader.run(policies=self._webhook is None)))
                lost = await self._election.keep()
            for task in tasks:
                task.cancel()
        raise LeadershipLost(lost)

    @asynccontextmanager
    async def _letting_go(self, election: Election) -> AsyncIterator[None]:
        """Told to stop, it lets go of the lease when the last write has ended."""
        try:
            yield
        except asyncio.CancelledError:
            election.tenure.end()
            with suppress(TimeoutError):  # the lease then lasts as long as the write might
                async with asyncio.timeout(STOP_SECONDS):
                    await self._kube.quiet()
                    await election.release()
            raise

    async def _tell_health(self, server: Server) -> None:
        told = ""
        while True:
            reason = self.unhealthy()
            await server.health.set(not reason)
            if reason != told:
                log.log(logging.WARNING if reason else logging.INFO, "health changed", extra={"why": reason})
                told = reason
            await asyncio.sleep(HEALTH_SECONDS)

    def _trouble(self) -> str:
        return self._election.trouble if self._election is not None else ""

    def _make_certificates(self, settings: TlsSettings) -> Certificates:
        """Also of a coordinator that does not lead: agents ask it who does."""
        return Certificates(source_of(self._always, self._settings.namespace, settings, _now), _now, Random())

    def _make_webhook(self, settings: WebhookSettings) -> Webhook:
        return Webhook(settings.listen, settings.certificates, self._leader.known, skip=settings.skip)


def _now() -> datetime:
    return datetime.now(UTC)
