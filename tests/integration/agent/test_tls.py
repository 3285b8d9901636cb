"""Agents and a coordinator over TLS, on real sockets: who is believed, and what an agent's log says of the others."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import grpc
import pytest

from agent import report
from agent.channel import Dialler
from agent.latest import Latest
from agent.report import Reporter
from coordinator.certificates.issue import SERVER_LIFE, Pair
from coordinator.certificates.keeper import Certificates
from coordinator.certificates.material import Material
from coordinator.certificates.renewal import Situation, renewed
from coordinator.certificates.sources import Shown
from nicfleet.channel import Tls
from nicfleet.token_file import TokenFile
from nicfleet.v1 import fleet_pb2
from tests.integration.agent.fleet_server import Fleet, fleet_server
from tests.integration.agent.test_session import EMPTY, IDENTITY, OBSERVED, said
from tests.integration.http_proxy import http_proxy

NAME = "c.ns.svc"
"""By which the agent knows the coordinator, whatever address it dials."""
NOW = datetime.now(UTC)


def made(at: datetime = NOW, name: str = NAME) -> Material:
    return renewed(Material(), Situation(at, frozenset({name}), b""))


@dataclass
class Scripted:
    """A source of certificates that shows what the test puts there."""

    material: Material

    async def look(self) -> Shown:
        assert self.material.server is not None
        return Shown(self.material.server, self.material.bundle)


@dataclass
class Site:
    """A coordinator, its certificates, and where agents find whom to trust."""

    fleet: Fleet
    source: Scripted
    certificates: Certificates
    ca_file: Path

    def publish(self) -> None:
        self.ca_file.write_bytes(self.source.material.bundle)

    @property
    def tls(self) -> Tls:
        return Tls(self.ca_file, NAME)


@asynccontextmanager
async def site(folder: Path, material: Material) -> AsyncIterator[Site]:
    source = Scripted(material)
    certificates = Certificates(source, lambda: datetime.now(UTC), Random(1))
    await certificates.obtain()
    async with fleet_server(credentials=certificates.credentials()) as fleet:
        yield Site(fleet, source, certificates, folder / "ca.crt")


@asynccontextmanager
async def agent(address: str, tls: Tls | None) -> AsyncIterator[Latest]:
    latest = Latest("0.1.0")
    latest.put(EMPTY, OBSERVED)
    task = asyncio.create_task(Reporter(IDENTITY, address, latest, Dialler(tls)).run())
    try:
        yield latest
        assert not task.done(), "the reporter ended"
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "agent.report")
    return caplog


async def shown(address: str) -> bytes:
    """The certificate that a new connection is shown, whoever signed it; DER."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    host, _, port = address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    certificate: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return certificate


def der(pair: Pair | None) -> bytes:
    assert pair is not None
    return ssl.PEM_cert_to_DER_cert(pair.certificate.decode())


