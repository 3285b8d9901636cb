"""Agents and viewers with tokens of a real API server, over TLS: who is believed, and for what."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from agent.channel import Dialler
from agent.latest import Latest
from agent.outbox import Identity as AgentIdentity
from agent.report import Reporter
from coordinator.authentication import gate, reviews
from coordinator.authentication.gate import Gate
from coordinator.authentication.rules import Reviewed
from coordinator.fleet import hearing, server, view_guard
from coordinator.fleet.fleet import Connection, Fleet
from coordinator.fleet.refusals import Refusals
from coordinator.fleet.server import serve
from coordinator.fleet.view_guard import bearer as server_bearer
from coordinator.fleet.views import FleetView
from coordinator.kube.client import Kube
from nicfleet.channel import Tls, open_channel
from nicfleet.inventory import NodeName
from nicfleet.names import DEFAULT_NAMESPACE as NAMESPACE
from nicfleet.names import TOKEN_AUDIENCE
from nicfleet.reasons import Reason
from nicfleet.token_file import TokenFile
from nicfleet.v1 import fleet_pb2, fleet_pb2_grpc, view_pb2, view_pb2_grpc
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.nodes import fake_node
from tests.controlplane.tokens import account_token, claims, forged, pod_token
from tests.integration.coordinator.certificates import write_certificate
from tests.integration.coordinator_grpc.conftest import AgentStream, now
from tests.integration.system import waiting
from tests.unit.coordinator.inventories import connectx6dx, inventory, kube_node
from tests.unit.coordinator.reports import hello, identity

AGENT = "nicfleet-agent"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:{AGENT}"
NAME = NodeName("identity-1")
OTHER = NodeName("identity-2")
VALUE = inventory(connectx6dx())
VIEW = "/nicfleet/v1/fleetview"
UNPROVEN = grpc.StatusCode.UNAUTHENTICATED
FOREIGN = grpc.StatusCode.PERMISSION_DENIED


@dataclass(frozen=True, slots=True)
class Tokens:
    """A cluster with an agent's pod on each of two nodes; the tokens are made when they are asked for."""

    plane: ControlPlane

    def agent(self, node: str = NAME, audience: str = TOKEN_AUDIENCE) -> str:
        return pod_token(self.plane, NAMESPACE, AGENT, f"agent-{node}", audience)

    def forged(self, **changes: Any) -> str:
        return forged(self.plane, self.agent(), changes)

    def expired(self) -> str:
        """Of the agent."""
        token, now = self.agent(), int(time.time())  # in this order: to get one may take a second
        return forged(self.plane, token, {"exp": now - 1, "iat": now - 600, "nbf": now - 600})

    def of_earlier_node(self) -> str:
        bound = claims(self.agent())["kubernetes.io"]
        return self.forged(**{"kubernetes.io": bound | {"node": {"name": NAME, "uid": "an-earlier-one"}}})

    def account(self, name: str = AGENT, audience: str = TOKEN_AUDIENCE) -> str:
        return account_token(self.plane, NAMESPACE, name, audience)

    def uid(self, node: str) -> str:
        found: str = self.plane.get("node", node)["metadata"]["uid"]
        return found


@pytest.fixture(scope="module")
def tokens(installed: ControlPlane) -> Iterator[Tokens]:
    objects = [fake_node(NAME), fake_node(OTHER)]
    objects += [_account(name) for name in (AGENT, "somebody", "viewer")]
    installed.apply(*objects)
    pods = [_pod(node, AGENT) for node in (NAME, OTHER)] + [_pod(NAME, "somebody")]
    installed.apply(*pods, _role(), _binding())
    may_view = ("auth", "can-i", "get", VIEW, f"--as=system:serviceaccount:{NAMESPACE}:viewer")
    waiting.eventually(lambda: installed.kubectl(*may_view, check=False).strip() == "yes")
    yield Tokens(installed)
    installed.kubectl("delete", "-f", "-", "--wait=false", "--grace-period=0", "--force", input=_list(pods + objects))
    installed.kubectl("delete", "clusterrole,clusterrolebinding", "nicfleet-viewer")


