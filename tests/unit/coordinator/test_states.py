"""Rules that the states share, and each state's own answers to a user's mistake."""

from typing import Any

import pytest

from coordinator.policy import ImageSpec, InvalidSpec
from coordinator.states import STATES, common
from tests.unit.coordinator.policies import POOL, cluster, image, spec

DEFAULTS: dict[str, common.Resources] = {"main": {"requests": {"cpu": "100m"}}, "side": {}}


def resources(*entries: dict[str, Any]) -> dict[str, common.Resources]:
    return common.resources("spec.x", ImageSpec.model_validate(image(containerResources=list(entries))), DEFAULTS)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param([], DEFAULTS, id="defaults"),
        pytest.param(
            [{"name": "side", "limits": {"memory": "1Gi"}}],
            {"main": {"requests": {"cpu": "100m"}}, "side": {"limits": {"memory": "1Gi"}}},
            id="others-keep-their-default",
        ),
        pytest.param([{"name": "main"}], {"main": {}, "side": {}}, id="an-empty-entry-takes-the-default-away"),
        pytest.param(
            [{"name": "main", "limits": {"cpu": 1}}, {"name": "main", "limits": {"cpu": 2}}],
            {"main": {"limits": {"cpu": 2}}, "side": {}},
            id="last-of-one-name-wins",
        ),
    ],
)
def test_resources(entries: list[dict[str, Any]], expected: dict[str, common.Resources]) -> None:
    assert resources(*entries) == expected


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        pytest.param(
            {"name": "mian"},
            "spec.x.containerResources names the container 'mian', which this component does not have: "
            "use main or side",
            id="no-such-container",
        ),
        pytest.param(
            {"name": "main", "limits": {"c pu": 1}},
            "spec.x.containerResources has the resource 'c pu': use cpu and memory",
            id="no-such-resource",
        ),
    ],
)
def test_resources_nobody_can_have(entry: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidSpec) as raised:
        resources(entry)
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(
            '{"a": 1,\n "b" 2}', "f is not valid JSON at line 2, column 6 (Expecting ':' delimiter)", id="colon"
        ),
        pytest.param("", "f is not valid JSON at line 1, column 1 (Expecting value)", id="empty"),
        pytest.param('{"a": NaN}', "f is not valid JSON (NaN is not JSON)", id="not-a-number"),
        pytest.param("[" * 100_000, "f is not valid JSON (", id="nested-too-deeply"),
        pytest.param("[]", "f is JSON but not an object", id="list"),
    ],
)
def test_json_errors_name_the_place(text: str, sentence: str) -> None:
    with pytest.raises(InvalidSpec) as raised:
        common.check_json_object("f", text)
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        pytest.param(
            {"ofedDriver": image(forcePrecompiled=True)},
            "spec.ofedDriver.forcePrecompiled is not supported by this version: ",
            id="precompiled-look-up",
        ),
        pytest.param(
            {"ofedDriver": image(certConfig={"name": "certs"})},
            "spec.ofedDriver.certConfig is not supported by this version: remove it",
            id="certificates",
        ),
        pytest.param(
            {"ofedDriver": image(version="1" * 120)},
            "spec.ofedDriver.version gives the tag '1111",
            id="tag-too-long-with-os-and-arch",
        ),
        pytest.param(
            {"rdmaSharedDevicePlugin": image(config="{")},
            "spec.rdmaSharedDevicePlugin.config is not valid JSON at line 1, column 2",
            id="device-plugin-config",
        ),
        pytest.param(
            {"secondaryNetwork": {"multus": image(config="nope")}},
            "spec.secondaryNetwork.multus.config is not valid JSON at line 1, column 1",
            id="multus-config",
        ),
        pytest.param(
            {"nvIpam": image(enableWebhook=True)},
            "spec.nvIpam.enableWebhook is not supported by this version: set it to false",
            id="ipam-webhook",
        ),
    ],
)
def test_mistakes_end_in_one_sentence(sections: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidSpec) as raised:
        [state.values(spec(**sections), cluster(POOL)) for state in STATES]
    assert str(raised.value).startswith(sentence)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("state", "section", "version", "key", "expected"),
    [
        pytest.param("state-multus-cni", "multus", "v3.9.3", "version_3", True, id="multus-3"),
        pytest.param("state-multus-cni", "multus", "v4.2.2", "version_3", False, id="multus-4"),
        pytest.param("state-multus-cni", "multus", "network-operator-v25.7.0", "version_3", False, id="multus-mirror"),
        pytest.param("state-whereabouts-cni", "ipamPlugin", "v0.8.0", "node_slices", False, id="whereabouts-0.8"),
        pytest.param("state-whereabouts-cni", "ipamPlugin", "v0.9.0", "node_slices", True, id="whereabouts-0.9"),
        pytest.param("state-whereabouts-cni", "ipamPlugin", "v0.10.0", "node_slices", True, id="whereabouts-0.10"),
        pytest.param("state-whereabouts-cni", "ipamPlugin", "latest", "node_slices", True, id="whereabouts-latest"),
    ],
)
def test_what_old_images_contain(state: str, section: str, version: str, key: str, expected: bool) -> None:
    (found,) = (one for one in STATES if one.name == state)
    values = found.values(spec(secondaryNetwork={section: image(version=version)}), cluster())
    assert values is not None
    assert values[key] is expected