@pytest.mark.parametrize("variable", ["https_proxy", "http_proxy", "grpc_proxy"])
async def test_a_coordinator_is_dialled_past_every_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Agents reach its pod, and a person's command reaches kubectl's port-forward."""
    async with site(tmp_path, made()) as here, http_proxy(here.fleet.address) as proxy:
        here.publish()
        monkeypatch.setenv(variable, proxy.url)
        async with agent(here.fleet.address, here.tls):
            stream = await here.fleet.stream()
            await stream.receive()
    assert proxy.asked == []


async def test_a_new_certificate_is_shown_to_new_connections_and_ends_none(tmp_path: Path) -> None:
    async with site(tmp_path, made(NOW - SERVER_LIFE * 0.7)) as here:
        here.publish()
        async with agent(here.fleet.address, here.tls):
            stream = await here.fleet.stream()
            await stream.receive()
            await stream.welcome()
            before = here.source.material
            assert await shown(here.fleet.address) == der(before.server)

            here.source.material = renewed(before, Situation(NOW, frozenset({NAME}), b""))
            assert await here.certificates.look()
            assert await shown(here.fleet.address) == der(here.source.material.server) != der(before.server)

            await stream.probe()
            async with agent(here.fleet.address, here.tls):
                second = await here.fleet.stream()
                assert (await second.receive()).hello.node_name == IDENTITY.node
            await stream.probe()


async def test_an_agent_waits_for_an_authority_and_takes_in_another_one(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    async with site(tmp_path, made()) as here, agent(here.fleet.address, here.tls):
        record = await said(log, "coordinator not dialled")
        assert f"{here.ca_file} cannot be used (No such file or directory)" in vars(record)["error"]
        here.publish()
        stream = await here.fleet.stream()
        await stream.receive()
        await stream.welcome()

        here.source.material = made()
        await here.certificates.look()
        await said(log, "coordinator connected")
        log.clear()
        stream.close()
        record = await said(log, "coordinator not reachable")
        assert vars(record)["why"] == (
            f"its certificate is of no authority in {here.ca_file}: give that of this coordinator"
        )
        here.publish()
        await (await here.fleet.stream()).receive()


async def test_every_renewal_shows_the_token_as_it_is_then(
    tmp_path: Path, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "REFUSED_PAUSE", 0.1)
    token = tmp_path / "token"
    token.write_text("first")
    async with site(tmp_path, made()) as here:
        here.publish()
        async with agent(here.fleet.address, replace(here.tls, token=TokenFile(token))):
            stream = await here.fleet.stream()
            assert stream.token == "first"
            await stream.receive()
            await stream.welcome()

            token.write_text("")
            await stream.send(renew=fleet_pb2.Renew())
            record = await said(log, "stream not renewed")
            assert "it holds no token" in vars(record)["error"]
            await stream.probe()

            token.write_text("second")
            following = await here.fleet.stream()
            assert following.token == "second"
            await following.refuse()
            await stream.probe()

            token.write_text("third")
            while (following := await here.fleet.stream()).token != "third":  # one may have been under way
                await following.refuse()
            await following.receive()
            await following.welcome()
            await following.probe()


async def test_what_else_stands_beside_an_authority_is_nobodys_trouble(tmp_path: Path) -> None:
    async with site(tmp_path, made()) as here:
        here.ca_file.write_bytes("# für Käthe\n".encode("latin-1") + here.source.material.bundle)
        async with agent(here.fleet.address, here.tls):
            await (await here.fleet.stream()).receive()


@dataclass(frozen=True)
class Wrong:
    """What is shown, and how it is dialled; `trusted` None: the authority is the right one."""

    shown: Material | None
    tls: bool = True
    trusted: bytes | None = None


@pytest.mark.parametrize(
    ("wrong", "message", "why"),
    [
        pytest.param(
            Wrong(made(), trusted=made().bundle),
            "coordinator not reachable",
            "its certificate is of no authority in {ca}",
            id="another-authority",
        ),
        pytest.param(
            Wrong(made(name="other.ns.svc")), "coordinator not reachable", f"is not for {NAME}", id="another-name"
        ),
        pytest.param(
            Wrong(made(NOW - SERVER_LIFE - timedelta(days=1))),
            "coordinator not reachable",
            "its certificate has expired",
            id="expired",
        ),
        pytest.param(
            Wrong(made(NOW + timedelta(days=1))),
            "coordinator not reachable",
            "its certificate is not valid yet: set the clocks",
            id="made-by-a-clock-that-is-ahead",
        ),
        pytest.param(
            Wrong(None), "coordinator not reachable", "it speaks plaintext, and TLS is wanted", id="tls-to-plaintext"
        ),
        pytest.param(
            Wrong(made(), tls=False),
            "coordinator not reachable",
            "as one does that speaks TLS: give --ca-file",
            id="plaintext-to-tls",
        ),
        pytest.param(
            Wrong(made(), trusted=b""), "coordinator not dialled", "it has no certificate in PEM", id="an-empty-file"
        ),
        pytest.param(
            Wrong(made(), trusted=b"-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n"),
            "coordinator not dialled",
            "it has no certificate in PEM",
            id="no-certificate",
        ),
    ],
)
async def test_an_agent_that_does_not_get_there_says_why_once(
    tmp_path: Path, log: pytest.LogCaptureFixture, wrong: Wrong, message: str, why: str
) -> None:
    ca_file = tmp_path / "ca.crt"
    right = wrong.shown.bundle if wrong.shown else made().bundle
    ca_file.write_bytes(right if wrong.trusted is None else wrong.trusted)
    tls = Tls(ca_file, NAME) if wrong.tls else None
    async with fleet_server(credentials=_credentials(wrong.shown)) as fleet, agent(fleet.address, tls):
        record = await said(log, message)
        told = vars(record)
        assert why.format(ca=ca_file) in told.get("why", told["error"])
        assert told["coordinator"] == fleet.address
        await asyncio.sleep(1.0)  # in which it is tried again
        assert [each.message for each in log.records] == [message]


def _credentials(material: Material | None) -> grpc.ServerCredentials | None:
    if material is None:
        return None
    assert material.server is not None
    return grpc.ssl_server_credentials([(material.server.key, material.server.certificate)])


async def test_a_coordinator_dialled_by_address_is_known_by_the_services_name(tmp_path: Path) -> None:
    """As after NotLeader: the leader is named by its pod's address."""
    async with site(tmp_path, made()) as here, fleet_server(credentials=_credentials(here.source.material)) as other:
        here.publish()
        async with agent(here.fleet.address, here.tls):
            stream = await here.fleet.stream()
            await stream.receive()
            await stream.send(not_leader=fleet_pb2.NotLeader(address=other.address))
            await (await other.stream()).receive()
