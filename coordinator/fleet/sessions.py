"""Which stream speaks for which node.

A claim that is not plainly newer has the held stream probed first: a dead connection can look open for long, and a
live agent must not lose its node to a second one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import grpc

from coordinator.fleet.identity import Identity
from nicfleet.inventory import NodeName
from nicfleet.v1 import fleet_pb2

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS: Final = 15
SILENT_SECONDS: Final = 3 * HEARTBEAT_SECONDS
PROBE_SECONDS: Final = 5


class Session:
    """One agent's stream. `deadline` is the running timeout of the task that reads it: it ends the stream."""

    def __init__(
        self,
        identity: Identity,
        write: Callable[[fleet_pb2.ReportResponse], Awaitable[None]],
        deadline: asyncio.Timeout,
    ) -> None:
        self.identity = identity
        self.successor: Identity | None = None
        self.admitted = False
        """It speaks, or spoke, for its node."""
        self.sequence = 0
        self.asked_again = False
        self.renewing = False
        """The agent was asked for another stream."""
        self.continues = False
        """It is that other stream."""
        self._write = write
        self._writing = asyncio.Lock()
        self._deadline = deadline
        self._answer: asyncio.Future[bool] | None = None

    async def send(self, response: fleet_pb2.ReportResponse) -> None:
        """Write one message; gRPC allows one write at a time."""
        async with self._writing:
            await self._write(response)

    def heard(self) -> None:
        """A message came: the agent lives, for the next while, unless another speaks for the node already."""
        if self.successor is None:
            self._set_deadline(SILENT_SECONDS)
            self._resolve(True)

    def end(self, successor: Identity) -> None:
        """Another stream speaks for the node from now on."""
        self.successor = successor
        self._set_deadline(0)

    def closed(self) -> None:
        """The stream has ended: whoever probes it need not wait."""
        self._resolve(False)

    async def answers(self) -> bool:
        """Probe the agent: does anything come within PROBE_SECONDS?"""
        if self._answer is None:
            self._answer = asyncio.get_running_loop().create_future()
        answer = self._answer
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self.send(fleet_pb2.ReportResponse(probe=fleet_pb2.Probe()))
                return await asyncio.shield(answer)
        except (TimeoutError, asyncio.InvalidStateError, grpc.RpcError, grpc.aio.BaseError):
            return False

    def _set_deadline(self, seconds: float) -> None:
        if not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time() + seconds)

    def _resolve(self, alive: bool) -> None:
        if self._answer is not None:
            self._answer.set_result(alive)
            self._answer = None


class Sessions:
    """The stream that is believed, per node."""

    def __init__(self) -> None:
        self._held: dict[NodeName, Session] = {}

    async def admit(self, newcomer: Session) -> bool:
        """Make the newcomer the node's stream and end the one before; False when that one is alive and stays."""
        name = newcomer.identity.node
        while (held := self._held.get(name)) is not None and not newcomer.identity.supersedes(held.identity):
            alive = await held.answers()
            if self._held.get(name) is held:  # else a third agent was quicker: the claim is against that one now
                if alive:
                    return False
                break
        self._held[name] = newcomer
        newcomer.admitted = True
        if held is not None:
            newcomer.continues = held.renewing
            held.end(newcomer.identity)
        return True

    def leave(self, session: Session) -> bool:
        """The stream has ended. True when it was its node's stream until now."""
        session.closed()
        if self._held.get(session.identity.node) is not session:
            return False
        del self._held[session.identity.node]
        return True
