"""Node labels on a real API server: one request per change, beside other managers, never on the wrong node."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from random import Random
from typing import cast

import pytest

from coordinator.kube.client import Kube, Source
from coordinator.kube.errors import Conflict, Forbidden
from coordinator.kube.limiter import Limiter
from coordinator.kube.node_decoding import decode_node
from coordinator.kube.objects import NODE
from coordinator.kube.reflector import Reflector
from coordinator.labels.labeller import Labeller
from coordinator.labels.rules import LabelChange, Mode, Wanted, patch
from coordinator.nodes import KubeNode
from nicfleet import names
from tests.controlplane.cluster import ControlPlane
from tests.integration.coordinator.background import eventually, running

NAME = "labels-test"
Labels = Mapping[str, str]


@pytest.fixture(autouse=True)
def node(installed: ControlPlane) -> Iterator[None]:
    register(installed)
    yield
    installed.kubectl("delete", "node", NAME, "--ignore-not-found")


@pytest.fixture
async def nodes(kube: Kube) -> AsyncIterator[Reflector[KubeNode]]:
    reflector = Reflector(kube, Source(NODE), decode_node, lambda key, old, new: None, Random(1))
    async with running(reflector.run()):
        await eventually(lambda: NAME in reflector)
        yield reflector


class Wish:
    """What the node shall carry; changed by a test as an agent's report would."""

    def __init__(self, labels: Labels, gone: frozenset[str] = frozenset()) -> None:
        self.labels = labels
        self.gone = gone
        self.released: frozenset[str] = frozenset()

    def __call__(self, node: KubeNode) -> LabelChange | None:
        return patch(node, Wanted(self.labels, self.gone, self.released), Mode.REPLACE)


async def synced(labeller: Labeller) -> bool:
    """As the work queue has it: a write of somebody else meanwhile, such as the node controllers', is a reason to try
    again."""
    async with asyncio.timeout(60):
        while True:
            with suppress(Conflict):
                return await labeller.sync(NAME, urgent=True)


async def test_a_change_is_one_request_and_no_change_is_none(
    installed: ControlPlane, kube: Kube, nodes: Reflector[KubeNode]
) -> None:
    before = patches(installed)
    wish = Wish({names.NIC_LABEL: "true", names.KERNEL_LABEL: "5.15.0"})
    labeller = Labeller(kube, nodes, Limiter(), wish)

    first, second = await labeller.sync(NAME, urgent=True), await labeller.sync(NAME, urgent=True)
    wish.labels = {names.KERNEL_LABEL: "6.8.0"}
    third = await labeller.sync(NAME, urgent=True)
    await asyncio.sleep(0.3)  # for the audit log

    assert (first, second, third) == (True, False, True)
    assert ours(installed) == {names.KERNEL_LABEL: "6.8.0"}
    assert patches(installed) - before == 2


async def test_a_restarted_coordinator_knows_what_it_owns_and_writes_nothing(
    installed: ControlPlane, kube: Kube, nodes: Reflector[KubeNode]
) -> None:
    wish = Wish({names.NIC_LABEL: "true"})
    await Labeller(kube, nodes, Limiter(), wish).sync(NAME, urgent=False)
    reborn: Reflector[KubeNode] = Reflector(kube, Source(NODE), decode_node, lambda *_: None, Random(1))

    async with running(reborn.run()):
        await eventually(lambda: NAME in reborn)
        written = await Labeller(kube, reborn, Limiter(), wish).sync(NAME, urgent=False)

    assert reborn[NAME].owned == {names.NIC_LABEL}
    assert not written


async def test_labels_of_other_managers_survive_every_write(
    installed: ControlPlane, kube: Kube, nodes: Reflector[KubeNode]
) -> None:
    wish = Wish({names.NIC_LABEL: "true"})
    labeller = Labeller(kube, nodes, Limiter(), wish)

    async def meddle() -> None:
        for number in range(5):
            await asyncio.to_thread(installed.kubectl, "label", "node", NAME, f"other.example/{number}=1")

    async def write() -> None:
        for number in range(20):
            wish.labels = {names.NIC_LABEL: "true", names.KERNEL_LABEL: str(number)}
            await labeller.sync(NAME, urgent=True)

    await asyncio.gather(meddle(), write())

    assert ours(installed) == {names.NIC_LABEL: "true", names.KERNEL_LABEL: "19"}
    assert {f"other.example/{number}" for number in range(5)} <= labels(installed).keys()


