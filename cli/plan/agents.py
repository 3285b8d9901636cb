"""What the agents have told the coordinator: inventories, by its FleetView."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import grpc

from cli.plan.documents import Unusable
from nicfleet import wire
from nicfleet.flags import is_host_port
from nicfleet.inventory import Inventory
from nicfleet.transport import CHANNEL_OPTIONS
from nicfleet.v1 import view_pb2, view_pb2_grpc

SECONDS: Final = 15.0
"""For one answer, the first one too."""

_AT_ONCE: Final = 16
_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Reports:
    """The latest inventory of each node that has reported; which of them are silent; whether all had their time."""

    inventories: dict[str, Inventory]
    silent: frozenset[str]
    settled: bool


async def reports(address: str) -> Reports:
    """Of every node that exists. Raises Unusable."""
    if not is_host_port(address):
        raise Unusable(f"--coordinator is {address!r}: give HOST:PORT, for example 127.0.0.1:7444")
    async with grpc.aio.insecure_channel(address, CHANNEL_OPTIONS) as channel:
        view: Any = view_pb2_grpc.FleetViewStub(channel)
        try:
            return await _reports(view)
        except grpc.aio.AioRpcError as error:
            why = error.details() or error.code().name
            raise Unusable(
                f"--coordinator: {address} does not tell of its nodes ({why}): give HOST:PORT of the coordinator's "
                "gRPC server, for example one that kubectl port-forward makes"
            ) from error


async def _reports(view: Any) -> Reports:
    known: list[view_pb2.NodeSummary] = []
    token, settled = "", True
    while True:
        request = view_pb2.ListNodesRequest(page_size=_PAGE, page_token=token)
        page: view_pb2.ListNodesResponse = await view.ListNodes(request, timeout=SECONDS)
        known += page.nodes
        token, settled = page.next_page_token, page.settled
        if not token:
            break
    wanted = (view_pb2.CONNECTION_CONNECTED, view_pb2.CONNECTION_SILENT)
    names = [node.name for node in known if node.connection in wanted]
    found = await _each(names, lambda name: _inventory(view, name))
    return Reports(
        inventories={name: inventory for name, inventory in zip(names, found, strict=True) if inventory is not None},
        silent=frozenset(node.name for node in known if node.connection == view_pb2.CONNECTION_SILENT),
        settled=settled,
    )


async def _inventory(view: Any, name: str) -> Inventory | None:
    """None when it was gone before it was asked for."""
    try:
        answer: view_pb2.GetNodeResponse = await view.GetNode(view_pb2.GetNodeRequest(name=name), timeout=SECONDS)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            return None
        raise
    return wire.from_wire(answer.inventory) if answer.HasField("inventory") else None


async def _each(names: list[str], get: Callable[[str], Any]) -> list[Inventory | None]:
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(name: str) -> Inventory | None:
        async with limit:
            found: Inventory | None = await get(name)
            return found

    return list(await asyncio.gather(*map(one, names)))
