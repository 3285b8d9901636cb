"""Golden cases on a real API server, as the coordinator's own account: stored as sent, and gone with their section."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from coordinator.objects.apply import Applier
from coordinator.objects.desired import UNOWNED, desired
from coordinator.objects.index import ObjectIndex
from coordinator.objects.outcome import Action
from coordinator.objects.render import Renderer
from coordinator.policy import NicClusterPolicy
from coordinator.states import STATES as ALL_STATES
from nicfleet import names
from tests.integration.coordinator.background import eventually
from tests.integration.coordinator.objects import NAMESPACE
from tests.unit.coordinator.test_golden import GOLDEN, cluster_of

RENDER = Renderer(Path(__file__).parents[3] / "templates")
OWNER = ("NicClusterPolicy", names.POLICY_NAME)
STATES = (
    "state-ipoib-cni",
    "state-SRIOV-device-plugin",
    "state-RDMA-device-plugin",
    "state-ib-kubernetes",
    "state-nic-feature-discovery",
    "state-doca-telemetry-service",
)
INPUTS = sorted(path for state in STATES for path in (GOLDEN / state).glob("*.input.yaml"))

LEFT_OUT = UNOWNED | {"Issuer", "Certificate"}
"""CRDs and claims stay for ever, and would be there for the next test; cert-manager's kinds are not here."""

Obj = dict[str, Any]


def read(path: Path) -> Obj:
    case: Obj = yaml.safe_load(path.read_text())
    return case


def is_refused(path: Path) -> bool:
    return path.with_name(path.name.replace(".input.", ".output.")).read_text().startswith("problem: ")


def rendered(case: Obj, policy: Obj, state: str) -> tuple[Obj, ...]:
    """The case's objects, owned by a policy that exists."""
    cluster = replace(cluster_of(case["cluster"]), namespace=NAMESPACE)
    asking = NicClusterPolicy.model_validate(policy | {"spec": case["policy"]["spec"]})
    return desired(asking, cluster, RENDER)[state].objects


@pytest.fixture(autouse=True)
async def clean(applier: Applier, index: ObjectIndex) -> AsyncIterator[None]:
    yield
    for state in STATES:
        await applier.prune(state, OWNER, keep=())
    await eventually(lambda: not any(list(index.of_state(state)) for state in STATES))


# What hostile text says is stored by no API server: there is no such taint effect.
CASES = [path for path in INPUTS if "hostile" not in path.name and not is_refused(path)]


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.name.split('.')[0]}")
async def test_every_object_is_stored_as_sent_and_goes_with_the_section(
    applier: Applier, policy: Obj, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = path.parent.name
    objects = rendered(read(path), policy, state)

    with caplog.at_level(logging.WARNING):
        first = await applier.apply(objects)
        second = await applier.apply(objects)
    pruned = await applier.prune(state, OWNER, keep=())

    assert {outcome.action for outcome in first} == {Action.CREATED}
    assert {outcome.action for outcome in second} == {Action.UNCHANGED}
    assert caplog.records == []
    assert {outcome.ref for outcome in pruned} == {outcome.ref for outcome in first}


def cases_of(state: str) -> list[Path]:
    paths = sorted((GOLDEN / state).glob("*.input.yaml"))
    return [path for path in paths if "hostile" not in path.name and not is_refused(path)]


@pytest.mark.parametrize("state", [state.name for state in ALL_STATES])
async def test_a_component_goes_from_each_case_to_the_next_and_leaves_nothing_behind(
    applier: Applier, index: ObjectIndex, policy: Obj, state: str
) -> None:
    """Every field that a case sets is an update of the one before: what it no longer makes goes, the rest follows."""
    for path in cases_of(state):
        objects = [obj for obj in rendered(read(path), policy, state) if obj["kind"] not in LEFT_OUT]
        outcomes = await applier.apply(objects)
        await applier.prune(state, OWNER, {outcome.ref for outcome in outcomes})
        assert not [outcome for outcome in outcomes if outcome.action is Action.REFUSED]
        again = await applier.apply(objects)
        assert {outcome.action for outcome in again} <= {Action.UNCHANGED}
        made = {outcome.ref for outcome in outcomes}
        await eventually(lambda made=made: {each.ref for each in index.of_state(state) if not each.deleting} == made)  # type: ignore[misc]
    await applier.prune(state, OWNER, keep=())
    await eventually(lambda: not list(index.of_state(state)))


async def test_a_change_of_the_users_config_map_writes_the_daemonset_that_reads_it_and_nothing_else(
    applier: Applier, policy: Obj
) -> None:
    state = "state-SRIOV-device-plugin"
    await applier.apply(rendered(read(GOLDEN / state / "openshift.input.yaml"), policy, state))
    case = read(GOLDEN / state / "openshift.input.yaml")
    (content,) = case["cluster"]["config_maps"].values()
    content["config.json"] = content["config.json"].replace("hostdev", "another")

    outcomes = await applier.apply(rendered(case, policy, state))

    assert [outcome.ref.kind for outcome in outcomes if outcome.action is Action.UPDATED] == ["DaemonSet"]
    assert {outcome.action for outcome in outcomes} == {Action.UPDATED, Action.UNCHANGED}