async def test_a_label_taken_over_from_nfd_goes_when_the_thing_is_gone(
    installed: ControlPlane, kube: Kube, nodes: Reflector[KubeNode]
) -> None:
    theirs = {names.NIC_LABEL: "true", f"{names.NFD}cpu-model.id": "85"}
    as_nfd(installed, theirs)
    await eventually(lambda: nodes[NAME].others.get(names.NIC_LABEL) == ("nfd-master",))
    wish = Wish({names.NIC_LABEL: "true"})
    labeller = Labeller(kube, nodes, Limiter(), wish)

    await synced(labeller)
    wish.labels, wish.gone = {}, frozenset({names.NIC_LABEL})
    await synced(labeller)

    assert names.NIC_LABEL not in labels(installed)
    assert labels(installed)[f"{names.NFD}cpu-model.id"] == "85"
    assert not await synced(labeller)


async def test_a_label_that_is_let_go_of_stays_for_whoever_takes_it(
    installed: ControlPlane, kube: Kube, nodes: Reflector[KubeNode]
) -> None:
    """The daemon of the NIC configuration operator: its word must neither be lost nor overruled."""
    key = names.NIC_CONFIGURATION_WAIT_LABEL
    wish = Wish({names.NIC_LABEL: "true", key: "false"})
    labeller = Labeller(kube, nodes, Limiter(), wish)
    await labeller.sync(NAME, urgent=True)

    wish.labels, wish.released = {names.NIC_LABEL: "true"}, frozenset({key})
    assert await synced(labeller)
    assert labels(installed)[key] == "false"
    assert nodes[NAME].owned == {names.NIC_LABEL}
    assert not await labeller.sync(NAME, urgent=True)

    daemon = ("label", "node", NAME, "--overwrite", "--field-manager=nic-configuration-daemon")
    installed.kubectl(*daemon, f"{key}=true")
    wish.labels = {names.NIC_LABEL: "true", names.KERNEL_LABEL: "6.8.0"}
    assert await labeller.sync(NAME, urgent=True)
    assert labels(installed)[key] == "true"


async def test_a_wait_label_is_taken_back_when_its_daemon_is_gone(
    installed: ControlPlane, kube: Kube, nodes: Reflector[KubeNode]
) -> None:
    key = names.NIC_CONFIGURATION_WAIT_LABEL
    installed.kubectl("label", "node", NAME, "--field-manager=nic-configuration-daemon", f"{key}=true")
    await eventually(lambda: key in nodes[NAME].labels)
    wish = Wish({key: "false"})
    labeller = Labeller(kube, nodes, Limiter(), wish)

    assert await synced(labeller)
    assert labels(installed)[key] == "false"
    wish.labels, wish.gone = {}, frozenset({key})
    await synced(labeller)
    assert key not in labels(installed)


async def test_a_node_that_is_gone_is_not_created_by_its_labels(
    installed: ControlPlane, kube: Kube, nodes: Reflector[KubeNode]
) -> None:
    before = nodes[NAME]
    installed.kubectl("delete", "node", NAME)
    stale = Reflector(kube, Source(NODE), decode_node, lambda *_: None, Random(1))
    stale.learn(raw_of(before))

    written = await Labeller(kube, stale, Limiter(), Wish({names.NIC_LABEL: "true"})).sync(NAME, urgent=True)

    assert not written
    assert "NotFound" in installed.kubectl("get", "node", NAME, check=False)


