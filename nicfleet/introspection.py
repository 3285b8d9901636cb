"""Health and reflection, the same on both servers: `grpcurl ADDR list` works with no proto file."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as _HEALTH
from grpc_reflection.v1alpha import reflection

HEALTH: Final = _HEALTH
REFLECTION: Final = reflection.SERVICE_NAME
OVERALL: Final = ""
"""The name that asks for the health of the whole server."""


class Health:
    """What grpc.health.v1 answers. Everything is NOT_SERVING until it is set.

    Not the servicer of grpcio-health-checking (1.85): there a watcher that takes no message keeps all from being told.
    """

    def __init__(self, services: Sequence[str]) -> None:
        self._names = (OVERALL, *services)
        self._status = health_pb2.HealthCheckResponse.NOT_SERVING
        self._changed = asyncio.Event()

    async def set(self, serving: bool) -> None:
        """Say of the server and of every service whether it can answer truthfully."""
        self._status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        self._changed.set()
        self._changed = asyncio.Event()

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802  # name of the proto
        """Once."""
        if request.service not in self._names:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service!r} is served here")
        return health_pb2.HealthCheckResponse(status=self._status)

    async def List(self, request: Any, context: Any) -> Any:  # noqa: N802  # name of the proto
        """Once, of all."""
        status = health_pb2.HealthCheckResponse(status=self._status)
        return health_pb2.HealthListResponse(statuses=dict.fromkeys(self._names, status))

    async def Watch(self, request: Any, context: Any) -> None:  # noqa: N802  # name of the proto
        """Now, and with every change."""
        told = None
        while True:
            changed = self._changed
            known = request.service in self._names
            status = self._status if known else health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
            if status != told:
                await context.write(health_pb2.HealthCheckResponse(status=status))
                told = status
            await changed.wait()


async def add_introspection(server: grpc.aio.Server, services: Sequence[str]) -> Health:
    """Serve grpc.health.v1 and server reflection for these services (full names); health starts as NOT_SERVING."""
    health = Health(services)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    reflection.enable_server_reflection((*services, HEALTH, REFLECTION), server)
    return health
