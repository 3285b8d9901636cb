"""The gRPC side: agents report to the fleet, people look at it.

One slow, silent or hostile agent costs its own stream and nothing else.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final, NoReturn, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from coordinator.authentication.gate import Gate, Unchecked
from coordinator.authentication.rules import Agent, objection
from coordinator.fleet import bounds
from coordinator.fleet.fleet import Fleet
from coordinator.fleet.health_guard import HealthGuard
from coordinator.fleet.hearing import Hearing
from coordinator.fleet.identity import Identity
from coordinator.fleet.leadership import ALONE, Leadership, OnlyTheLeader, who_leads
from coordinator.fleet.refusals import Refusals, host_of
from coordinator.fleet.sessions import HEARTBEAT_SECONDS, SILENT_SECONDS, Session, Sessions
from coordinator.fleet.term import Due, Term
from coordinator.fleet.view_guard import ViewGuard, bearer
from coordinator.fleet.views import FleetView
from nicfleet.introspection import REFLECTION, Health, add_introspection
from nicfleet.inventory import NodeName
from nicfleet.reasons import Finding, Reason
from nicfleet.transport import GREETING_SECONDS, LEADER_METADATA, SERVER_OPTIONS
from nicfleet.v1 import fleet_pb2, view_pb2, view_pb2_grpc

log = logging.getLogger(__name__)

PROTOCOL: Final = 1

_OPTIONS: Final = {
    **dict(SERVER_OPTIONS),
    # Above our own bound, so that a message that breaks it is answered in words; gRPC itself just ends the stream.
    "grpc.max_receive_message_length": 2 * bounds.MAX_MESSAGE,
    # Else a peer that sends much may have megabytes taken in that nobody has asked for.
    "grpc.http2.bdp_probe": 0,
    # For TLS and the first words of HTTP/2; gRPC's own two minutes are long for who only holds a connection.
    "grpc.server_handshake_timeout_ms": 10_000,
    # Calls of one connection at a time. An agent has two, while it renews its stream.
    "grpc.max_concurrent_streams": 16,
    # A person's token may be longer than what gRPC takes by itself, 8 KiB.
    "grpc.max_metadata_size": 16 << 10,
}
_Context: TypeAlias = grpc.aio.ServicerContext[fleet_pb2.ReportRequest, fleet_pb2.ReportResponse]
_FLEET: Final = fleet_pb2.DESCRIPTOR.services_by_name["Fleet"].full_name
_VIEW: Final = view_pb2.DESCRIPTOR.services_by_name["FleetView"].full_name


class CannotListen(RuntimeError):
    """The address to serve on is taken, or is none."""


_MEANING: Final = {
    fleet_pb2.REFUSAL_REASON_MALFORMED: Reason.MalformedReport,
    fleet_pb2.REFUSAL_REASON_NODE_TAKEN: Reason.DuplicateAgent,
    fleet_pb2.REFUSAL_REASON_PROTOCOL: Reason.ProtocolUnknown,
}


class _Refusal(Exception):
    """The stream ends, with a reason for the agent and a sentence for its log."""

    def __init__(self, reason: fleet_pb2.RefusalReason.ValueType, message: str) -> None:
        super().__init__(message)
        self.finding = Finding(_MEANING[reason], message)
        self.response = fleet_pb2.ReportResponse(refused=fleet_pb2.Refused(reason=reason, message=message))


class _Stranger(Exception):
    """The call ends: it has not proved to be of an agent of its node.

    It ends with a status and no message. A peer need not take messages, and each that it does not take holds the call.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding
        unproven = finding.reason is Reason.IdentityUnproven
        self.code = grpc.StatusCode.UNAUTHENTICATED if unproven else grpc.StatusCode.PERMISSION_DENIED


class _Expired(Exception):
    """The stream's token has ended, and the agent has not opened another stream with a new one."""


@dataclass(frozen=True, slots=True)
class Server:
    """The running server. Health is not serving until it is set."""

    port: int
    health: Health
    grpc: grpc.aio.Server

    async def stop(self, grace: float) -> None:
        """Refuse new calls at once and end the open ones after `grace` seconds."""
        await self.grpc.stop(grace)


async def serve(
    listen: str,
    fleet: Fleet,
    view: FleetView,
    refusals: Refusals,
    credentials: grpc.ServerCredentials | None = None,
    gate: Gate | None = None,
    leadership: Leadership = ALONE,
    *,
    trust_loopback: bool = True,
) -> Server:
    """Serve agents and people on `listen` (HOST:PORT; port 0: a free one); without credentials in plaintext.

    Without a gate everybody may speak for any node and read everything. With one, whoever calls from the own loopback
    may read, if that is trusted. Raises CannotListen.
    """
    hearing = Hearing()
    guards: list[grpc.aio.ServerInterceptor] = [HealthGuard(hearing), OnlyTheLeader(leadership, (_VIEW,))]
    if gate is not None:
        views = (_VIEW, REFLECTION)
        guards.insert(0, ViewGuard(gate, refusals, hearing, views, trust_loopback=trust_loopback))
    server = grpc.aio.server(options=tuple(_OPTIONS.items()), interceptors=guards)
    server.add_generic_rpc_handlers([FleetService(fleet, refusals, hearing, gate, leadership).handler()])
    view_pb2_grpc.add_FleetViewServicer_to_server(view, server)
    health = await add_introspection(server, (_FLEET, _VIEW))
    try:
        port = _listen(server, listen, credentials)
    except RuntimeError as error:
        raise CannotListen(f"cannot listen on {listen}: give --grpc-listen a free HOST:PORT of this host") from error
    await server.start()
    return Server(port, health, server)