async def test_a_node_registered_anew_gets_its_labels_only_by_its_own_uid(
    installed: ControlPlane, kube: Kube, nodes: Reflector[KubeNode]
) -> None:
    before = nodes[NAME]
    wish = Wish({names.NIC_LABEL: "true"})
    stale = Reflector(kube, Source(NODE), decode_node, lambda *_: None, Random(1))
    stale.learn(raw_of(before))
    installed.kubectl("delete", "node", NAME)
    register(installed)

    assert not await Labeller(kube, stale, Limiter(), wish).sync(NAME, urgent=True)
    assert names.NIC_LABEL not in labels(installed)

    await eventually(lambda: NAME in nodes and nodes[NAME].uid != before.uid)
    assert await Labeller(kube, nodes, Limiter(), wish).sync(NAME, urgent=True)
    assert labels(installed)[names.NIC_LABEL] == "true"


async def test_an_invalid_label_is_named_once_and_the_others_are_written(
    installed: ControlPlane, kube: Kube, nodes: Reflector[KubeNode], caplog: pytest.LogCaptureFixture
) -> None:
    good = {f"{names.GENERATION_PREFIX}{number}": "true" for number in range(9)}
    labeller = Labeller(kube, nodes, Limiter(), Wish({**good, names.KERNEL_LABEL: "6.8 (custom)"}))

    with caplog.at_level(logging.WARNING):
        await labeller.sync(NAME, urgent=True)
        await asyncio.sleep(0.3)  # for the audit log
        sent = patches(installed)
        again = await labeller.sync(NAME, urgent=True)
        await asyncio.sleep(0.3)

    assert ours(installed) == good
    assert not again
    assert patches(installed) == sent
    (record,) = [record for record in caplog.records if record.message == "label refused"]
    assert (record.key, record.value) == (names.KERNEL_LABEL, "6.8 (custom)")  # type: ignore[attr-defined]
    assert "a valid label must be" in record.rule  # type: ignore[attr-defined]


def register(cluster: ControlPlane) -> None:
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NAME, "labels": {"kubernetes.io/os": "linux"}}}
    cluster.kubectl("create", "-f", "-", input=json.dumps(body))


def as_nfd(cluster: ControlPlane, labels: Labels) -> None:
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NAME, "labels": dict(labels)}}
    cluster.kubectl("apply", "--server-side", "--field-manager=nfd-master", "-f", "-", input=json.dumps(body))


def raw_of(node: KubeNode) -> bytes:
    """A Node's JSON as an earlier list gave it."""
    metadata = {"name": node.name, "uid": node.uid, "resourceVersion": node.resource_version}
    return json.dumps({"metadata": metadata}).encode()


def labels(cluster: ControlPlane) -> dict[str, str]:
    found: dict[str, str] = cluster.get("node", NAME)["metadata"]["labels"]
    return found


def ours(cluster: ControlPlane) -> dict[str, str]:
    return {key: value for key, value in labels(cluster).items() if key.startswith((names.NFD, names.OWN))}


def patches(cluster: ControlPlane) -> int:
    """Patches that the coordinator's account has sent for a Node of this name."""
    return sum(
        event["verb"] == "patch"
        and event["user"]["username"].endswith(":nicfleet-coordinator")
        and event["objectRef"].get("name") == NAME
        for event in cluster.audit()
    )


class Going:
    """A node that is gone when the answer about it comes."""

    def __init__(self, node: KubeNode) -> None:
        self._looks = iter([node])

    def get(self, _: str) -> KubeNode | None:
        return next(self._looks, None)


async def test_a_refusal_is_not_kept_of_a_node_that_went_meanwhile(
    installed: ControlPlane, nodes: Reflector[KubeNode]
) -> None:
    without_rights = await Kube.connect(installed.service_account_kubeconfig("default", "default"))
    wish = Wish({names.NIC_LABEL: "true"})
    node = nodes.get(NAME)
    assert node is not None
    try:
        there = Labeller(without_rights, nodes, Limiter(), wish)
        going = Labeller(without_rights, cast("Reflector[KubeNode]", Going(node)), Limiter(), wish)
        for labeller in (there, going):
            with pytest.raises(Forbidden):
                await labeller.sync(NAME, urgent=True)
    finally:
        await without_rights.close()
    assert there.refusals.of_all() is not None
    assert going.refusals.of_all() is None
