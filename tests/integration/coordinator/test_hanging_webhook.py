"""A write that an admission webhook holds up for longer than we wait: it concerns its object, and no other."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from coordinator.kube.client import Kube
from coordinator.kube.errors import Unreachable
from coordinator.kube.session import Session
from coordinator.kube.transport import Transport
from coordinator.objects.apply import UNANSWERED_SECONDS, Applier
from coordinator.objects.index import ObjectIndex
from coordinator.objects.outcome import Action
from nicfleet.reasons import Reason
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.components import APISERVER
from tests.integration.coordinator.hanging_webhook import hanging
from tests.integration.coordinator.objects import NAMESPACE, STATE, config_map, marked

DEADLINE = 6.0
"""Longer than a machine stands still: all but the webhook answers within it."""
LABELS = {"nicfleet.test/webhook": "hangs"}
Obj = dict[str, Any]


@pytest.fixture(autouse=True)
def clean(installed: ControlPlane) -> Iterator[None]:
    yield
    installed.kubectl("delete", "configmap", f"--namespace={NAMESPACE}", "--selector=nvidia.network-operator.state")


@pytest.fixture
async def kube(kubeconfig: Path) -> AsyncIterator[Kube]:
    """With a deadline that a test can wait for."""
    client = Kube(Transport(await Session.open(kubeconfig), deadline=DEADLINE))
    yield client
    await client.close()


def asked_about(name: str) -> Obj:
    """An object that the webhook is asked about."""
    found = config_map(name, a="1")
    found["metadata"]["labels"] = LABELS
    return found


async def test_only_its_object_is_refused_and_not_asked_for_again_at_once(
    installed: ControlPlane, kube: Kube, applier: Applier, policy: Obj, tmp_path: Path
) -> None:
    desired = [marked(asked_about("held"), policy), marked(config_map("good", a="1"), policy)]
    clock = asyncio.get_running_loop().time

    with hanging(installed, tmp_path, asked_about("probe")):
        refused, good = await applier.apply(desired)
        began = clock()
        again, _ = await applier.apply(desired)
        took = clock() - began

    assert good.action is Action.CREATED
    assert refused.action is again.action is Action.REFUSED
    assert refused.finding is not None
    assert refused.finding == again.finding
    assert refused.finding.reason is Reason.ApplyFailed
    assert refused.finding.message == (
        f"cannot apply ConfigMap {NAMESPACE}/held: "
        "nothing came in time, though the API server answers other requests; "
        "look at the cluster's admission webhooks: "
        "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations"
    )
    assert took < DEADLINE
    assert again.again is not None
    assert UNANSWERED_SECONDS / 2 < again.again <= UNANSWERED_SECONDS
    assert kube.reachability.ok


async def test_a_deletion_is_held_up_alike(
    installed: ControlPlane, kube: Kube, index: ObjectIndex, applier: Applier, policy: Obj, tmp_path: Path
) -> None:
    await applier.apply([marked(asked_about("held"), policy), marked(config_map("old", a="1"), policy)])
    owner = (policy["kind"], policy["metadata"]["name"])

    with hanging(installed, tmp_path, asked_about("probe")):
        pruned = {outcome.ref.name: outcome for outcome in await applier.prune(STATE, owner, ())}

    assert pruned["old"].action is Action.DELETED
    assert pruned["held"].action is Action.REFUSED
    assert pruned["held"].finding is not None
    assert "cannot delete ConfigMap" in pruned["held"].finding.message
    assert kube.reachability.ok


async def test_a_server_that_answers_nothing_is_no_objects_fault(
    installed: ControlPlane, kube: Kube, policy: Obj
) -> None:
    installed.pause(APISERVER)
    try:
        with pytest.raises(Unreachable, match=r"the API server does not answer \(nothing within 6 s\)"):
            await kube.apply(marked(config_map("any"), policy), manager="m", force=True)
        assert not kube.reachability.ok
    finally:
        installed.resume(APISERVER)
