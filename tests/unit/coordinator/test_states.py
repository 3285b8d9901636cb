"""Rules that the states share, and each state's own answers to a user's mistake."""

from typing import Any

import pytest

from coordinator.policy import ImageSpec, InvalidSpec
from coordinator.states import STATES, State, common, ib_kubernetes, nic_configuration_operator
from tests.unit.coordinator.policies import POOL, cluster, image, spec

DEFAULTS: dict[str, common.Resources] = {"main": {"requests": {"cpu": "100m"}}, "side": {}}


def resources(*entries: dict[str, Any]) -> dict[str, common.Resources]:
    return common.resources("spec.x", ImageSpec.model_validate(image(containerResources=list(entries))), DEFAULTS)


def resourced(*containers: str) -> dict[str, Any]:
    """An image whose entries give each of these containers a memory limit of its own."""
    entries = [{"name": name, "limits": {"memory": f"{number}Gi"}} for number, name in enumerate(containers, 1)]
    return image(containerResources=entries)


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
            "spec.x.containerResources[0].name is 'mian', a container that this component does not have: "
            "use main or side",
            id="no-such-container",
        ),
        pytest.param(
            {"name": "main", "limits": {"c pu": 1}},
            "spec.x.containerResources[0].limits has the resource 'c pu', which no container has: use cpu and memory",
            id="no-such-resource",
        ),
        pytest.param(
            {"name": "main", "requests": {"gpu": 1}},
            "spec.x.containerResources[0].requests has the resource 'gpu', which no container has: use cpu and memory",
            id="resource-without-domain",
        ),
        pytest.param(
            {"name": "main", "requests": {"cpu": "0m"}},
            "spec.x.containerResources[0].requests.cpu is '0m': give more than zero, or leave it out",
            id="zero",
        ),
        pytest.param(
            {"name": "main", "limits": {"memory": -1}},
            "spec.x.containerResources[0].limits.memory is '-1': give more than zero, or leave it out",
            id="negative",
        ),
        pytest.param(
            {"name": "main", "limits": {"memory": "1e1.5"}},
            "spec.x.containerResources[0].limits.memory is '1e1.5', no quantity: write it as 500m or 256Mi",
            id="no-quantity",
        ),
        pytest.param(
            {"name": "main", "requests": {"cpu": "0.5"}, "limits": {"cpu": "499m"}},
            "spec.x.containerResources[0].limits.cpu is '499m', less than the request of '0.5': "
            "raise the limit or lower the request",
            id="limit-below-request",
        ),
    ],
)
def test_resources_nobody_can_have(entry: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidSpec) as raised:
        resources(entry)
    assert str(raised.value) == sentence


