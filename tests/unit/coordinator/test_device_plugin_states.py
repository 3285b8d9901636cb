"""The device plugins and DOCA telemetry on a configuration of the user's: what is read, what is told, what rolls."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from coordinator.objects.desired import desired
from coordinator.objects.render import Renderer
from coordinator.policy import InvalidSpec
from coordinator.states import State, doca_telemetry_service, rdma_shared_device_plugin, sriov_device_plugin
from coordinator.states.cluster import Cluster, Scope
from nicfleet.names import CONFIG_HASH_ANNOTATION
from tests.unit.coordinator.policies import TEMPLATES, cluster, image, policy, rdma_config, spec

RDMA, SRIOV, TELEMETRY = rdma_shared_device_plugin.STATE, sriov_device_plugin.STATE, doca_telemetry_service.STATE
SECTIONS = {
    RDMA.name: {"rdmaSharedDevicePlugin": image()},
    SRIOV.name: {"sriovDevicePlugin": image()},
    TELEMETRY.name: {"docaTelemetryService": image(config={"fromConfigMap": "mine"})},
}
SRIOV_CONFIG = '{"resourceList": [{"resourceName": "a", "selectors": {"vendors": ["15b3"]}}]}'
EVERYWHERE = Scope()
SOME_NODES = Scope(owner="nnp-gpu", node_selector={"role": "gpu"}, name_suffix="-gpu", hash_suffix="-5bd9")

Maps = Mapping[str, Mapping[str, str]]


def with_maps(maps: Maps, scope: Scope = EVERYWHERE) -> Cluster:
    return replace(cluster(), config_maps=maps, scope=scope)


@pytest.mark.parametrize(
    ("state", "sections", "scope", "expected"),
    [
        pytest.param(RDMA, SECTIONS[RDMA.name], EVERYWHERE, ("rdma-devices",), id="rdma"),
        pytest.param(RDMA, SECTIONS[RDMA.name], SOME_NODES, ("rdma-devices-gpu",), id="rdma-of-some-nodes"),
        pytest.param(SRIOV, SECTIONS[SRIOV.name], SOME_NODES, ("network-operator-sriovdp-config-gpu",), id="sriov"),
        pytest.param(RDMA, {"rdmaSharedDevicePlugin": image(config="{}")}, EVERYWHERE, (), id="rdma-in-the-policy"),
        pytest.param(SRIOV, {"sriovDevicePlugin": image(config="{}")}, EVERYWHERE, (), id="sriov-in-the-policy"),
        pytest.param(TELEMETRY, SECTIONS[TELEMETRY.name], EVERYWHERE, ("mine",), id="telemetry"),
        pytest.param(TELEMETRY, {"docaTelemetryService": image()}, EVERYWHERE, (), id="telemetry-default"),
        pytest.param(TELEMETRY, {"docaTelemetryService": image(config={})}, EVERYWHERE, (), id="telemetry-no-name"),
        pytest.param(RDMA, {}, EVERYWHERE, (), id="rdma-absent"),
        pytest.param(SRIOV, {}, EVERYWHERE, (), id="sriov-absent"),
        pytest.param(TELEMETRY, {}, EVERYWHERE, (), id="telemetry-absent"),
    ],
)
def test_config_maps_that_are_read(
    state: State, sections: dict[str, Any], scope: Scope, expected: tuple[str, ...]
) -> None:
    assert state.reads(spec(**sections), scope) == expected


def pod_hash(state: State, maps: Maps) -> str | None:
    """The hash of the configuration on the pods, None without one."""
    found = desired(policy(**SECTIONS[state.name]), with_maps(maps), Renderer(TEMPLATES))[state.name]
    (template,) = (obj["spec"]["template"] for obj in found.objects if obj["kind"] == "DaemonSet")
    annotations: dict[str, str] = template["metadata"].get("annotations", {})
    return annotations.get(CONFIG_HASH_ANNOTATION)


@pytest.mark.parametrize(
    ("state", "name", "key", "one", "other"),
    [
        pytest.param(RDMA, "rdma-devices", "config.json", rdma_config("a"), rdma_config("b"), id="rdma"),
        pytest.param(
            SRIOV,
            "network-operator-sriovdp-config",
            "config.json",
            SRIOV_CONFIG,
            SRIOV_CONFIG.replace("15b3", "8086"),
            id="sriov",
        ),
        pytest.param(TELEMETRY, "mine", "dts_config_map.ini", "port=0", "port=1", id="telemetry"),
    ],
)
def test_the_content_of_the_users_config_map_rolls_the_pods(
    state: State, name: str, key: str, one: str, other: str
) -> None:
    assert pod_hash(state, {}) is None
    assert pod_hash(state, {name: {key: one}}) == pod_hash(state, {name: {key: one}, "else": {}})
    assert pod_hash(state, {name: {key: one}}) != pod_hash(state, {name: {key: other}})


def test_a_key_that_a_plugin_does_not_read_rolls_nothing() -> None:
    alone = {"rdma-devices": {"config.json": rdma_config("a")}}
    beside = {"rdma-devices": {"config.json": rdma_config("a"), "notes": "x"}}
    assert pod_hash(RDMA, alone) == pod_hash(RDMA, beside)


def test_a_configuration_that_moves_from_the_policy_to_a_config_map_rolls_nothing() -> None:
    in_policy = RDMA.values(spec(rdmaSharedDevicePlugin=image(config=rdma_config("a"))), cluster())
    in_map = RDMA.values(
        spec(rdmaSharedDevicePlugin=image()), with_maps({"rdma-devices": {"config.json": rdma_config("a")}})
    )
    assert in_policy is not None
    assert in_map is not None
    assert in_policy["config_hash"] == in_map["config_hash"]


@pytest.mark.parametrize(
    ("state", "maps", "scope", "expected"),
    [
        pytest.param(
            RDMA,
            {},
            SOME_NODES,
            (
                "spec.rdmaSharedDevicePlugin.config is absent: pods wait until you make ConfigMap rdma-devices-gpu "
                "in the operator's namespace, with the key config.json",
            ),
            id="rdma-none",
        ),
        pytest.param(
            SRIOV,
            {"network-operator-sriovdp-config": {"other.json": "{}"}},
            EVERYWHERE,
            (
                "spec.sriovDevicePlugin.config is absent: pods wait until you make ConfigMap "
                "network-operator-sriovdp-config in the operator's namespace, with the key config.json",
            ),
            id="sriov-other-key",
        ),
        pytest.param(RDMA, {"rdma-devices": {"config.json": rdma_config("a")}}, EVERYWHERE, (), id="rdma-there"),
        pytest.param(
            TELEMETRY,
            {},
            EVERYWHERE,
            (
                "spec.docaTelemetryService.config.fromConfigMap: pods wait until you make ConfigMap mine "
                "in the operator's namespace",
            ),
            id="telemetry-none",
        ),
        pytest.param(TELEMETRY, {"mine": {}}, EVERYWHERE, (), id="telemetry-there"),
    ],
)
def test_a_config_map_that_the_user_has_still_to_make_is_told(
    state: State, maps: Maps, scope: Scope, expected: tuple[str, ...]
) -> None:
    assert state.caveats(spec(**SECTIONS[state.name]), with_maps(maps, scope)) == expected


def test_what_the_plugin_makes_nothing_of_is_told_with_its_place() -> None:
    config = rdma_config("a").replace("15b3", "15B3")
    (in_policy,) = RDMA.caveats(spec(rdmaSharedDevicePlugin=image(config=config)), cluster())
    (in_map,) = RDMA.caveats(spec(rdmaSharedDevicePlugin=image()), with_maps({"rdma-devices": {"config.json": config}}))
    place = "configList[0].selectors.vendors[0]"
    assert in_policy.startswith(f"spec.rdmaSharedDevicePlugin.config {place}")
    assert in_map.startswith(f"config.json of ConfigMap rdma-devices {place}")


def test_a_mistake_in_the_users_config_map_is_told_with_its_place() -> None:
    maps = {"network-operator-sriovdp-config": {"config.json": '{"resourceList": []}'}}
    with pytest.raises(InvalidSpec) as raised:
        SRIOV.values(spec(sriovDevicePlugin=image()), with_maps(maps))
    place = "config.json of ConfigMap network-operator-sriovdp-config resourceList "
    assert [problem.sentence.startswith(place) for problem in raised.value.each] == [True]


def test_nodes_are_the_policys_own_and_its_key_wins() -> None:
    scope = replace(SOME_NODES, node_selector={"role": "gpu", "feature.node.kubernetes.io/pci-15b3.present": "false"})
    values = SRIOV.values(spec(sriovDevicePlugin=image()), with_maps({}, scope))
    assert values is not None
    assert values["node_selector"] == {
        "feature.node.kubernetes.io/pci-15b3.present": "false",
        "network.nvidia.com/operator.mofed.wait": "false",
        "role": "gpu",
    }


@pytest.mark.parametrize(
    ("state", "section", "version"),
    [
        pytest.param(RDMA, "rdmaSharedDevicePlugin", "v1.4.0", id="rdma-first-with-it"),
        pytest.param(RDMA, "rdmaSharedDevicePlugin", "v1.10.0", id="rdma-two-digits"),
        pytest.param(RDMA, "rdmaSharedDevicePlugin", "sha-fe7f371c7e1b8315bf900f71cd25cfc1251dc775", id="rdma-commit"),
        pytest.param(SRIOV, "sriovDevicePlugin", "v3.6.0", id="sriov-first-with-it"),
        pytest.param(SRIOV, "sriovDevicePlugin", "v3.11.0", id="sriov-two-digits"),
        pytest.param(SRIOV, "sriovDevicePlugin", "network-operator-v25.7.0", id="sriov-mirror"),
        pytest.param(SRIOV, "sriovDevicePlugin", "2cc723dcbc712290055b763dc9d3c090ba41e929", id="sriov-commit"),
    ],
)
def test_cdi_is_announced_by_versions_that_know_it(state: State, section: str, version: str) -> None:
    values = state.values(spec(**{section: image(version=version, useCdi=True)}), cluster())
    assert values is not None
    assert values["use_cdi"] is True
