"""What the agents have told the coordinator: inventories, by its FleetView."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import grpc

from cli.access import ToCoordinator
from cli.plan.documents import Unusable
from nicfleet import wire
from nicfleet.channel import NotDialled, open_channel, shown, why_unreachable
from nicfleet.inventory import Inventory
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


async def reports(coordinator: ToCoordinator) -> Reports:
    """Of every node that exists. Raises Unusable."""
    try:
        async with open_channel(coordinator.address, coordinator.tls) as channel:
            view: Any = view_pb2_grpc.FleetViewStub(channel)
            try:
                return await _reports(view, {"metadata": shown(coordinator.tls), "timeout": SECONDS})
            except grpc.aio.AioRpcError as error:
                connected = channel.get_state() is grpc.ChannelConnectivity.READY
                raise _untold(coordinator, error, connected=connected) from error
    except NotDialled as error:
        raise Unusable(str(error)) from error


def _untold(coordinator: ToCoordinator, error: grpc.aio.AioRpcError, *, connected: bool) -> Unusable:
    """The address is in doubt only where nobody answers: a coordinator says itself what it wants, as a token."""
    why = error.details() or error.code().name
    fix = why_unreachable(why, coordinator.tls)
    if not fix and (not connected or error.code() is grpc.StatusCode.UNIMPLEMENTED):
        fix = "give HOST:PORT of the coordinator's gRPC server, for example one that kubectl port-forward makes"
    told = f"--coordinator: {coordinator.address} does not tell of its nodes ({why})"
    return Unusable(f"{told}: {fix}" if fix else told)


async def _reports(view: Any, how: Mapping[str, Any]) -> Reports:
    known: list[view_pb2.NodeSummary] = []
    token, settled = "", True
    while True:
        request = view_pb2.ListNodesRequest(page_size=_PAGE, page_token=token)
        page: view_pb2.ListNodesResponse = await view.ListNodes(request, **how)
        known += page.nodes
        token, settled = page.next_page_token, page.settled
        if not token:
            break
    wanted = (view_pb2.CONNECTION_CONNECTED, view_pb2.CONNECTION_SILENT)
    names = [node.name for node in known if node.connection in wanted]
    found = await _each(names, lambda name: _inventory(view, name, how))
    return Reports(
        inventories={name: inventory for name, inventory in zip(names, found, strict=True) if inventory is not None},
        silent=frozenset(node.name for node in known if node.connection == view_pb2.CONNECTION_SILENT),
        settled=settled,
    )


async def _inventory(view: Any, name: str, how: Mapping[str, Any]) -> Inventory | None:
    """None when it was gone before it was asked for."""
    try:
        answer: view_pb2.GetNodeResponse = await view.GetNode(view_pb2.GetNodeRequest(name=name), **how)
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