def test_every_mistake_in_the_entries_is_told() -> None:
    with pytest.raises(InvalidSpec) as raised:
        resources({"name": "x", "limits": {"cpu": 0}}, {"name": "main"}, {"name": "side", "requests": {"memory": "-1"}})
    assert [problem.field.removeprefix("spec.x.containerResources") for problem in raised.value.each] == [
        "[0].name",
        "[0].limits.cpu",
        "[2].requests.memory",
    ]


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"requests": {"cpu": "1"}, "limits": {"cpu": "1000m"}}, id="equal"),
        pytest.param({"requests": {"memory": "1G"}, "limits": {"memory": "1Gi"}}, id="binary-above-decimal"),
        pytest.param({"limits": {"nvidia.com/gpu": 1, "hugepages-2Mi": "4Mi", "ephemeral-storage": 0}}, id="others"),
    ],
)
def test_resources_that_containers_have(entry: dict[str, Any]) -> None:
    assert resources({"name": "main"} | entry)["main"] == entry


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(
            '{"a": 1,\n "b" 2}', "f is not valid JSON at line 2, column 6 (Expecting ':' delimiter)", id="colon"
        ),
        pytest.param("", "f is not valid JSON at line 1, column 1 (Expecting value)", id="empty"),
        pytest.param(
            '{"a": "b\n"}', "f is not valid JSON at line 1, column 9 (Invalid control character)", id="control"
        ),
        pytest.param('{"a": "b', "f is not valid JSON at line 1, column 7 (Unterminated string)", id="no-end"),
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
            {"nicConfigurationOperator": {"operator": image(version=None), "configurationDaemon": image()}},
            "spec.nicConfigurationOperator.operator.version is missing: ",
            id="nic-configuration-operator-without-version",
        ),
        pytest.param(
            {"nicConfigurationOperator": {"operator": image(), "configurationDaemon": image(repository=None)}},
            "spec.nicConfigurationOperator.configurationDaemon.repository is missing: ",
            id="nic-configuration-daemon-without-repository",
        ),
        pytest.param(
            {"nicConfigurationOperator": {"operator": image(), "configurationDaemon": resourced("daemon")}},
            "spec.nicConfigurationOperator.configurationDaemon.containerResources[0].name is 'daemon', "
            "a container that this component does not have: use manager or nic-configuration-daemon",
            id="nic-configuration-operator-container",
        ),
        pytest.param(
            {"spectrumXOperator": image(xPlane={"image": "xplane", "version": "v1"})},
            "spec.spectrumXOperator.xPlane.repository is missing: set it; spec.global is not used for this image",
            id="xplane-repository",
        ),
        pytest.param(
            {"spectrumXOperator": image(xPlane=image(version="sha256:" + 64 * "0"))},
            "spec.spectrumXOperator.xPlane.version is a digest: give a tag, as the flow controller reads nothing else",
            id="xplane-digest",
        ),
        pytest.param(
            {"spectrumXOperator": image(xPlane=image(version="not a tag"))},
            "spec.spectrumXOperator.xPlane.version gives the tag 'not a tag'",
            id="xplane-tag",
        ),
        pytest.param(
            {"sriovDevicePlugin": image(config="{")},
            "spec.sriovDevicePlugin.config is not valid JSON at line 1, column 2",
            id="sriov-config",
        ),
        pytest.param(
            {"rdmaSharedDevicePlugin": image(config='{"configList": []}')},
            "spec.rdmaSharedDevicePlugin.config configList is empty: ",
            id="device-plugin-config-without-resource",
        ),
        pytest.param(
            {"rdmaSharedDevicePlugin": image(version="v1.3.2", useCdi=True)},
            "spec.rdmaSharedDevicePlugin.useCdi is true, and version v1.3.2 of the plugin knows no CDI: use v1.4.0 or "
            "later, or set useCdi to false",
            id="rdma-before-cdi",
        ),
        pytest.param(
            {"global": {"version": "v3.5.1"}, "sriovDevicePlugin": image(version=None, useCdi=True)},
            "spec.sriovDevicePlugin.useCdi is true, and version v3.5.1 of the plugin knows no CDI: use v3.6.0",
            id="sriov-before-cdi-by-the-global-version",
        ),
        pytest.param(
            {"docaTelemetryService": image(config={})},
            "spec.docaTelemetryService.config.fromConfigMap is missing: name a ConfigMap, or remove config",
            id="telemetry-without-config-map",
        ),
        pytest.param(
            {"docaTelemetryService": image(config={"fromConfigMap": "My_Config"})},
            "spec.docaTelemetryService.config.fromConfigMap is 'My_Config', which no ConfigMap can have as its name",
            id="telemetry-config-map-name",
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


@pytest.mark.parametrize(
    ("operator", "daemon", "limits"),
    [
        pytest.param(image(), image(), ("5Gi", "5Gi"), id="defaults"),
        pytest.param(resourced("manager"), resourced("nic-configuration-daemon"), ("1Gi", "1Gi"), id="each-its-own"),
        pytest.param(resourced("nic-configuration-operator"), image(), ("1Gi", "5Gi"), id="upstreams-name"),
        pytest.param(resourced("nic-configuration-daemon", "manager"), image(), ("2Gi", "1Gi"), id="both-by-one"),
        pytest.param(
            resourced("manager"), resourced("nic-configuration-daemon", "manager"), ("2Gi", "1Gi"), id="daemons-win"
        ),
    ],
)
def test_containers_of_the_nic_configuration_operator(
    operator: dict[str, Any], daemon: dict[str, Any], limits: tuple[str, str]
) -> None:
    asked = spec(nicConfigurationOperator={"operator": operator, "configurationDaemon": daemon})
    values = nic_configuration_operator.STATE.values(asked, cluster())
    assert values is not None
    found: Any = values["resources"]
    assert (found["manager"]["limits"]["memory"], found["nic-configuration-daemon"]["limits"]["memory"]) == limits


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        pytest.param(
            {"spectrumXOperator": image(spectrumXConfig={"name": "x"})},
            "spec.spectrumXOperator.spectrumXConfig has no effect",
            id="spectrum-x-config",
        ),
        pytest.param(
            {"spectrumXOperator": image(sriovObjNamespace="x")},
            "spec.spectrumXOperator.sriovObjNamespace has no effect",
            id="spectrum-x-namespace",
        ),
        pytest.param(
            {"spectrumXOperator": image(xPlane={"image": "xplane"})},
            "spec.spectrumXOperator.xPlane has no effect without version",
            id="xplane-without-version",
        ),
        pytest.param(
            {"spectrumXOperator": image(xPlane=resourced("xplane"))},
            "spec.spectrumXOperator.xPlane.containerResources has no effect",
            id="xplane-resources",
        ),
        pytest.param({"nvIpam": image(config="{}")}, "spec.nvIpam.config has no effect", id="nv-ipam-config"),
        pytest.param(
            {"secondaryNetwork": {"ipamPlugin": image()}},
            "spec.secondaryNetwork.ipamPlugin works as before, though upstream dropped it in 25.10: spec.nvIpam is",
            id="whereabouts",
        ),
    ],
)
def test_what_has_no_effect_or_no_future_is_told(sections: dict[str, Any], sentence: str) -> None:
    asked = spec(**sections)
    (told,) = (caveat for state in STATES for caveat in state.caveats(asked, cluster()))
    assert told.startswith(sentence)


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_a_section_that_is_absent_has_no_caveats(state: State) -> None:
    assert state.caveats(spec(), cluster()) == ()


