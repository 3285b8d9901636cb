"""Health and reflection, the same on both servers: `grpcurl ADDR list` works with no proto file."""

from collections.abc import Sequence
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as _HEALTH
from grpc_health.v1.health import aio as aio_health
from grpc_reflection.v1alpha import reflection

HEALTH: Final = _HEALTH
REFLECTION: Final = reflection.SERVICE_NAME
OVERALL: Final = ""
"""The name that asks for the health of the whole server."""


class Health:
    """What grpc.health.v1 answers. Everything is NOT_SERVING until it is set."""

    def __init__(self, services: Sequence[str]) -> None:
        self._names = (OVERALL, *services)
        self.servicer: Any = aio_health.HealthServicer()

    async def set(self, serving: bool) -> None:
        """Say of the server and of every service whether it can answer truthfully."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in self._names:
            await self.servicer.set(name, status)


async def add_introspection(server: grpc.aio.Server, services: Sequence[str]) -> Health:
    """Serve grpc.health.v1 and server reflection for these services (full names); health starts as NOT_SERVING."""
    health = Health(services)
    await health.set(serving=False)
    health_pb2_grpc.add_HealthServicer_to_server(health.servicer, server)
    reflection.enable_server_reflection((*services, HEALTH, REFLECTION), server)
    return health
