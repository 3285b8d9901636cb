"""The election, by a Lease of the real API server: one leads at a time, and the next one takes over."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Never

import pytest
from aiohttp import web

from coordinator.kube.client import Kube
from coordinator.kube.errors import LeaseNotHeld
from coordinator.leadership.election import Election
from coordinator.leadership.lease import NAME, Candidate, Times
from coordinator.leadership.tenure import Tenure
from nicfleet import names
from tests.controlplane.cluster import ControlPlane
from tests.integration.coordinator.background import eventually
from tests.integration.coordinator.proxy import Answer, Proxy, proxied

NAMESPACE = names.DEFAULT_NAMESPACE
QUICK = Times(held=2.0, writing=1.2, margin=0.2, renewed_every=0.3, answered=0.5, looked_every=0.1, doubted=0.8)


@dataclass
class Contender:
    """A coordinator that takes part, and what became of it."""

    election: Election
    kube: Kube
    lost: str = ""

    def __post_init__(self) -> None:
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        await self.election.win()
        self.lost = await self.election.keep()

    async def write(self) -> None:
        """As the leader writes."""
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "written", "namespace": NAMESPACE}}
        await self.kube.apply(body, manager="test", force=True)

    async def write_for_ever(self) -> Never:
        while True:
            await self.write()
            await asyncio.sleep(0.02)


@asynccontextmanager
async def contender(kubeconfig: Path, name: str) -> AsyncIterator[Contender]:
    tenure = Tenure(times=QUICK)
    always, kube = await Kube.connect(kubeconfig), await Kube.connect(kubeconfig, permit=tenure)
    candidate = Candidate(f"{name}_1", f"{name}:7444")
    found = Contender(Election(always, NAMESPACE, candidate, tenure, Random(1), times=QUICK), kube)
    try:
        yield found
    finally:
        found.task.cancel()
        with suppress(asyncio.CancelledError):
            await found.task
        await always.close()
        await kube.close()


@pytest.fixture(autouse=True)
def _no_lease(installed: ControlPlane) -> Iterator[None]:
    yield
    installed.kubectl("delete", "lease,configmap", NAME, "written", f"--namespace={NAMESPACE}", check=False)


@pytest.fixture
async def network(kubeconfig: Path, tmp_path: Path) -> AsyncIterator[tuple[Proxy, Path]]:
    async with proxied(kubeconfig, tmp_path) as found:
        yield found


def lease(cluster: ControlPlane) -> Any:
    return cluster.get("lease", NAME, f"--namespace={NAMESPACE}")


async def test_one_of_many_leads_and_the_others_name_it(kubeconfig: Path) -> None:
    async with contender(kubeconfig, "a") as a, contender(kubeconfig, "b") as b, contender(kubeconfig, "c") as c:
        contenders = (a, b, c)
        await eventually(lambda: any(each.election.leads for each in contenders))
        (leader,) = (each for each in contenders if each.election.leads)
        others = [each for each in contenders if each is not leader]

        assert await leader.election.elsewhere() is None
        await leader.write()
        await eventually(lambda: all(other.election.address for other in others))
        for other in others:
            assert await other.election.elsewhere() == f"{leader.election.leader}:7444"
            with pytest.raises(
                LeaseNotHeld, match=r"cannot apply ConfigMap .*: this coordinator does not hold the lease"
            ):
                await other.write()
        await asyncio.sleep(2 * QUICK.held)  # it is renewed again and again
        assert leader.election.leads
        assert not any(each.election.leads for each in others)


async def test_a_leader_that_lets_go_is_followed_at_once(kubeconfig: Path, installed: ControlPlane) -> None:
    async with contender(kubeconfig, "a") as a:
        await eventually(lambda: a.election.leads)
        async with contender(kubeconfig, "b") as b:
            await eventually(lambda: b.election.address == "a:7444")
            await a.election.release()
            await eventually(lambda: b.election.leads, QUICK.held / 2)
            assert lease(installed)["spec"]["leaseTransitions"] == 1
        with pytest.raises(LeaseNotHeld):
            await a.write()


async def test_a_leader_that_vanishes_is_followed_when_its_lease_has_ended(kubeconfig: Path) -> None:
    clock = asyncio.get_running_loop().time
    async with contender(kubeconfig, "a") as a:
        await eventually(lambda: a.election.leads)
    ended = clock()
    async with contender(kubeconfig, "b") as b:
        await eventually(lambda: b.election.address == "a:7444")
        await asyncio.sleep(QUICK.doubted + QUICK.looked_every)
        assert await b.election.elsewhere() is None  # an agent that came meanwhile has waited
        assert b.election.leads
        assert QUICK.held <= clock() - ended < QUICK.held + 1.0


async def test_who_cannot_renew_stops_writing_first_and_is_lost_then(
    network: tuple[Proxy, Path], kubeconfig: Path, caplog: pytest.LogCaptureFixture
) -> None:
    proxy, behind = network
    clock = asyncio.get_running_loop().time
    async with contender(behind, "a") as a, contender(kubeconfig, "b") as b:
        await eventually(lambda: a.election.leads or b.election.leads)
        if b.election.leads:
            await b.election.release()
            await eventually(lambda: a.election.leads)
        await a.write()
        proxy.answer = lambda request: Answer(503, "away") if "/leases/" in request.path else None
        cut = clock()

        with pytest.raises(LeaseNotHeld):
            await a.write_for_ever()
        stopped = clock()
        assert not a.lost
        await eventually(lambda: a.lost)
        assert a.lost.startswith("not renewed for 2 s: cannot replace Lease")

        assert QUICK.writing - QUICK.renewed_every - 0.1 <= stopped - cut < QUICK.writing + 0.2
        assert len([line for line in caplog.records if line.message == "lease not reached"]) == 1


async def test_a_short_failure_costs_nothing(network: tuple[Proxy, Path]) -> None:
    proxy, behind = network
    async with contender(behind, "a") as a:
        await eventually(lambda: a.election.leads)
        proxy.answer = lambda request: Answer(503, "away") if "/leases/" in request.path else None
        await eventually(lambda: a.election.trouble)
        proxy.answer = lambda request: None
        await eventually(lambda: not a.election.trouble)
        await asyncio.sleep(QUICK.held)
        assert a.election.leads
        await a.write()


async def test_a_renewal_whose_answer_is_lost_is_no_loss(network: tuple[Proxy, Path]) -> None:
    """The next one is a Conflict with it, and the Lease is ours all the same."""
    proxy, behind = network
    async with contender(behind, "a") as a:
        await eventually(lambda: a.election.leads)
        proxy.limit = 1
        await eventually(lambda: a.election.trouble)
        proxy.limit = None
        await asyncio.sleep(QUICK.held)
        assert a.election.leads


async def test_a_leader_lets_go_of_what_it_does_not_know_to_be_its_own(
    network: tuple[Proxy, Path], installed: ControlPlane
) -> None:
    """Told to stop in the middle of a renewal."""
    proxy, behind = network
    async with contender(behind, "a") as a:
        await eventually(lambda: a.election.leads)
        proxy.limit = 1
        await eventually(lambda: a.election.trouble)
        proxy.limit = None
        await a.election.release()
        assert lease(installed)["spec"]["holderIdentity"] == ""


@pytest.mark.parametrize("free", ["there-is-none", "one-that-is-free"])
async def test_one_that_is_told_to_stop_while_it_claims_lets_go(
    network: tuple[Proxy, Path], kubeconfig: Path, installed: ControlPlane, free: str
) -> None:
    proxy, behind = network
    if free == "one-that-is-free":
        async with contender(kubeconfig, "b") as b:
            await eventually(lambda: b.election.leads)
            await b.election.release()

    def stop(request: web.Request, body: bytes) -> None:
        if request.method in ("POST", "PUT") and "/leases" in request.path:
            a.task.cancel()

    async with contender(behind, "a") as a:
        proxy.done = stop
        await asyncio.wait({a.task})
        assert lease(installed)["spec"]["holderIdentity"] == "a_1"
        assert not a.election.leads
        proxy.done = lambda request, body: None
        await a.election.release()
        assert lease(installed)["spec"]["holderIdentity"] == ""


async def test_who_has_not_claimed_takes_the_lease_from_nobody(kubeconfig: Path, installed: ControlPlane) -> None:
    async with contender(kubeconfig, "a") as a:
        await eventually(lambda: a.election.leads)
        async with contender(kubeconfig, "b") as b:
            await eventually(lambda: b.election.address == "a:7444")
            await b.election.release()
            assert lease(installed)["spec"]["holderIdentity"] == "a_1"


async def test_a_deleted_lease_is_made_again_by_the_leader(kubeconfig: Path, installed: ControlPlane) -> None:
    async with contender(kubeconfig, "a") as a:
        await eventually(lambda: a.election.leads)
        async with contender(kubeconfig, "b") as b:
            await eventually(lambda: b.election.address == "a:7444")
            installed.kubectl("delete", "lease", NAME, f"--namespace={NAMESPACE}")
            await asyncio.sleep(QUICK.held)
            assert a.election.leads
            assert not b.election.leads
            assert lease(installed)["spec"]["holderIdentity"] == "a_1"


async def test_a_lease_that_is_given_to_somebody_else_by_hand_is_lost(
    kubeconfig: Path, installed: ControlPlane
) -> None:
    async with contender(kubeconfig, "a") as a:
        await eventually(lambda: a.election.leads)
        patch = '{"spec": {"holderIdentity": "somebody"}}'
        installed.kubectl("patch", "lease", NAME, f"--namespace={NAMESPACE}", "--type=merge", f"--patch={patch}")
        await eventually(lambda: a.lost == "somebody holds it")
        with pytest.raises(LeaseNotHeld):
            await a.write()


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        pytest.param(Answer(403, "no"), "cannot read Lease", id="refused"),
        pytest.param(Answer(200, "<html>log in</html>"), "its answer is no Lease", id="a-proxys-page"),
        pytest.param(Answer(200, b'{"kind": "\xff"}'), "its answer is no Lease", id="no-text"),
        pytest.param(Answer(200, {"kind": "Lease"}), "its answer is no Lease", id="half-of-it"),
    ],
)
async def test_a_standby_that_sees_nothing_of_the_lease_says_so_and_leads_nobody(
    network: tuple[Proxy, Path], kubeconfig: Path, answer: Answer, trouble: str
) -> None:
    proxy, behind = network
    async with contender(kubeconfig, "a") as a:
        await eventually(lambda: a.election.leads)
        async with contender(behind, "b") as b:
            await eventually(lambda: b.election.address == "a:7444")
            proxy.answer = lambda request: answer
            await eventually(lambda: trouble in b.election.trouble)
            assert await b.election.elsewhere() == "a:7444"
            await asyncio.sleep(2 * QUICK.held)
            assert not b.election.leads