def _list(objects: list[dict[str, Any]]) -> str:
    import json

    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def _account(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": NAMESPACE}}


def _pod(node: str, account: str) -> dict[str, Any]:
    name = f"agent-{node}" if account == AGENT else f"{account}-{node}"
    spec = {"serviceAccountName": account, "nodeName": node, "containers": [{"name": "c", "image": "none"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}


def _role() -> dict[str, Any]:
    rule = {"nonResourceURLs": [VIEW], "verbs": ["get"]}
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
    return kind | {"metadata": {"name": "nicfleet-viewer"}, "rules": [rule]}


def _binding() -> dict[str, Any]:
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "nicfleet-viewer"}
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding"}
    viewer = {"kind": "ServiceAccount", "name": "viewer", "namespace": NAMESPACE}
    return kind | {"metadata": {"name": "nicfleet-viewer"}, "roleRef": role, "subjects": [viewer]}


def bearer(token: str | None) -> tuple[tuple[str, str], ...]:
    """Metadata of a call that shows this token (RFC 6750)."""
    return (("authorization", f"Bearer {token}"),) if token else ()


class Clock:
    """A server's, in place of the module `time`: a test sets it forward, and sees how often it was looked at."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.looks = 0

    def time(self) -> float:
        self.looks += 1
        return time.time() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """By which the server judges the tokens of its streams. The gate has its own, and the API server too."""
    found = Clock()
    monkeypatch.setattr(server, "time", found)
    return found


@dataclass
class Site:
    """A coordinator's server behind TLS and a gate."""

    address: str
    authority: Path
    fleet: Fleet
    refusals: Refusals
    seen: list[Connection]
    """The connection of NAME after each change."""

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[grpc.aio.Channel]:
        async with open_channel(self.address, Tls(self.authority, "127.0.0.1")) as channel:
            yield channel

    @asynccontextmanager
    async def agent(self, token: str | None) -> AsyncIterator[AgentStream]:
        async with self.channel() as channel:
            yield AgentStream(fleet_pb2_grpc.FleetStub(channel).Report(metadata=bearer(token)))

    @staticmethod
    async def greet(stream: AgentStream, node: str = NAME) -> fleet_pb2.ReportResponse:
        return await stream.say_hello(VALUE, identity(node))

    async def refused(self, token: str | None, node: str = NAME) -> tuple[grpc.StatusCode, str]:
        async with self.agent(token) as stream:
            await stream.send(hello=hello(VALUE, identity(node)))
            return await stream.end(), str(await stream.call.details())

    def connection(self, node: NodeName = NAME) -> Connection:
        snapshot = self.fleet.snapshot(node)
        assert snapshot is not None
        return snapshot.connection


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is sent away has his word heard, however slow this machine is."""
    monkeypatch.setattr(hearing, "_SECONDS", 60.0)
    monkeypatch.setattr(hearing, "_PATIENCE", 60.0)


@pytest.fixture
async def site(tokens: Tokens, kube: Kube, tmp_path: Path) -> AsyncIterator[Site]:
    async with _serving(Gate(kube, ACCOUNT), tmp_path) as running:
        for node in (NAME, OTHER):
            running.fleet.node_seen(kube_node(node, uid=tokens.uid(node)))
        yield running


@asynccontextmanager
async def _serving(gate: Gate, folder: Path, *, trust_loopback: bool = True) -> AsyncIterator[Site]:
    certificate = write_certificate(folder)
    refusals = Refusals(time.monotonic)
    seen: list[Connection] = []

    def changed(name: NodeName, hardware: bool) -> None:
        snapshot = fleet.snapshot(name)
        if name == NAME and snapshot is not None:
            seen.append(snapshot.connection)

    fleet = Fleet(now, changed)
    fleet.nodes_synced()
    view = FleetView(fleet, now, lambda _: None, lambda *_: None)
    pair = ((folder / "tls.key").read_bytes(), certificate)
    tls = grpc.ssl_server_credentials([pair])
    running = await serve("127.0.0.1:0", fleet, view, refusals, tls, gate=gate, trust_loopback=trust_loopback)
    try:
        yield Site(f"127.0.0.1:{running.port}", folder / "tls.crt", fleet, refusals, seen)
    finally:
        await running.stop(grace=0)


async def test_an_agent_speaks_for_the_node_that_its_token_names(site: Site, tokens: Tokens) -> None:
    async with site.agent(tokens.agent()) as stream:
        assert (await stream.say_hello(VALUE, identity(NAME))).HasField("welcome")
        assert (await stream.report(VALUE)).ack.sequence == 1
        assert site.connection() is Connection.CONNECTED
    assert site.refusals.counts == {}


REFUSED: dict[str, tuple[Callable[[Tokens], str | None], grpc.StatusCode, str]] = {
    "no-token": (lambda _: None, UNPROVEN, "shows no token"),
    "garbage": (lambda _: "no.such.token", UNPROVEN, "no token of a pod"),
    "bad-signature": (lambda t: f"{t.agent()[:-8]}AAAAAAAA", UNPROVEN, "invalid bearer token"),
    "expired": (Tokens.expired, UNPROVEN, "has expired: see why the kubelet"),
    "not-valid-yet": (lambda t: t.forged(nbf=int(time.time()) + 600), UNPROVEN, "API server does not take"),
    "another-audience": (lambda t: t.agent(audience="vault"), UNPROVEN, "is not for audience"),
    "the-api-servers-audience": (
        lambda t: t.agent(audience="https://kubernetes.default.svc"), UNPROVEN, "is not for audience"
    ),
    "of-another-node": (lambda t: t.agent(OTHER), FOREIGN, f"on node {OTHER}, and the report is for {NAME}"),
    "of-an-earlier-node": (Tokens.of_earlier_node, FOREIGN, "of an earlier Node"),
    "of-another-account": (
        lambda t: pod_token(t.plane, NAMESPACE, "somebody", f"somebody-{NAME}", TOKEN_AUDIENCE),
        FOREIGN,
        f"is of system:serviceaccount:{NAMESPACE}:somebody",
    ),
    "bound-to-no-pod": (Tokens.account, FOREIGN, "bound to no pod on a node"),
}  # fmt: skip
PROVED = ("of-another-node", "of-an-earlier-node")
"""Only of these it is known that they are agents, and so only of these the node is told that they named."""


@pytest.mark.parametrize("case", REFUSED)
async def test_any_other_token_is_refused_in_words_and_changes_nothing(
    site: Site, tokens: Tokens, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    make, expected, words = REFUSED[case]
    token = make(tokens)
    caplog.set_level(logging.WARNING)

    for _ in range(3):
        code, said = await site.refused(token)

    assert code is expected
    assert words in said
    assert site.connection() is Connection.NOT_REPORTED
    finding = Reason.IdentityUnproven if code is UNPROVEN else Reason.IdentityForeign
    assert site.refusals.counts == {finding: 3}
    told = [record for record in caplog.records if record.message == "agent refused"]
    fields = [(vars(each)["peer"], vars(each).get("node"), vars(each)["reason"]) for each in told]
    assert fields == [("127.0.0.1", NAME if case in PROVED else None, finding)]
    assert token is None or token not in caplog.text


@pytest.mark.parametrize("token", [None, "bad-signature"])
async def test_names_that_are_made_up_make_no_lines(
    site: Site, tokens: Tokens, caplog: pytest.LogCaptureFixture, token: str | None
) -> None:
    shown = REFUSED["bad-signature"][0](tokens) if token else None
    for number in range(20):
        await site.refused(shown, f"made-up-{number}")
    assert len(_messages(caplog, "agent refused")) == 1
    assert "made-up" not in caplog.text
    assert site.refusals.counts == {Reason.IdentityUnproven: 20}


async def test_the_api_server_is_not_asked_about_what_cannot_be_right(site: Site, tokens: Tokens) -> None:
    bad = [make(tokens) for case, (make, *_) in REFUSED.items() if case in LOCALLY_REFUSED]
    before = _reviews(tokens)
    for token in bad:
        await site.refused(token)
    assert _reviews(tokens) == before


LOCALLY_REFUSED = ("no-token", "garbage", "expired", "another-audience", "the-api-servers-audience")


FLOOD: Final = 100


async def test_an_agent_gets_in_while_a_flood_from_elsewhere_waits(
    site: Site, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the flood's tokens is another question to the API server, which is slow to refuse it."""
    good, over = tokens.agent(), asyncio.Event()
    head, _, _ = good.rpartition(".")
    came: list[str] = []

    async def whose(kube: Kube, token: str, *audiences: str) -> Reviewed:
        if token != good:
            await over.wait()
        return await reviews.whose(kube, token, *audiences)

    def shown(context: Any) -> str:
        came.append(server_bearer(context))
        return came[-1]

    monkeypatch.setattr(gate, "whose", whose)
    monkeypatch.setattr(gate, "PATIENCE", 60.0)  # so that the whole flood gets its answer
    monkeypatch.setattr(server, "GREETING_SECONDS", 60.0)
    monkeypatch.setattr(server, "bearer", shown)
    async with _elsewhere(site.address) as address, AsyncExitStack() as channels:

        async def call(number: int) -> grpc.StatusCode:
            channel = await channels.enter_async_context(open_channel(address, Tls(site.authority, "127.0.0.1")))
            stub: Any = fleet_pb2_grpc.FleetStub(channel)
            stream = AgentStream(stub.Report(metadata=bearer(f"{head}.{number:0342}")))
            await stream.send(hello=hello(VALUE, identity(NAME)))
            return await stream.end()

        flood = [asyncio.create_task(call(number)) for number in range(FLOOD)]
        await _until(lambda: len(came) == FLOOD)
        async with site.agent(good) as stream:
            assert (await Site.greet(stream)).HasField("welcome")
        assert not any(each.done() for each in flood)
        over.set()
        assert set(await asyncio.gather(*flood)) == {UNPROVEN}


@asynccontextmanager
async def _elsewhere(target: str) -> AsyncIterator[str]:
    """HOST:PORT that leads to the target, whose peer then has another address."""
    host, _, port = target.rpartition(":")

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(host, int(port), local_addr=("127.0.0.9", 0))
        await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))

    forwarder = await asyncio.start_server(forward, "127.0.0.1", 0)
    async with forwarder:
        yield f"127.0.0.1:{forwarder.sockets[0].getsockname()[1]}"