GUIDS: Any = {
    "pKeyGUIDPoolRangeStart": "02:00:00:00:00:00:00:00",
    "pKeyGUIDPoolRangeEnd": "02:FF:FF:FF:FF:FF:FF:FF",
    "ufmSecret": "ufm",
}
START, END = "spec.ibKubernetes.pKeyGUIDPoolRangeStart", "spec.ibKubernetes.pKeyGUIDPoolRangeEnd"


@pytest.mark.parametrize(
    ("fields", "sentences"),
    [
        pytest.param(
            {"pKeyGUIDPoolRangeStart": None, "pKeyGUIDPoolRangeEnd": None, "ufmSecret": None},
            [
                f"{START} is missing: set it, for example to 02:00:00:00:00:00:00:00",
                f"{END} is missing: set it, for example to 02:FF:FF:FF:FF:FF:FF:FF",
                "spec.ibKubernetes.ufmSecret is missing: name the Secret with the access data of UFM",
            ],
            id="all-that-is-needed",
        ),
        pytest.param(
            {"pKeyGUIDPoolRangeStart": "02:00:00:00:00:00:00", "pKeyGUIDPoolRangeEnd": "0200000000000001"},
            [
                f"{START} is '02:00:00:00:00:00:00', which is no GUID: write eight bytes in hex, as "
                "02:00:00:00:00:00:00:00",
                f"{END} is '0200000000000001', which is no GUID: write eight bytes in hex, as 02:FF:FF:FF:FF:FF:FF:FF",
            ],
            id="both-are-told",
        ),
        pytest.param(
            {"pKeyGUIDPoolRangeStart": "02:00:00:00:00:00:00:00\n"},
            [
                f"{START} is '02:00:00:00:00:00:00:00\\n', which is no GUID: write eight bytes in hex, as "
                "02:00:00:00:00:00:00:00"
            ],
            id="a-line-break-after-it",
        ),
        pytest.param(
            {"pKeyGUIDPoolRangeStart": "02:ff:00:00:00:00:00:00", "pKeyGUIDPoolRangeEnd": "02:FE:00:00:00:00:00:00"},
            [
                f"{END} is 02:FE:00:00:00:00:00:00, not more than the start of the pool, 02:ff:00:00:00:00:00:00: "
                "raise it or lower the start"
            ],
            id="the-wrong-way-round",
        ),
        pytest.param(
            {"pKeyGUIDPoolRangeStart": "02:FF:FF:FF:FF:FF:FF:FF"},
            [
                f"{END} is 02:FF:FF:FF:FF:FF:FF:FF, not more than the start of the pool, 02:FF:FF:FF:FF:FF:FF:FF: "
                "raise it or lower the start"
            ],
            id="equal",
        ),
        pytest.param(
            {"pKeyGUIDPoolRangeStart": "00:00:00:00:00:00:00:00", "pKeyGUIDPoolRangeEnd": "FF:FF:FF:FF:FF:FF:FF:FF"},
            [
                f"{START} is zero, which is no GUID: use 00:00:00:00:00:00:00:01 or more",
                f"{END} is the largest number, which is no GUID: use FF:FF:FF:FF:FF:FF:FF:FE or less",
            ],
            id="what-the-component-ends-at",
        ),
        pytest.param(
            {"periodicUpdateSeconds": 0},
            ["spec.ibKubernetes.periodicUpdateSeconds is 0, at which the component ends: use 1 or more"],
            id="no-period",
        ),
        pytest.param(
            {"ufmSecret": "UFM"},
            [
                "spec.ibKubernetes.ufmSecret is 'UFM', which no Secret can have as its name: use at most 253 "
                "lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit"
            ],
            id="no-name-of-a-secret",
        ),
    ],
)
def test_all_that_is_wrong_with_ib_kubernetes_is_told(fields: dict[str, Any], sentences: list[str]) -> None:
    with pytest.raises(InvalidSpec) as raised:
        ib_kubernetes.STATE.values(spec(ibKubernetes=image(**GUIDS | fields)), cluster())
    assert [problem.sentence for problem in raised.value.each] == sentences


@pytest.mark.parametrize(
    ("version", "command"),
    [
        pytest.param("v1.0.2", "/usr/bin/ib-kubernetes", id="1.0"),
        pytest.param("v1.1.0", "/ib-kubernetes", id="1.1"),
        pytest.param("1.01", "/ib-kubernetes", id="another-number"),
        pytest.param("network-operator-v25.7.0", "/ib-kubernetes", id="mirror"),
    ],
)
def test_where_ib_kubernetes_has_its_program(version: str, command: str) -> None:
    values = ib_kubernetes.STATE.values(spec(ibKubernetes=image(version=version, **GUIDS)), cluster())
    assert values is not None
    assert values["command"] == command
