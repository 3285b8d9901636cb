"""Desired objects: what is asked for, marked as ours, the same on every run."""

from dataclasses import replace
from typing import Any

import pytest
import yaml

from coordinator.objects.desired import StateObjects, desired
from coordinator.objects.render import Obj, Renderer
from coordinator.policy import NicClusterPolicy
from coordinator.states import ORDER, STATES
from nicfleet import names
from tests.unit.coordinator.policies import POOL, ROOT, TEMPLATES, cluster, image, policy, rdma_config

render = Renderer(TEMPLATES)


def example(name: str) -> NicClusterPolicy:
    return NicClusterPolicy.model_validate(yaml.safe_load((ROOT / "deploy/examples" / name).read_text()))


def hashes(found: dict[str, StateObjects]) -> dict[tuple[str, str], str]:
    return {
        (obj["kind"], obj["metadata"]["name"]): obj["metadata"]["annotations"][names.HASH_ANNOTATION]
        for state in found.values()
        for obj in state.objects
    }


def only(found: StateObjects, kind: str) -> Obj:
    (obj,) = (obj for obj in found.objects if obj["kind"] == kind)
    return obj


def test_states_are_in_upstreams_order() -> None:
    found = [state.name for state in STATES]
    assert found == [name for name in ORDER if name in found]


@pytest.mark.parametrize(
    ("name", "ipam"),
    [
        pytest.param("nicclusterpolicy-whereabouts.yaml", "state-whereabouts-cni", id="whereabouts"),
        pytest.param("nicclusterpolicy-nv-ipam.yaml", "state-nv-ipam-cni", id="nv-ipam"),
    ],
)
def test_examples_ask_for_their_states_and_no_other(name: str, ipam: str) -> None:
    found = desired(example(name), cluster(POOL), render)
    asked = {"state-multus-cni", "state-container-networking-plugins", "state-OFED", "state-RDMA-device-plugin", ipam}
    assert {state for state, objects in found.items() if objects.asked} == asked
    assert not any(objects.objects for state, objects in found.items() if state not in asked)
    assert all(objects.problem is None for objects in found.values())


def test_a_mistake_in_one_state_leaves_the_others() -> None:
    found = desired(policy(ofedDriver=image(), rdmaSharedDevicePlugin=image(config="{")), cluster(POOL), render)
    problem = found["state-RDMA-device-plugin"].problem
    assert problem is not None
    assert problem.message.startswith("spec.rdmaSharedDevicePlugin.config is not valid")
    assert found["state-RDMA-device-plugin"].objects == ()
    assert only(found["state-OFED"], "DaemonSet")["metadata"]["name"] == "mofed-ubuntu22.04-54669c9886-ds"


def test_every_object_is_marked_and_users_data_is_not_owned() -> None:
    found = desired(example("nicclusterpolicy-nv-ipam.yaml"), cluster(POOL), render)
    for state in STATES:
        for obj in found[state.name].objects:
            metadata = obj["metadata"]
            assert metadata["labels"][names.STATE_LABEL] == state.name
            assert metadata["labels"].get(names.OWNER_LABEL) == ("NicClusterPolicy" if state.per_node else None)
            assert ("ownerReferences" in metadata) == (obj["kind"] != "CustomResourceDefinition")
            assert obj["kind"].startswith(("ClusterRole", "CustomResource")) or metadata["namespace"]


def test_hash_is_the_same_on_every_run() -> None:
    first = hashes(desired(example("nicclusterpolicy-nv-ipam.yaml"), cluster(POOL), render))
    again = hashes(desired(example("nicclusterpolicy-nv-ipam.yaml"), cluster(POOL), Renderer(TEMPLATES)))
    assert first == again
    assert len(set(first.values())) == len(first)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param(
            {"rdmaSharedDevicePlugin": image(config=rdma_config("b"))},
            {("ConfigMap", "rdma-devices"), ("DaemonSet", "rdma-shared-dp-ds")},
            id="device-plugin-config",
        ),
        pytest.param(
            {"ofedDriver": image(version="25.10-1.2.8.0-0")},
            {("DaemonSet", "mofed-ubuntu22.04-54669c9886-ds")},
            id="driver-version",
        ),
    ],
)
def test_a_change_reaches_the_objects_it_concerns_and_no_other(
    changed: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    before = {"ofedDriver": image(), "rdmaSharedDevicePlugin": image(config=rdma_config("a"))}
    old = hashes(desired(policy(**before), cluster(POOL), render))
    new = hashes(desired(policy(**(before | changed)), cluster(POOL), render))
    assert {key for key in old if new[key] != old[key]} == expected


def test_config_rolls_the_pods_that_read_it() -> None:
    def template(config: str) -> Obj:
        found = desired(policy(rdmaSharedDevicePlugin=image(config=config)), cluster(), render)
        annotations: Obj = only(found["state-RDMA-device-plugin"], "DaemonSet")["spec"]["template"]["metadata"]
        return annotations

    assert template(rdma_config("a")) == template(rdma_config("a"))
    assert template(rdma_config("a")) != template(rdma_config("b"))


def test_installer_and_daemon_of_multus_run_one_image() -> None:
    found = desired(policy(secondaryNetwork={"multus": image("multus-cni")}), cluster(), render)
    pod = only(found["state-multus-cni"], "DaemonSet")["spec"]["template"]["spec"]
    assert pod["initContainers"][0]["image"] == pod["containers"][0]["image"]
    assert not any("skip-config-watch" in arg for arg in pod["containers"][0]["args"])
    assert "memory" not in pod["containers"][0]["resources"]["limits"]


def test_driver_stays_alone_on_its_node_whatever_the_affinity() -> None:
    affinity: dict[str, Any] = {"preferredDuringSchedulingIgnoredDuringExecution": []}
    found = desired(policy(nodeAffinity=affinity, ofedDriver=image()), cluster(POOL), render)
    pod = only(found["state-OFED"], "DaemonSet")["spec"]["template"]["spec"]
    assert pod["affinity"].keys() == {"nodeAffinity", "podAntiAffinity"}


def test_default_startup_probe_allows_twenty_minutes() -> None:
    found = desired(policy(ofedDriver=image()), cluster(POOL), render)
    probe = only(found["state-OFED"], "DaemonSet")["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 20 * 60


def test_a_pool_more_is_a_daemonset_more() -> None:
    other = replace(POOL, name="rhel9.4-1", os_id="rhel", os_version="9.4")
    found = desired(policy(ofedDriver=image()), cluster(POOL, other), render)
    names_of = [obj["metadata"]["name"] for obj in found["state-OFED"].objects if obj["kind"] == "DaemonSet"]
    assert names_of == ["mofed-ubuntu22.04-54669c9886-ds", "mofed-rhel9.4-1-ds"]
