"""What is told of a certificate that agents cannot use."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from coordinator.certificates.folder import CertificateUnusable
from coordinator.certificates.issue import SERVER_LIFE, SKEW
from coordinator.certificates.keeper import Certificates
from coordinator.certificates.material import Material
from coordinator.certificates.renewal import Situation, renewed
from coordinator.certificates.sources import Shown

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@dataclass
class Source:
    shown: Shown

    async def look(self) -> Shown:
        return self.shown


def shown(made: datetime, trouble: str = "") -> Shown:
    material = renewed(Material(), Situation(made, frozenset({"c"}), b""))
    assert material.server is not None
    return Shown(material.server, material.bundle, trouble)


@pytest.mark.parametrize(
    ("source", "unhealthy"),
    [
        pytest.param(shown(NOW), "", id="fresh"),
        pytest.param(shown(NOW + SKEW), "", id="by-a-clock-a-little-ahead"),
        pytest.param(
            shown(NOW + SKEW + SECOND),
            "the certificate is valid from 2026-01-02T00:00:01+00:00 on, and it is 2026-01-02T00:00:00+00:00 here: "
            "set the clocks of those right who make it and who show it",
            id="by-a-clock-that-is-ahead",
        ),
        pytest.param(shown(NOW - SERVER_LIFE + SECOND), "", id="a-second-is-left"),
        pytest.param(
            shown(NOW - SERVER_LIFE), "the certificate has expired: its renewal is not seen yet", id="expired"
        ),
        pytest.param(
            shown(NOW - SERVER_LIFE, "no rights"), "the certificate has expired: no rights", id="expired-and-why"
        ),
    ],
)
async def test_why_agents_cannot_connect(source: Shown, unhealthy: str) -> None:
    certificates = Certificates(Source(source), lambda: NOW, Random(1))
    await certificates.look()
    assert certificates.unhealthy() == unhealthy


@dataclass
class Away:
    """A source whose outage lasts for so many looks."""

    looks: int

    async def look(self) -> Shown:
        self.looks -= 1
        if self.looks >= 0:
            raise CertificateUnusable("the API server does not answer")
        return shown(NOW)


async def test_the_first_one_is_had_within_seconds_after_the_longest_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("coordinator.certificates.keeper.asyncio.sleep", sleep)
    certificates = Certificates(Away(50), lambda: NOW, Random(1))
    await certificates.obtain()
    assert len(slept) == 50
    assert max(slept) <= 5.0
    assert certificates.unhealthy() == ""
