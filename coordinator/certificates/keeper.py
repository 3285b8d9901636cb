"""Keeps what agents and viewers are shown up to date, without a restart."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from random import Random
from typing import Final

import grpc
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from coordinator.backoff import Backoff
from coordinator.certificates.issue import Pair, facts
from coordinator.certificates.sources import TROUBLES, Shown, Source

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 30.0
"""Between two looks: two small reads each."""

_SOON: Final = 5.0
"""At most between two attempts at the first one: nobody can connect before, and an outage may just have ended."""


class Certificates(Collector):
    """The certificate in use. Nothing is served before `obtain` has returned."""

    def __init__(self, source: Source, clock: Callable[[], datetime], random: Random) -> None:
        self._source = source
        self._clock = clock
        self._backoff = Backoff(random, _SOON)
        self._shown: Shown | None = None
        self._trouble = "not looked for yet"

    async def obtain(self) -> None:
        """Return when there is a certificate to show; every failure is told once and waited out."""
        while True:
            if await self.look():
                return
            await asyncio.sleep(self._backoff.next())

    async def run(self) -> None:
        """Look for a newer one for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> bool:
        """Have what is due done, and take in what is to be shown; whether there is something to show."""
        try:
            shown = await self._source.look()
        except TROUBLES as error:
            self._tell(str(error))
            return self._shown is not None
        if self._shown is not None and shown.pair != self._shown.pair:
            log.info("certificate taken into use", extra={"expires": _expires(shown.pair)})
        self._shown = shown
        self._tell(shown.trouble)
        return True

    def credentials(self) -> grpc.ServerCredentials:
        """For a server that shows to each new connection what is the newest then. Only after `obtain`."""
        given = self._pair

        def newest() -> grpc.ServerCertificateConfiguration | None:
            """Called on a thread of gRPC's, for each connection; None: the one it has is the newest."""
            nonlocal given
            if self._pair == given:
                return None
            given = self._pair
            return _configuration(given)

        return grpc.dynamic_ssl_server_credentials(
            _configuration(given),
            newest,  # type: ignore[arg-type]  # the stubs know nothing of None
        )

    def unhealthy(self) -> str:
        """Why agents cannot connect; "" when they can."""
        if self._shown is None:
            return f"there is no certificate to show to agents: {self._trouble}"
        now, told = self._clock(), facts(self._shown.pair.certificate)
        if now >= told.expires:
            return f"the certificate has expired: {self._trouble or 'its renewal is not seen yet'}"
        if now < told.begins:
            ahead = f"the certificate is valid from {told.begins.isoformat()} on, and it is {now.isoformat()} here"
            return f"{ahead}: {self._trouble or 'set the clocks of those right who make it and who show it'}"
        return ""

    def collect(self) -> Iterator[Metric]:
        """Prometheus' hook: when they expire, and whether that is taken care of."""
        expiration = GaugeMetricFamily(
            "nicfleet_certificate_expiration_timestamp_seconds",
            "When the certificate that agents are shown, and the authority's, expire.",
            labels=["certificate"],
        )
        if self._shown is not None:
            for name, pem in (("server", self._shown.pair.certificate), ("authority", self._shown.authorities)):
                expiration.add_metric([name], facts(pem).expires.timestamp())
        yield expiration
        yield GaugeMetricFamily(
            "nicfleet_certificate_renewal_failing",
            "1 when a certificate could not be read, renewed or published, else 0.",
            float(bool(self._trouble)),
        )

    @property
    def _pair(self) -> Pair:
        assert self._shown is not None
        return self._shown.pair

    def _tell(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            log.warning("certificate not renewed", extra={"why": trouble})
        if not trouble and self._trouble:
            log.info("certificate in order", extra={"expires": _expires(self._pair)})
        self._trouble = trouble


def _configuration(pair: Pair) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pair.key, pair.certificate)])


def _expires(pair: Pair) -> str:
    return facts(pair.certificate).expires.isoformat()
