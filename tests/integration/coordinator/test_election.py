"""The election, by a Lease of the real API server: one leads at a time, and the next one takes over."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiohttp import web

from coordinator.kube.client import Kube
from coordinator.kube.errors import LeaseNotHeld
from coordinator.leadership import election
from coordinator.leadership.election import Election
from coordinator.leadership.lease import NAME, Candidate, Times
from coordinator.leadership.tenure import BOOT_CLOCK, Tenure
from nicfleet import names
from tests.controlplane.cluster import ControlPlane
from tests.integration.coordinator.background import eventually
from tests.integration.coordinator.proxy import Answer, Proxy, proxied

NAMESPACE = names.DEFAULT_NAMESPACE
TIMES = Times(held=60.0, writing=30.0, margin=6.0, renewed_every=0.2, answered=30.0, looked_every=0.05, doubted=20.0)
"""No machine stands still for so long as it takes to lose the lease: time passes where a test says so."""


class Clock:
    """This machine's, which a test sets forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return BOOT_CLOCK() + self.ahead


@dataclass
class Contender:
    """A coordinator that takes part, and what became of it."""

    election: Election
    kube: Kube
    clock: Clock
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

    async def renews(self) -> None:
        """Wait until it has renewed the lease from now on."""
        now = self.clock()
        await eventually(lambda: self.election.tenure.ends_at > now + TIMES.held)

    async def sees_a_renewal(self) -> None:
        """Wait until the lease has changed before its eyes from now on."""
        now = self.clock()
        await eventually(lambda: self.election._sighting is not None and self.election._sighting.since > now)

    async def stop(self) -> None:
        """As a coordinator that is told to."""
        await self.end()
        await self.election.release()

    async def end(self) -> None:
        """As a process ends."""
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


@asynccontextmanager
async def contender(kubeconfig: Path, name: str) -> AsyncIterator[Contender]:
    clock = Clock()
    tenure = Tenure(clock, TIMES)
    always, kube = await Kube.connect(kubeconfig), await Kube.connect(kubeconfig, permit=tenure)
    candidate = Candidate(f"{name}_1", f"{name}:7444")
    found = Contender(Election(always, NAMESPACE, candidate, tenure, Random(1), clock, TIMES), kube, clock)
    try:
        yield found
    finally:
        await found.end()
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
        for _ in range(3):  # in all more time than passes before a lease that nobody renews is free
            await leader.renews()
            await asyncio.gather(*(other.sees_a_renewal() for other in others))
            for each in contenders:
                each.clock.ahead += 0.75 * TIMES.held
        await leader.renews()
        assert leader.election.leads
        assert not any(each.election.leads for each in others)


async def test_a_leader_that_lets_go_is_followed_at_once(kubeconfig: Path, installed: ControlPlane) -> None:
    async with contender(kubeconfig, "a") as a:
        await eventually(lambda: a.election.leads)
        async with contender(kubeconfig, "b") as b:
            await eventually(lambda: b.election.address == "a:7444")
            began = b.clock()
            await a.stop()
            await eventually(lambda: b.election.leads, TIMES.held)
            assert b.clock() - began < TIMES.held
            assert lease(installed)["spec"]["leaseTransitions"] == 1
        with pytest.raises(LeaseNotHeld):
            await a.write()


async def test_a_leader_that_vanishes_is_followed_when_its_lease_has_ended(
    kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(election, "PATIENCE", 60.0)
    async with contender(kubeconfig, "a") as a:
        await eventually(lambda: a.election.leads)
    async with contender(kubeconfig, "b") as b:
        await eventually(lambda: b.election.address == "a:7444")
        assert await b.election.elsewhere() == "a:7444"
        b.clock.ahead += TIMES.doubted
        await eventually(lambda: b.election._elsewhere is None)
        waiting = asyncio.create_task(b.election.elsewhere())
        await asyncio.sleep(0.2)
        assert not waiting.done()  # an agent that came meanwhile waits
        assert not b.election.leads
        b.clock.ahead += TIMES.held - TIMES.doubted
        assert await waiting is None
        assert b.election.leads


async def test_who_cannot_renew_stops_writing_first_and_is_lost_then(
    network: tuple[Proxy, Path], kubeconfig: Path, caplog: pytest.LogCaptureFixture
) -> None:
    proxy, behind = network
    async with contender(behind, "a") as a:
        await eventually(lambda: a.election.leads)
        await a.write()
        proxy.answer = lambda request: Answer(503, "away") if "/leases/" in request.path else None
        await eventually(lambda: a.election.trouble)
        await a.write()
        a.clock.ahead += TIMES.writing
        with pytest.raises(LeaseNotHeld):
            await a.write()
        assert not a.lost
        async with contender(kubeconfig, "b") as b:
            await eventually(lambda: b.election.address == "a:7444")
            a.clock.ahead += TIMES.held - TIMES.writing
            await eventually(lambda: a.lost)
            assert not b.election.leads
        assert a.lost.startswith("not renewed for 60 s: cannot replace Lease")
        assert len([line for line in caplog.records if line.message == "lease not reached"]) == 1


async def test_a_short_failure_costs_nothing(network: tuple[Proxy, Path]) -> None:
    proxy, behind = network
    async with contender(behind, "a") as a:
        await eventually(lambda: a.election.leads)
        proxy.answer = lambda request: Answer(503, "away") if "/leases/" in request.path else None
        await eventually(lambda: a.election.trouble)
        proxy.answer = lambda request: None
        await eventually(lambda: not a.election.trouble)
        await a.renews()
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
        await a.renews()
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
        await a.end()
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
            await b.stop()

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
            await b.stop()
            assert lease(installed)["spec"]["holderIdentity"] == "a_1"


async def test_a_deleted_lease_is_made_again_by_the_leader(kubeconfig: Path, installed: ControlPlane) -> None:
    async with contender(kubeconfig, "a") as a:
        await eventually(lambda: a.election.leads)
        async with contender(kubeconfig, "b") as b:
            await eventually(lambda: b.election.address == "a:7444")
            deleted = lease(installed)["metadata"]["uid"]
            installed.kubectl("delete", "lease", NAME, f"--namespace={NAMESPACE}")
            await a.renews()
            await b.sees_a_renewal()
            assert a.election.leads
            assert not b.election.leads
            found = lease(installed)
            assert found["spec"]["holderIdentity"] == "a_1"
            assert found["metadata"]["uid"] != deleted


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
            b.clock.ahead += 2 * TIMES.held
            asked = len(proxy.seen)
            await eventually(lambda: len(proxy.seen) > asked + 2)
            assert not b.election.leads
