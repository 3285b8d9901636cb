"""Two coordinators: one writes, the other takes over, and neither agents nor labels notice much of it."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import grpc
import pytest
from aiohttp import web

from coordinator.leadership.lease import TIMES
from nicfleet import names
from nicfleet.reasons import Reason
from nicfleet.transport import LEADER_METADATA
from nicfleet.v1 import view_pb2, view_pb2_grpc
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.nodes import fake_node
from tests.integration.coordinator.proxy import Proxy
from tests.integration.system.api import Api
from tests.integration.system.audit import Audit
from tests.integration.system.cable import Cable, through_cable
from tests.integration.system.faults import faulty
from tests.integration.system.fleet import INBOX, WITH_DRIVER
from tests.integration.system.pair import LEASE, One, Pair, own_account
from tests.integration.system.product import OFFERED, policy, sections
from tests.integration.system.waiting import eventually

NODES = ("node-1", "node-2", "node-3")
PODS = f"/api/v1/namespaces/{names.DEFAULT_NAMESPACE}/pods"
REST = 2.0
"""Seconds without a write after which none is under way."""
AT_ONCE = 6.0
"""Seconds in which a leader that lets go is followed: less than its lease would have lasted."""
SLOW = 10.0
"""So many seconds may this machine take for what takes none."""
MOST = TIMES.held + TIMES.looked_every + SLOW
"""In which one that vanishes is followed: somebody must have seen its last renewal first."""


@contextmanager
def started(plane: ControlPlane, folder: Path, first: Path, second: Path) -> Iterator[Pair]:
    """Two coordinators, of which the first one leads; nodes, agents, and a policy that is ready."""
    pair = Pair(plane, folder, first, second)
    try:
        pair.start()
        plane.apply(*(fake_node(node, resources=OFFERED) for node in NODES))
        for node in NODES:
            pair.agents.report(node, WITH_DRIVER)
        plane.apply(policy(names.POLICY_NAME, sections("ofedDriver")))
        plane.kubectl("wait", "--for=condition=Ready", f"nicclusterpolicy/{names.POLICY_NAME}", "--timeout=120s")
        eventually(lambda: pair.api.condition("Verified")["status"] == "True")
        yield pair
    finally:
        pair.remove()


@pytest.fixture
def pair(plane: ControlPlane, tmp_path: Path) -> Iterator[Pair]:
    with started(plane, tmp_path, own_account(plane, tmp_path, "1"), own_account(plane, tmp_path, "2")) as found:
        yield found


@pytest.fixture
def cabled(plane: ControlPlane, tmp_path: Path) -> Iterator[tuple[Pair, Cable]]:
    """The first one reaches the API server by a cable."""
    with (
        through_cable(own_account(plane, tmp_path, "1"), tmp_path) as (cable, first),
        started(plane, tmp_path, first, own_account(plane, tmp_path, "2")) as found,
    ):
        yield found, cable


@pytest.fixture
def behind(plane: ControlPlane, tmp_path: Path) -> Iterator[tuple[Pair, Proxy]]:
    """The first one reaches the API server through a network that plays faults."""
    with (
        faulty(own_account(plane, tmp_path, "1"), tmp_path) as (network, first),
        started(plane, tmp_path, first, own_account(plane, tmp_path, "2")) as found,
    ):
        yield found, network


@contextmanager
def changing(pair: Pair) -> Iterator[None]:
    """Meanwhile the agents have something new to say ten times a second, so that whoever leads writes all the time."""
    done = Event()

    def change() -> None:
        for turn in range(1_000_000):
            for node in NODES:
                pair.agents.report(node, (INBOX, WITH_DRIVER)[turn % 2])
            if done.wait(0.1):
                return

    thread = Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def writes_labels(one: One) -> bool:
    return any(write.resource == "nodes" for write in one.writes())


def connected(one: One) -> int:
    """How many agents speak to this one; 0 when it does not lead."""
    with grpc.insecure_channel(one.address) as channel:
        try:
            found = view_pb2_grpc.FleetViewStub(channel).ListNodes(view_pb2.ListNodesRequest(), timeout=10)
        except grpc.RpcError:
            return 0
    return sum(node.connection == view_pb2.CONNECTION_CONNECTED for node in found.nodes)


def judged(one: One) -> str:
    """The state of the policy in its latest verdict; empty before the first one."""
    with grpc.insecure_channel(one.address) as channel:
        try:
            return view_pb2_grpc.FleetViewStub(channel).GetPolicyStatus(view_pb2.GetPolicyStatusRequest()).state
        except grpc.RpcError:
            return ""


def without_driver(one: One) -> list[str]:
    """The nodes on which the driver is not loaded, in its latest verdict."""
    with grpc.insecure_channel(one.address) as channel:
        found = view_pb2_grpc.FleetViewStub(channel).GetPolicyStatus(view_pb2.GetPolicyStatusRequest(), timeout=10)
    (driver,) = (state for state in found.states if state.name == "state-OFED")
    return list(driver.nodes) if driver.finding.reason == Reason.DriverNotLoaded else []


def test_the_standby_is_ready_writes_nothing_and_names_the_leader(pair: Pair) -> None:
    assert pair.second.role == "ok, on standby: first leads"
    assert connected(pair.first) == len(NODES)
    assert pair.second.writes() == []
    assert pair.second.claims() == []

    with grpc.insecure_channel(pair.second.address) as channel, pytest.raises(grpc.RpcError) as error:
        view_pb2_grpc.FleetViewStub(channel).ListNodes(view_pb2.ListNodesRequest(), timeout=10)
    call: Any = error.value
    assert call.code() is grpc.StatusCode.UNAVAILABLE
    assert call.details() == (f"this coordinator is on standby, and first at {pair.first.address} leads: ask that one")
    assert dict(call.trailing_metadata())[LEADER_METADATA] == pair.first.address


def test_a_leader_that_is_told_to_stop_is_followed_at_once_and_nothing_is_written_for_that(pair: Pair) -> None:
    audit = Audit(pair.plane)
    before = pair.api.status()

    began = time.monotonic()
    pair.first.process.send(signal.SIGTERM)
    eventually(lambda: pair.holder() == "second", within=AT_ONCE)
    took = time.monotonic() - began
    eventually(lambda: connected(pair.second) == len(NODES))
    in_step = time.monotonic() - began
    eventually(lambda: pair.second.leads)

    assert took < AT_ONCE
    assert in_step < AT_ONCE + 4.0
    eventually(lambda: pair.first.process.pid is None)
    assert pair.first.logged("stopped")
    eventually(lambda: pair.second.logged("watches in sync"))
    assert pair.api.status() == before
    pair.agents.report(NODES[0], INBOX)  # it works: this is the first thing that it writes
    eventually(lambda: pair.api.labels(NODES[0])[names.DRIVER_FLAVOUR_LABEL] == "inbox")
    eventually(lambda: pair.api.status()["state"] == "notReady")
    # Of that node once or twice: the driver's labels may follow each other.
    eventually(lambda: {(write.verb, write.name) for write in audit.labels()} == {("patch", NODES[0])})
    assert audit.objects() == []


def test_one_that_is_told_to_stop_while_it_claims_leaves_the_lease_to_others(
    plane: ControlPlane, tmp_path: Path
) -> None:
    with faulty(own_account(plane, tmp_path, "1"), tmp_path) as (network, kubeconfig):
        one = One("first", plane, kubeconfig, tmp_path / "first")

        def stop(request: web.Request, body: bytes) -> None:
            if "/leases" in request.path and request.method == "POST":
                one.process.send(signal.SIGTERM)
                time.sleep(0.5)  # in which nothing is answered, also not this

        network.done = stop
        api = Api(plane)
        try:
            one.process.start()
            eventually(lambda: one.logged("stopped"), within=60.0)
            assert not one.logged("leading")
            assert api.get(LEASE)["spec"]["holderIdentity"] == ""
        finally:
            one.kill()
            api.delete(LEASE)
            api.close()


def test_a_leader_that_is_killed_is_followed_when_its_lease_has_ended(pair: Pair) -> None:
    audit = Audit(pair.plane)

    began = time.monotonic()
    pair.first.kill()
    eventually(lambda: pair.holder() == "second", within=MOST)
    took = time.monotonic() - began
    eventually(lambda: connected(pair.second) == len(NODES))
    in_step = time.monotonic() - began

    assert_not_before_it_ended(pair)
    assert took < MOST
    assert in_step < took + 5.0
    eventually(lambda: pair.second.leads)
    eventually(lambda: judged(pair.second) == "ready")
    pair.first.start()
    eventually(lambda: pair.first.role == "ok, on standby: second leads")
    assert audit.writes() == []  # neither labels, nor objects, nor a status


def test_a_policy_that_is_not_ready_stays_as_it_is_told_until_the_agents_have_reported(pair: Pair) -> None:
    """One state is not ready by what its pods say, another by what the agents say, and those come late."""
    multus = {"multus": sections("secondaryNetwork")["secondaryNetwork"]["multus"]}
    pair.plane.apply(policy(names.POLICY_NAME, sections("ofedDriver") | {"secondaryNetwork": multus}))
    eventually(lambda: pair.api.condition("MultusCNIReady")["status"] == "True")
    broken = pair.api.items(f"{PODS}?labelSelector=name=multus")[0]["metadata"]["name"]
    annotation = "nicfleet.test/image-pull-fails=no such image"
    pair.plane.kubectl("annotate", "pod", broken, f"--namespace={names.DEFAULT_NAMESPACE}", annotation)
    for node in NODES:
        pair.agents.report(node, INBOX)
    eventually(lambda: pair.api.condition("MultusCNIReady")["reason"] == Reason.ImagePullFailed)
    eventually(lambda: all(node in pair.api.condition("OFEDDriverReady")["message"] for node in NODES))
    assert without_driver(pair.first) == list(NODES)
    before = pair.api.status()

    pair.first.kill()
    for node in NODES:
        pair.agents.stop(node)
    eventually(lambda: judged(pair.second) == "notReady", within=MOST + SLOW)
    assert without_driver(pair.second) == []
    pair.agents.report(NODES[0], INBOX)
    eventually(lambda: without_driver(pair.second) == [NODES[0]])
    for node in NODES:
        pair.agents.report(node, INBOX)
    eventually(lambda: without_driver(pair.second) == list(NODES))

    assert pair.api.status() == before
    assert pair.second.writes() == []
    assert pair.second.logged("policy finding") == []


def test_a_leader_that_is_cut_off_stops_writing_before_its_lease_ends(cabled: tuple[Pair, Cable]) -> None:
    pair, cable = cabled
    with changing(pair):
        eventually(lambda: writes_labels(pair.first))
        cable.cut()
        eventually(lambda: pair.second.leads, within=MOST + SLOW)
        eventually(lambda: connected(pair.second) == len(NODES))
        eventually(lambda: writes_labels(pair.second))
        cable.mend()
        eventually(lambda: pair.first.process.pid is None)
    assert_handed_over(pair)
    (line,) = pair.first.logged("leadership lost")
    assert line["why"].startswith("not renewed for 10 s: ")


def test_a_leader_that_only_cannot_renew_stops_writing_too(behind: tuple[Pair, Proxy]) -> None:
    """Its writes would pass: it is the leader itself that holds them back."""
    pair, network = behind
    with changing(pair):
        eventually(lambda: writes_labels(pair.first))
        network.delay = lambda request: 3600.0 * ("/leases/" in request.path)
        cut = time.time()
        eventually(lambda: pair.second.leads, within=MOST + SLOW)
        eventually(lambda: writes_labels(pair.second))
        eventually(lambda: pair.first.process.pid is None)
    assert_handed_over(pair)
    after = [write.at - cut for write in pair.first.writes() if write.at > cut]
    assert after  # it wrote while it might
    assert max(after) < TIMES.held - TIMES.margin


def test_a_leader_that_was_frozen_writes_nothing_when_it_wakes_up(pair: Pair) -> None:
    with changing(pair):
        eventually(lambda: writes_labels(pair.first))
    # What it is just sending it would go on sending. But what the agents say from here on waits at its door.
    eventually(lambda: time.time() - pair.first.writes()[-1].at > REST)
    pair.first.process.send(signal.SIGSTOP)
    with changing(pair):
        eventually(lambda: pair.second.leads, within=MOST + SLOW)
        eventually(lambda: connected(pair.second) == len(NODES))  # nobody told the agents anything
        eventually(lambda: writes_labels(pair.second))
        awake = time.time()
        pair.first.process.send(signal.SIGCONT)
        eventually(lambda: pair.first.process.pid is None)
    assert_handed_over(pair)
    assert all(write.at < awake for write in pair.first.writes())
    assert len(pair.first.logged("leadership lost")) == 1


def assert_handed_over(pair: Pair) -> None:
    """The first one's last write was before the second one's claim, and that before the second one's first write."""
    last = pair.first.writes()[-1].at
    claim = pair.second.claims()[0].at
    first = pair.second.writes()[0].at
    assert last < claim < first
    assert_not_before_it_ended(pair)


def assert_not_before_it_ended(pair: Pair) -> None:
    """The second one's claim was not before the end of the first one's lease."""
    assert pair.first.claims()[-1].at + TIMES.held <= pair.second.claims()[0].at + 0.1