async def test_a_node_that_was_made_anew_is_not_the_old_agents(site: Site, tokens: Tokens) -> None:
    async with site.agent(tokens.agent()) as stream:
        await stream.say_hello(VALUE, identity(NAME))
        await stream.report(VALUE)
        site.fleet.node_seen(kube_node(NAME, uid="another"))
        await stream.send(heartbeat=fleet_pb2.Heartbeat())
        assert await stream.end() is FOREIGN
        assert "earlier Node" in await stream.call.details()
    assert (await site.refused(tokens.agent()))[0] is FOREIGN


async def test_many_connections_with_one_token_are_one_question(site: Site, tokens: Tokens) -> None:
    token = tokens.agent()
    before = _reviews(tokens)
    async with site.channel() as channel:
        streams = [AgentStream(fleet_pb2_grpc.FleetStub(channel).Report(metadata=bearer(token))) for _ in range(16)]
        for stream in streams:
            await stream.send(hello=hello(VALUE, identity(NAME)))
        await asyncio.gather(*(stream.receive() for stream in streams))
    assert _reviews(tokens) - before == 1


def _reviews(tokens: Tokens) -> int:
    tokens.plane.kubectl("get", "namespace", "default")  # logged after all that has ended by now
    about = (event["objectRef"]["resource"] for event in tokens.plane.audit() if "objectRef" in event)
    return sum(resource == "tokenreviews" for resource in about)


