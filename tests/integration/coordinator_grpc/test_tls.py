"""The coordinator's own server over TLS, as a person's command reaches it."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from time import monotonic

import pytest

from cli.access import to_coordinator
from cli.plan.agents import Reports, reports
from cli.plan.documents import Unusable
from coordinator.certificates.keeper import Certificates
from coordinator.certificates.material import Material
from coordinator.certificates.renewal import Situation, renewed
from coordinator.certificates.sources import Shown, names_of
from coordinator.fleet.fleet import Fleet
from coordinator.fleet.leadership import ALONE, Leadership
from coordinator.fleet.refusals import Refusals
from coordinator.fleet.server import serve
from coordinator.fleet.views import FleetView

MADE = renewed(Material(), Situation(datetime.now(UTC), names_of("c", "ns"), b""))


class Made:
    """A source that has made its certificate."""

    async def look(self) -> Shown:
        assert MADE.server is not None
        return Shown(MADE.server, MADE.bundle)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    file = tmp_path / "ca.crt"
    file.write_bytes(MADE.bundle)
    return str(file)


@asynccontextmanager
async def coordinator(leadership: Leadership = ALONE) -> AsyncIterator[int]:
    """Its port on loopback, as kubectl port-forward would give it."""
    certificates = Certificates(Made(), now, Random(1))
    await certificates.obtain()
    fleet = Fleet(now, lambda name, hardware: None)
    fleet.nodes_synced()
    view = FleetView(fleet, now, lambda name: None, lambda kind, name: None)
    server = await serve(
        "127.0.0.1:0", fleet, view, Refusals(monotonic), certificates.credentials(), leadership=leadership
    )
    try:
        yield server.port
    finally:
        await server.stop(grace=0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_it_is_known_through_a_port_forward(ca_file: str, host: str) -> None:
    async with coordinator() as port:
        assert await reports(to_coordinator(f"{host}:{port}", ca_file=ca_file)) == Reports(
            {}, frozenset(), settled=True
        )


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        pytest.param({"insecure": True}, "as one does that speaks TLS: give --ca-file", id="plaintext"),
        pytest.param({"server_name": "other"}, "its certificate is not for other: give that", id="name"),
    ],
)
async def test_whoever_does_not_get_there_is_told_why(ca_file: str, flags: dict[str, object], sentence: str) -> None:
    async with coordinator() as port:
        given = to_coordinator(f"127.0.0.1:{port}", **({"ca_file": ca_file} | flags))  # type: ignore[arg-type]  # by case
        with pytest.raises(Unusable, match=sentence):
            await reports(given)


class Standby:
    leads = False
    leader = "other-pod"
    address = "192.0.2.1:7444"

    async def elsewhere(self) -> str | None:
        return self.address


async def test_the_address_is_in_doubt_only_where_nobody_answers(ca_file: str) -> None:
    async with coordinator(Standby()) as port:
        given = to_coordinator(f"127.0.0.1:{port}", ca_file=ca_file)
        with pytest.raises(Unusable, match=r"192\.0\.2\.1:7444 leads: ask that one\)$"):
            await reports(given)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        given = to_coordinator(f"127.0.0.1:{nobody.getsockname()[1]}", ca_file=ca_file)
        with pytest.raises(Unusable, match="give HOST:PORT of the coordinator's gRPC server"):
            await reports(given)
