"""The coordinator's view of the fleet, over gRPC."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import grpc

from nicfleet.v1 import view_pb2, view_pb2_grpc

_ANSWER_SECONDS: Final = 2.0


class FleetClient:
    """Asks FleetView."""

    def __init__(self, view: view_pb2_grpc.FleetViewStub) -> None:
        self._view = view

    def nodes(self) -> Sequence[view_pb2.NodeSummary]:
        """All nodes by name; none while the coordinator does not answer."""
        try:
            return self._view.ListNodes(view_pb2.ListNodesRequest(), timeout=_ANSWER_SECONDS).nodes
        except grpc.RpcError:
            return ()


@contextmanager
def fleet_client(address: str) -> Iterator[FleetClient]:
    """A client of the coordinator at HOST:PORT, for as long as the context lasts."""
    with grpc.insecure_channel(address) as channel:
        yield FleetClient(view_pb2_grpc.FleetViewStub(channel))
