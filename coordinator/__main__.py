"""`nicfleet-coordinator`: settings → objects → run. The only place that reads flags and environment."""

import nicfleet.quiet_grpc  # noqa: F401  # before all others, as its own words say

# isort: split
import asyncio
import logging
import os
import platform
import signal
import sys
import uuid
from random import Random

from coordinator.admission.server import CannotServeWebhook
from coordinator.app import Coordinator, LeadershipLost
from coordinator.certificates.folder import CertificateUnusable
from coordinator.fleet.server import CannotListen, Server
from coordinator.http import CannotServe
from coordinator.kube.client import Kube
from coordinator.kube.permit import ALWAYS
from coordinator.kube.session import ConfigurationError
from coordinator.leadership.election import Election
from coordinator.leadership.lease import Candidate
from coordinator.leadership.tenure import Tenure
from coordinator.preflight import CrdUnusable
from coordinator.settings import Settings, read
from nicfleet import logs, open_files
from nicfleet.flags import IN_PLAINTEXT, InvalidSettings

log = logging.getLogger("coordinator")

_CANNOT_BEGIN = (CannotListen, CannotServe, CannotServeWebhook, CertificateUnusable, CrdUnusable)


def main() -> None:
    """Run until a signal; exit 2 for what cannot be used, 1 when the coordinator cannot begin, each with one sentence.

    Exit 1 also when another coordinator leads in the place of this one: what this one knows is not to be used again.
    """
    try:
        settings = read(sys.argv[1:], os.environ)
    except InvalidSettings as error:
        sys.exit(_said(error, 2))
    logs.configure(settings.log_level)
    open_files.allow_most()
    if settings.ignored:
        log.warning("flags ignored", extra={"flags": settings.ignored, "why": IN_PLAINTEXT})
    try:
        asyncio.run(_run(settings))
    except LeadershipLost as lost:
        log.warning("leadership lost", extra={"why": str(lost)})
        sys.exit(1)
    except ConfigurationError as error:
        sys.exit(_said(error, 2))
    except (*_CANNOT_BEGIN, OSError) as error:
        sys.exit(_said(error, 1))


async def _run(settings: Settings) -> None:
    tenure = Tenure() if settings.election is not None else None
    kube = await Kube.connect(settings.kubeconfig, permit=tenure or ALWAYS)
    always = await Kube.connect(settings.kubeconfig)
    election = _election(always, settings, tenure) if tenure is not None else None
    work = asyncio.create_task(Coordinator(kube, always, settings, election).run(_started))
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        log.info("stopped")
    finally:
        await kube.close()
        await always.close()


def _election(kube: Kube, settings: Settings, tenure: Tenure) -> Election:
    assert settings.election is not None
    pod = settings.election.pod or platform.node()
    # A container that starts anew has the same Pod: it must not take itself for the one before.
    candidate = Candidate(f"{pod}_{uuid.uuid4()}", settings.election.address)
    return Election(kube, settings.namespace, candidate, tenure, Random())


def _started(server: Server) -> None:
    log.info("started", extra={"grpc_port": server.port})


def _said(error: Exception, code: int) -> int:
    sys.stderr.write(f"nicfleet-coordinator: {error}\n")
    return code


if __name__ == "__main__":
    main()