def _listen(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
    if credentials is None:
        return server.add_insecure_port(address)
    return server.add_secure_port(address, credentials)


class FleetService:
    """Fleet.Report: what agents say, checked and put into the fleet."""

    def __init__(
        self, fleet: Fleet, refusals: Refusals, hearing: Hearing, gate: Gate | None, leadership: Leadership
    ) -> None:
        self._fleet = fleet
        self._sessions = Sessions()
        self._refusals = refusals
        self._gate = gate
        self._leadership = leadership
        self._hearing = hearing

    def handler(self) -> grpc.GenericRpcHandler:
        """For gRPC. Unlike the stubs' it leaves messages as bytes: whose they are is known before they are read."""
        write = fleet_pb2.ReportResponse.SerializeToString
        report: Any = grpc.stream_stream_rpc_method_handler(self._report, response_serializer=write)
        return grpc.method_handlers_generic_handler(_FLEET, {"Report": report})

    async def _report(self, messages: AsyncIterator[bytes], context: _Context) -> None:
        """One agent's stream, from Hello to its end."""
        session, agent = None, None
        try:
            # From here on the agent waits for its welcome, whatever that has to wait for.
            async with asyncio.timeout(GREETING_SECONDS) as deadline:
                if (leader := await self._leadership.elsewhere()) is not None:
                    await self._send_away(leader, context)
                agent = await self._prove(context)
                hello = _hello(await anext(messages, b""))
                session = Session(_identity(hello), context.write, deadline)
                self._require(agent, session)
                await self._admit(session)
                try:
                    await self._converse(session, agent, hello.manifest, messages)
                finally:
                    self._leave(session)
        except _Stranger as stranger:
            self._tell(session, agent, context, stranger.finding)
            await context.abort(stranger.code, str(stranger))
        except _Refusal as refusal:
            await self._refuse(session, agent, context, refusal)
        except DecodeError:
            unreadable = _Refusal(fleet_pb2.REFUSAL_REASON_MALFORMED, "the message is not of nicfleet.v1")
            await self._refuse(session, agent, context, unreadable)
        except _Expired:
            _log(session, logging.WARNING, "agent's token expired")
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token that this stream began with has expired")
        except TimeoutError:
            await _give_up(session, context)

    async def _send_away(self, leader: str, context: _Context) -> NoReturn:
        await self._hearing.hear_out(context.read, host_of(context.peer()))
        told = who_leads(self._leadership.leader, leader)
        await context.abort(grpc.StatusCode.UNAVAILABLE, told, ((LEADER_METADATA, leader),))

    async def _prove(self, context: _Context) -> Agent | None:
        """Which agent calls, by its token; None where nobody has to prove anything."""
        if self._gate is None:
            return None
        peer = host_of(context.peer())
        try:
            agent = await self._gate.agent(bearer(context), peer)
        except Unchecked as error:
            unchecked = Finding(Reason.IdentityUnchecked, str(error))
            if self._refusals.is_news(unchecked):
                log.warning("agents not checked", extra={"reason": unchecked.reason, "why": unchecked.message})
            await self._hearing.hear_out(context.read, peer)
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        if isinstance(agent, Finding):
            await self._hearing.hear_out(context.read, peer)
            raise _Stranger(agent)
        return agent

    def _require(self, agent: Agent | None, session: Session) -> None:
        """That this agent speaks for its own node, now."""
        if agent is None:
            return
        snapshot = self._fleet.snapshot(session.identity.node)
        uid = snapshot.node.uid if snapshot is not None and snapshot.node is not None else ""
        if (why_not := objection(agent, session.identity.node, uid)) is not None:
            raise _Stranger(why_not)

    async def _admit(self, session: Session) -> None:
        if not await self._sessions.admit(session):
            self._fleet.refused(session.identity)
            raise _Refusal(
                fleet_pb2.REFUSAL_REASON_NODE_TAKEN,
                f"another agent reports for node {session.identity.node} and is alive: "
                "run one agent per node, each with the name of its own Node",
            )

    async def _converse(
        self,
        session: Session,
        agent: Agent | None,
        manifest: fleet_pb2.Manifest,
        messages: AsyncIterator[bytes],
    ) -> None:
        term = Term.of(agent.expires, time.time(), random.random, HEARTBEAT_SECONDS) if agent is not None else None
        session.heard()
        missing = self._fleet.connected(session.identity, manifest)
        _log(session, _level(routine=session.continues), "agent connected", missing=len(missing))
        welcome = fleet_pb2.Welcome(missing=missing, heartbeat_seconds=HEARTBEAT_SECONDS)
        await session.send(fleet_pb2.ReportResponse(welcome=welcome))
        async for message in messages:
            request = fleet_pb2.ReportRequest.FromString(message)
            session.heard()
            self._require(agent, session)
            await self._keep_term(session, term)
            kind = request.WhichOneof("kind")
            if kind == "update":
                await session.send(self._update(session, request.update))
            elif kind != "heartbeat":
                raise _Refusal(fleet_pb2.REFUSAL_REASON_MALFORMED, f"after hello comes update or heartbeat, not {kind}")

    async def _keep_term(self, session: Session, term: Term | None) -> None:
        if term is None or self._gate is None or not self._gate.reachable:
            return
        match term.due(time.time()):
            case Due.RENEW:
                session.renewing = True
                await session.send(fleet_pb2.ReportResponse(renew=fleet_pb2.Renew()))
            case Due.END:
                raise _Expired

    def _update(self, session: Session, update: fleet_pb2.Update) -> fleet_pb2.ReportResponse:
        if update.sequence <= session.sequence:
            raise _Refusal(
                fleet_pb2.REFUSAL_REASON_MALFORMED, f"update.sequence {update.sequence} follows {session.sequence}"
            )
        session.sequence = update.sequence
        try:
            bounds.check_update(update)
            missing = self._fleet.updated(session.identity.node, update)
        except bounds.OutOfBounds as problem:
            raise _Refusal(fleet_pb2.REFUSAL_REASON_MALFORMED, str(problem)) from problem
        if not missing:
            session.asked_again = False
            return fleet_pb2.ReportResponse(ack=fleet_pb2.Ack(sequence=update.sequence))
        if session.asked_again:
            raise _Refusal(
                fleet_pb2.REFUSAL_REASON_MALFORMED, f"section {missing[0]} was asked for twice and did not come"
            )
        session.asked_again = True
        return fleet_pb2.ReportResponse(resend=fleet_pb2.Resend(sections=missing))

    def _leave(self, session: Session) -> None:
        if self._sessions.leave(session):
            self._fleet.lost(session.identity.node)
            _log(session, logging.INFO, "agent disconnected")

    async def _refuse(self, session: Session | None, agent: Agent | None, context: _Context, refusal: _Refusal) -> None:
        self._tell(session, agent, context, refusal.finding)
        await (session.send if session else context.write)(refusal.response)

    def _tell(self, session: Session | None, agent: Agent | None, context: _Context, why: Finding) -> None:
        peer = host_of(context.peer())
        if self._refusals.count(why, peer, agent.node if agent else ""):
            _log(session, logging.WARNING, "agent refused", peer=peer, reason=why.reason, why=why.message)


def _hello(message: bytes) -> fleet_pb2.Hello:
    """Read the first message."""
    try:
        bounds.check_greeting(len(message))
        request = fleet_pb2.ReportRequest.FromString(message)
        if not request.HasField("hello"):
            raise _Refusal(fleet_pb2.REFUSAL_REASON_MALFORMED, "the first message of a stream must be hello")
        if request.hello.protocol != PROTOCOL:
            raise _Refusal(
                fleet_pb2.REFUSAL_REASON_PROTOCOL,
                f"protocol version {request.hello.protocol} is not spoken here, {PROTOCOL} is: "
                "run agents and coordinator of the same release",
            )
        bounds.check_hello(request.hello)
    except bounds.OutOfBounds as problem:
        raise _Refusal(fleet_pb2.REFUSAL_REASON_MALFORMED, str(problem)) from problem
    return request.hello


def _identity(hello: fleet_pb2.Hello) -> Identity:
    return Identity(
        node=NodeName(hello.node_name),
        instance_id=hello.instance_id,
        boot_id=hello.boot_id,
        started=hello.started.ToDatetime(UTC),
        agent_version=hello.agent_version,
    )


async def _give_up(session: Session | None, context: _Context) -> NoReturn:
    if session is None or not session.admitted:
        late = (
            f"the greeting came to no end in {GREETING_SECONDS:g} s: Hello, check of the token, probe of another agent"
        )
        await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, late)
    if session.successor is not None:
        routine = session.renewing and session.successor.instance_id == session.identity.instance_id
        _log(session, _level(routine=routine), "agent replaced", successor=session.successor.instance_id)
        successor = f"agent instance {session.successor.instance_id} speaks for this node now"
        await context.abort(grpc.StatusCode.ABORTED, successor)
    _log(session, logging.WARNING, "agent silent")
    await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, f"nothing came for {SILENT_SECONDS} s")


def _level(*, routine: bool) -> int:
    """Every agent renews its stream every hour."""
    return logging.DEBUG if routine else logging.INFO


def _log(session: Session | None, level: int, message: str, **fields: object) -> None:
    if session is not None:
        identity = session.identity
        fields |= {"node": identity.node, "instance": identity.instance_id, "version": identity.agent_version}
    log.log(level, message, extra=fields)