def _dead(kubeconfig: Path, copy: Path, url: str) -> Path:
    """The same for an API server that is not there."""
    copy.write_text(kubeconfig.read_text().replace(url, "https://127.0.0.1:1"))
    return copy


async def test_without_the_api_server_nobody_is_let_in_and_nobody_refused(
    tokens: Tokens, tmp_path: Path, kubeconfig: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kube = await Kube.connect(_dead(kubeconfig, tmp_path / "kubeconfig", tokens.plane.url))
    try:
        async with _serving(Gate(kube, ACCOUNT), tmp_path) as site:
            for _ in range(3):
                async with site.agent(tokens.agent()) as stream:
                    await stream.send(hello=hello(VALUE, identity(NAME)))
                    assert await stream.end() is grpc.StatusCode.UNAVAILABLE
                    assert "the token cannot be checked now" in await stream.call.details()
            assert site.refusals.counts == {}
    finally:
        await kube.close()
    assert [vars(each)["reason"] for each in caplog.records if each.message == "agents not checked"] == [
        Reason.IdentityUnchecked
    ]


async def test_an_agent_renews_its_stream_before_its_token_ends_and_is_silent_at_no_time(
    site: Site,
    tokens: Tokens,
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(server, "HEARTBEAT_SECONDS", 1)
    caplog.set_level(logging.DEBUG)
    file = TokenFile(tmp_path / "token")
    first = tokens.agent()
    end = float(claims(first)["exp"])
    file.path.write_text(first)
    latest = Latest("0.1.0")
    latest.put(VALUE, now())
    who = AgentIdentity(NAME, "instance-1", now(), "0.1.0")
    dialler = Dialler(Tls(site.authority, "127.0.0.1", file))
    reporter = asyncio.create_task(Reporter(who, site.address, latest, dialler).run())
    try:
        await _until(lambda: site.connection() is Connection.CONNECTED)
        file.path.write_text(tokens.forged(exp=int(end) + 3600))  # as the kubelet does, long before
        del site.seen[:]
        clock.ahead = end - time.time() - 60
        await _until(lambda: len(_messages(caplog, "agent connected")) == 2)
        clock.ahead = end - time.time() + 1
        looks = clock.looks
        await _until(lambda: clock.looks > looks + 2)  # by heartbeats
        assert site.connection() is Connection.CONNECTED
        assert set(site.seen) <= {Connection.CONNECTED}  # here: the agent's stop below makes it silent
    finally:
        reporter.cancel()
        with suppress(asyncio.CancelledError):
            await reporter
    assert [record.levelname for record in _messages(caplog, "agent connected")] == ["INFO", "DEBUG"]
    assert [record.levelname for record in _messages(caplog, "agent replaced")] == ["DEBUG"]
    assert len(_messages(caplog, "coordinator connected")) == 1
    assert site.refusals.counts == {}


async def _until(condition: Callable[[], bool]) -> None:
    """The log and the fleet have no events of their own to wait for."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def _messages(caplog: pytest.LogCaptureFixture, message: str) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.message == message]


async def test_a_stream_that_is_not_renewed_ends_with_its_token(site: Site, tokens: Tokens, clock: Clock) -> None:
    token = tokens.agent()
    end = float(claims(token)["exp"])
    async with site.agent(token) as stream:
        await stream.say_hello(VALUE, identity(NAME))
        clock.ahead = end - time.time() - 60
        looks = clock.looks
        for _ in range(3):
            await stream.send(heartbeat=fleet_pb2.Heartbeat())
        assert (await stream.receive()).WhichOneof("kind") == "renew"
        await _until(lambda: clock.looks == looks + 3)
        clock.ahead = end - time.time() + 1
        await stream.send(heartbeat=fleet_pb2.Heartbeat())
        with pytest.raises(grpc.aio.AioRpcError, match="the token that this stream began with has expired") as ended:
            await stream.call.read()  # what comes next: it was asked for another one once
        assert ended.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_health_is_open_and_so_is_everything_from_loopback(site: Site) -> None:
    async with site.channel() as channel:
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert len((await _list_nodes(channel)).nodes) == 2
        assert await _services(channel)


async def test_loopback_is_no_proof_behind_a_proxy(tokens: Tokens, kube: Kube, tmp_path: Path) -> None:
    async with _serving(Gate(kube, ACCOUNT), tmp_path, trust_loopback=False) as site, site.channel() as channel:
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        for call in (_list_nodes, _services):
            with pytest.raises(grpc.aio.AioRpcError, match="unless the coordinator has --trust-loopback=false"):
                await call(channel)
        assert await _services(channel, tokens.account("viewer"))


async def _list_nodes(channel: grpc.aio.Channel, token: str | None = None) -> view_pb2.ListNodesResponse:
    view: Any = view_pb2_grpc.FleetViewStub(channel)
    found: view_pb2.ListNodesResponse = await view.ListNodes(view_pb2.ListNodesRequest(), metadata=bearer(token))
    return found


async def _services(channel: grpc.aio.Channel, token: str | None = None) -> int:
    call: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    listed = call.ServerReflectionInfo(iter([request]), metadata=bearer(token))
    answers = [answer async for answer in listed]
    return len(answers[0].list_services_response.service)


@pytest.fixture
def from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peers of this machine are taken for peers of another."""
    monkeypatch.setattr(view_guard, "is_loopback", lambda peer: False)


VIEWERS: dict[str, tuple[Callable[[Tokens], str | None], grpc.StatusCode, str]] = {
    "no-token": (lambda _: None, grpc.StatusCode.UNAUTHENTICATED, "kubectl port-forward"),
    "garbage": (lambda _: "garbage", grpc.StatusCode.UNAUTHENTICATED, "invalid bearer token"),
    "without-the-right": (
        lambda t: t.account("somebody"), grpc.StatusCode.PERMISSION_DENIED, ":somebody may not read the fleet"
    ),
    "an-agent": (Tokens.agent, grpc.StatusCode.PERMISSION_DENIED, "bind the ClusterRole"),
    "for-somebody-else": (lambda t: t.account("viewer", "vault"), grpc.StatusCode.UNAUTHENTICATED, "audience"),
}  # fmt: skip


@pytest.mark.usefixtures("from_elsewhere")
@pytest.mark.parametrize("case", VIEWERS)
async def test_who_may_not_read_the_fleet_is_told_why(
    site: Site, tokens: Tokens, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    make, code, words = VIEWERS[case]
    token = make(tokens)
    async with site.channel() as channel:
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        for _ in range(2):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await _list_nodes(channel, token)
            assert refused.value.code() is code
            assert words in str(refused.value.details())
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await _services(channel, token)
        assert refused.value.code() is code
    assert len(_messages(caplog, "viewer refused")) == 1
    assert sum(site.refusals.counts.values()) == 3


@pytest.mark.usefixtures("from_elsewhere")
@pytest.mark.parametrize("audience", [TOKEN_AUDIENCE, ""], ids=["ours", "the-api-servers"])
async def test_who_has_the_right_may_read_the_fleet(site: Site, tokens: Tokens, audience: str) -> None:
    token = tokens.account("viewer", audience)
    async with site.channel() as channel:
        assert len((await _list_nodes(channel, token)).nodes) == 2
        assert await _services(channel, token)


@pytest.mark.usefixtures("from_elsewhere")
async def test_a_call_that_lasts_ends_with_its_token(
    site: Site, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tokens.account("viewer")
    left = SimpleNamespace(time=lambda: claims(token)["exp"] - 2.0)  # whenever it begins to wait for news
    monkeypatch.setattr(view_guard, "time", left)
    async with site.channel() as channel:
        view: Any = view_pb2_grpc.FleetViewStub(channel)
        watch = view.WatchNodes(view_pb2.WatchNodesRequest(), metadata=bearer(token))
        names = [(await watch.read()).node.name, (await watch.read()).node.name]
        assert sorted(names) == [NAME, OTHER]
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            async with asyncio.timeout(60):
                await watch.read()
        assert ended.value.code() is grpc.StatusCode.UNAUTHENTICATED
