"""`nicfleet-coordinator`: settings → objects → run. The only place that reads flags and environment."""

import asyncio
import logging
import os
import signal
import sys

from coordinator.admission.server import CannotServeWebhook
from coordinator.app import Coordinator
from coordinator.certificates.folder import CertificateUnusable
from coordinator.fleet.server import CannotListen, Server
from coordinator.http import CannotServe
from coordinator.kube.client import Kube
from coordinator.kube.session import ConfigurationError
from coordinator.preflight import CrdUnusable
from coordinator.settings import Settings, read
from nicfleet import logs
from nicfleet.flags import InvalidSettings

log = logging.getLogger("coordinator")

_CANNOT_BEGIN = (CannotListen, CannotServe, CannotServeWebhook, CertificateUnusable, ConfigurationError, CrdUnusable)


def main() -> None:
    """Run until a signal; exit 2 for wrong settings, 1 when the coordinator cannot begin, each with one sentence."""
    try:
        settings = read(sys.argv[1:], os.environ)
    except InvalidSettings as error:
        sys.exit(_said(error, 2))
    logs.configure(settings.log_level)
    try:
        asyncio.run(_run(settings))
    except (*_CANNOT_BEGIN, OSError) as error:
        sys.exit(_said(error, 1))


async def _run(settings: Settings) -> None:
    kube = await Kube.connect(settings.kubeconfig)
    work = asyncio.create_task(Coordinator(kube, settings).run(_started))
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        log.info("stopped")
    finally:
        await kube.close()


def _started(server: Server) -> None:
    log.info("started", extra={"grpc_port": server.port})


def _said(error: Exception, code: int) -> int:
    sys.stderr.write(f"nicfleet-coordinator: {error}\n")
    return code


if __name__ == "__main__":
    main()
