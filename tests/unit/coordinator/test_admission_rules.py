"""Every rule of admission, with the sentence that a user reads; the same stands in the status of a stored object."""

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from coordinator.admission.rules import problems
from coordinator.networks.definition import network_problems
from coordinator.policy import NicClusterPolicy, NicNodePolicy
from coordinator.policy.invalid import unreadable
from coordinator.policy.networks import HostDeviceNetwork, MacvlanNetwork, Network
from tests.unit.coordinator.policies import ROOT, image, node_policy, policy

DIGEST = "sha256:" + "0123456789abcdef" * 4
OF_NODES = ("ofedDriver", "rdmaSharedDevicePlugin", "sriovDevicePlugin")
COMPONENTS = (
    *OF_NODES,
    "ibKubernetes",
    "nvIpam",
    "nicFeatureDiscovery",
    "docaTelemetryService",
    "spectrumXOperator",
    "secondaryNetwork.cniPlugins",
    "secondaryNetwork.ipoib",
    "secondaryNetwork.multus",
    "secondaryNetwork.ipamPlugin",
    "nicConfigurationOperator.operator",
    "nicConfigurationOperator.configurationDaemon",
)
ELSEWHERE: dict[str, dict[str, Any]] = {
    "ibKubernetes": {
        "pKeyGUIDPoolRangeStart": "02:00:00:00:00:00:00:00",
        "pKeyGUIDPoolRangeEnd": "02:FF:FF:FF:FF:FF:FF:FF",
        "ufmSecret": "ufm",
    }
}
NO_DRIVER = (
    ", which is no driver version: set spec.ofedDriver.version as in 25.07-0.9.7.0-0 or doca3.1.0-25.07-0.9.7.0-0, "
    "or to a digest"
)
NO_NAME = (
    ", which no registry accepts as the start of an image's name: "
    "write registry[:port]/path without scheme, tag, blanks or capital letters, as in nvcr.io/nvidia/mellanox"
)


def component(path: str, **fields: Any) -> dict[str, Any]:
    """The sections of a policy with one component, whatever the others need beside it."""
    asked = image(**fields) | ELSEWHERE.get(path, {})
    section, _, part = path.partition(".")
    if not part:
        return {section: asked}
    other = {"operator": image(), "configurationDaemon": image()} if section == "nicConfigurationOperator" else {}
    return {section: other | {part: asked}}


def told(found: NicClusterPolicy | NicNodePolicy, *, openshift: bool = False) -> list[str]:
    return [problem.sentence for problem in problems(found, openshift=openshift)]


@pytest.mark.parametrize("path", COMPONENTS)
def test_a_component_without_a_mistake(path: str) -> None:
    assert told(policy(**component(path))) == []


@pytest.mark.parametrize("path", COMPONENTS)
def test_the_repository_of_every_component(path: str) -> None:
    """Also of those that upstream's webhook leaves out."""
    assert told(policy(**component(path, repository="https://r.io"))) == [
        f"spec.{path}.repository is 'https://r.io'{NO_NAME}"
    ]


@pytest.mark.parametrize("section", OF_NODES)
def test_the_repository_of_a_node_policy(section: str) -> None:
    """Upstream's webhook does not look at it."""
    assert told(node_policy("gpu", **{section: image(repository="r.io/")})) == [
        f"spec.{section}.repository is 'r.io/'{NO_NAME}"
    ]


@pytest.mark.parametrize("path", COMPONENTS)
def test_a_repository_that_nobody_gives(path: str) -> None:
    assert told(policy(**component(path, repository=None))) == [missing(f"spec.{path}.repository")]


def missing(field: str) -> str:
    part = field.rpartition(".")[2]
    return f"{field} is missing: set it, or, in a NicClusterPolicy, spec.global.{part} for all components"


def test_a_mistake_in_the_global_section_is_told_once() -> None:
    sections = {section: {"image": "a"} for section in ("ofedDriver", "nvIpam", "nicFeatureDiscovery")}
    assert told(policy(**{"global": {"repository": "R/a", "version": "24.01-0.3.3.1-0"}}, **sections)) == [
        f"spec.global.repository is 'R/a'{NO_NAME}"
    ]


@pytest.mark.parametrize(
    "version",
    [
        "23.10-0.2.2.0",
        "5.6-1.0.3.3",
        "24.01-0.3.3.1-0",
        "26.01-0.9.5.0.810-0",
        "1.2-3",
        "25.01-0.6.0.0-0-6.8.0-1019-oracle-ubuntu22.04-arm64",
        "doca3.1-24.01-0.3.3.1-0",
        "doca3.5.0-26.07-0.7.0.0-0",
        "doca3.1-25.07-0.9.7.0-0-5.14.0-427.87.1.el9_4.x86_64-rhcos4.18-amd64",
        DIGEST,
        # Of policies from 23.1 on.
        "5.9-0.5.6.0",
        "23.04-0.5.3.3.1",
        "23.10-0.5.5.0",
        "25.04-0.6.1.0-2",
        "doca3.1.0-25.07-0.9.7.0-0",
    ],
)
def test_driver_versions(version: str) -> None:
    assert told(policy(ofedDriver=image(version=version))) == []
    assert told(node_policy("gpu", ofedDriver=image(version=version))) == []
    # Upstream's webhook refuses a driver that inherits its version, unless it has containerResources.
    inherits = {"image": "doca-driver", "repository": "r.io/a"}
    for entries in ([], [{"name": "mofed-container"}]):
        driver = inherits | {"containerResources": entries}
        assert told(policy(**{"global": {"version": version}}, ofedDriver=driver)) == []


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        pytest.param("latest", f"spec.ofedDriver.version is 'latest'{NO_DRIVER}", id="no-number"),
        pytest.param("26.01-abc", f"spec.ofedDriver.version is '26.01-abc'{NO_DRIVER}", id="no-second-number"),
        pytest.param(
            "doca3.1-24.01-0.3.3.1", f"spec.ofedDriver.version is 'doca3.1-24.01-0.3.3.1'{NO_DRIVER}", id="no-build"
        ),
        pytest.param(
            "doca3.1-26.01-0.9.5.0.810-0",
            f"spec.ofedDriver.version is 'doca3.1-26.01-0.9.5.0.810-0'{NO_DRIVER}",
            id="five-parts-with-prefix",
        ),
        pytest.param(
            "sha256:0123",
            "spec.ofedDriver.version is 'sha256:0123', which is no digest: "
            "write sha256: and 64 hexadecimal digits in lower case",
            id="short-digest",
        ),
        pytest.param(
            DIGEST.upper().replace("SHA", "sha"),
            f"spec.ofedDriver.version is '{DIGEST.upper().replace('SHA', 'sha')}', which is no digest: "
            "write sha256: and 64 hexadecimal digits in lower case",
            id="digest-that-no-runtime-pulls",
        ),
        pytest.param(
            "",
            "spec.ofedDriver.version is missing: set it, or, in a NicClusterPolicy, spec.global.version for all "
            "components",
            id="empty",
        ),
    ],
)
def test_what_is_no_driver_version(version: str, sentence: str) -> None:
    assert told(policy(ofedDriver=image(version=version))) == [sentence]
    assert told(node_policy("gpu", ofedDriver=image(version=version))) == [sentence]


def guids(start: str | None, end: str | None) -> dict[str, Any]:
    given = {"pKeyGUIDPoolRangeStart": start, "pKeyGUIDPoolRangeEnd": end, "ufmSecret": "ufm"}
    return {"ibKubernetes": image("ib-kubernetes", **given)}


START = "spec.ibKubernetes.pKeyGUIDPoolRangeStart"
END = "spec.ibKubernetes.pKeyGUIDPoolRangeEnd"


@pytest.mark.parametrize(
    ("sections", "sentences"),
    [
        pytest.param(
            {"ofedDriver": image(upgradePolicy={"safeLoad": True})},
            [
                "spec.ofedDriver.upgradePolicy.safeLoad is true, which needs "
                "spec.ofedDriver.upgradePolicy.autoUpgrade: set autoUpgrade to true or safeLoad to false"
            ],
            id="safe-load-without-upgrades",
        ),
        pytest.param({"ofedDriver": image(upgradePolicy={"safeLoad": True, "autoUpgrade": True})}, [], id="safe-load"),
        pytest.param(guids("02:00:00:00:00:00:00:00", "02:00:00:00:00:00:00:0a"), [], id="guid-range"),
        pytest.param(
            guids("2:0", "02-00-00-00-00-00-00-00"),
            [
                f"{START} is '2:0', which is no GUID: write eight bytes in hex, as 02:00:00:00:00:00:00:00",
                f"{END} is '02-00-00-00-00-00-00-00', which is no GUID: "
                "write eight bytes in hex, as 02:FF:FF:FF:FF:FF:FF:FF",
            ],
            id="no-guids",
        ),
        pytest.param(
            guids("02:00:00:00:00:00:00:01", "02:00:00:00:00:00:00:01"),
            [
                f"{END} is 02:00:00:00:00:00:00:01, not more than the start of the pool, 02:00:00:00:00:00:00:01: "
                "raise it or lower the start"
            ],
            id="range-of-nothing",
        ),
        pytest.param(
            guids(None, ""),
            [
                f"{START} is missing: set it, for example to 02:00:00:00:00:00:00:00",
                f"{END} is missing: set it, for example to 02:FF:FF:FF:FF:FF:FF:FF",
            ],
            id="guids-that-v23-did-not-ask-for",
        ),
        pytest.param(
            {"docaTelemetryService": image(config={})},
            [
                "spec.docaTelemetryService.config.fromConfigMap is missing: "
                "name a ConfigMap, or remove config to use the default one"
            ],
            id="telemetry-without-config-map",
        ),
        pytest.param(
            {"docaTelemetryService": image(config={"fromConfigMap": "Own_Config"})},
            [
                "spec.docaTelemetryService.config.fromConfigMap is 'Own_Config', which no ConfigMap can have as its "
                "name: use at most 253 lower-case letters, digits, '-' and '.', beginning and ending with a letter "
                "or digit"
            ],
            id="telemetry-config-map",
        ),
        pytest.param({"docaTelemetryService": image(config={"fromConfigMap": "own.config"})}, [], id="telemetry"),
        pytest.param(
            {"rdmaSharedDevicePlugin": image(config="")},
            [
                "spec.rdmaSharedDevicePlugin.config is not valid JSON at line 1, column 1 (Expecting value): "
                "correct the text there"
            ],
            id="rdma-empty",
        ),
        pytest.param(
            {"rdmaSharedDevicePlugin": image(config="[]")},
            ["spec.rdmaSharedDevicePlugin.config is JSON but not an object: start it with { and end it with }"],
            id="rdma-no-object",
        ),
        pytest.param(
            {"rdmaSharedDevicePlugin": image(config='{"configList": [{"resourceName": "a b"}]}')},
            [
                'spec.rdmaSharedDevicePlugin.config configList[0].resourceName is "a b", which is no name for a '
                "resource of this plugin: use at most 63 letters, digits and _, beginning and ending with a letter "
                "or digit",
                "spec.rdmaSharedDevicePlugin.config configList[0] has no rdmaHcaMax: add one, such as 63",
                "spec.rdmaSharedDevicePlugin.config configList[0] selects nothing: "
                "give selectors with one of vendors, deviceIDs, drivers, ifNames, linkTypes",
            ],
            id="rdma-resource",
        ),
        pytest.param(
            {"sriovDevicePlugin": image(config='{"resourceList": [{"selectors": {"vendors": ["15b3"]}}, {')},
            [
                "spec.sriovDevicePlugin.config is not valid JSON at line 1, column 58 "
                "(Expecting property name enclosed in double quotes): correct the text there"
            ],
            id="sriov-no-json",
        ),
        pytest.param(
            {"sriovDevicePlugin": image(config='{"resourceList": [{"selectors": {"vendors": ["15b3"]}}]}')},
            ['spec.sriovDevicePlugin.config resourceList[0] has no resourceName: add one, such as "sriov_rdma"'],
            id="sriov-resource-without-name",
        ),
        pytest.param(
            {"secondaryNetwork": {"multus": image("multus-cni", config="{'a': 1}")}},
            [
                "spec.secondaryNetwork.multus.config is not valid JSON at line 1, column 2 "
                "(Expecting property name enclosed in double quotes): correct the text there"
            ],
            id="multus-config",
        ),
        pytest.param(
            {"nvIpam": image("nvidia-k8s-ipam", containerResources=[{"name": "nv-ipam", "limits": {"cpu": 0}}])},
            [
                "spec.nvIpam.containerResources[0].name is 'nv-ipam', a container that this component does not have: "
                "use nv-ipam-controller or nv-ipam-node",
                "spec.nvIpam.containerResources[0].limits.cpu is '0': give more than zero, or leave it out",
            ],
            id="container-resources",
        ),
    ],
)
def test_rules_of_one_section(sections: dict[str, Any], sentences: list[str]) -> None:
    assert told(policy(**sections)) == sentences
    if sections.keys() <= set(OF_NODES):
        assert told(node_policy("gpu", **sections)) == sentences


def test_all_mistakes_of_all_sections_are_told() -> None:
    wrong = image(repository="R/b", version="latest", upgradePolicy={"safeLoad": True})
    found = problems(policy(ofedDriver=wrong, rdmaSharedDevicePlugin=image(config="{", version="-")))
    assert [problem.field for problem in found] == [
        "spec.ofedDriver.upgradePolicy.safeLoad",
        "spec.ofedDriver.repository",
        "spec.ofedDriver.version",
        "spec.rdmaSharedDevicePlugin.config",
        "spec.rdmaSharedDevicePlugin.version",
    ]


def test_the_containers_that_upstreams_webhook_knows() -> None:
    names = {
        "ofedDriver": ["mofed-container"],
        "rdmaSharedDevicePlugin": ["rdma-shared-dp"],
        "sriovDevicePlugin": ["kube-sriovdp"],
        "ibKubernetes": ["ib-kubernetes"],
        "nvIpam": ["nv-ipam-controller", "nv-ipam-node"],
        "nicFeatureDiscovery": ["nic-feature-discovery"],
        "secondaryNetwork.cniPlugins": ["cni-plugins"],
        "secondaryNetwork.ipoib": ["ipoib-cni"],
        "secondaryNetwork.multus": ["kube-multus"],
    }
    for path, containers in names.items():
        entries = [{"name": name, "requests": {"cpu": "100m"}, "limits": {"cpu": "100m"}} for name in containers]
        assert told(policy(**component(path, containerResources=entries))) == []


@pytest.mark.parametrize("path", COMPONENTS)
def test_the_containers_of_every_component(path: str) -> None:
    """Also of those that upstream's webhook leaves out, and when no version is given anywhere, which is told too."""
    field, nobody = f"spec.{path}.containerResources[0].name", [{"name": "nobody"}]
    (sentence,) = told(policy(**component(path, containerResources=nobody)))
    assert sentence.startswith(f"{field} is 'nobody', a container that this component does not have: use ")
    without_version = told(policy(**component(path, containerResources=nobody, version=None)))
    assert sorted(without_version) == sorted([sentence, missing(f"spec.{path}.version")])


@pytest.mark.parametrize("section", OF_NODES)
def test_the_containers_of_a_node_policy(section: str) -> None:
    """Upstream's webhook does not look at them."""
    (sentence,) = told(node_policy("gpu", **{section: image(containerResources=[{"name": "nobody"}])}))
    assert sentence.startswith(f"spec.{section}.containerResources[0].name is 'nobody'")


def test_openshifts_driver_pods_have_a_container_more() -> None:
    driver = image(containerResources=[{"name": "openshift-driver-toolkit-ctr"}])
    assert told(policy(ofedDriver=driver), openshift=True) == []
    assert told(policy(ofedDriver=driver)) == [
        "spec.ofedDriver.containerResources[0].name is 'openshift-driver-toolkit-ctr', a container that this "
        "component does not have: use mofed-container"
    ]


def test_what_only_the_cluster_can_tell_is_no_mistake() -> None:
    driver = image(forcePrecompiled=True, certConfig={"name": "certs"}, repoConfig={"name": "repos"})
    assert told(policy(ofedDriver=driver)) == []


@pytest.mark.parametrize("length", [1, 30])
def test_the_name_of_a_node_policy(length: int) -> None:
    assert told(node_policy("n" * length, ofedDriver=image())) == []


def test_a_node_policys_name_is_too_long_at_31() -> None:
    assert told(node_policy("n" * 31)) == [
        "metadata.name has 31 characters: create a NicNodePolicy with a name of at most 30"
    ]


def test_a_cluster_policy_of_another_name_is_no_mistake() -> None:
    other = NicClusterPolicy.model_validate({"metadata": {"name": "n" * 60}})
    assert told(other) == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "deploy/examples").rglob("*nic*polic*.yaml")), ids=lambda path: str(path.name)
)
def test_the_examples_pass(path: Any) -> None:
    for document in yaml.safe_load_all(path.read_text()):
        kind = NicNodePolicy if document["kind"] == "NicNodePolicy" else NicClusterPolicy
        assert told(kind.model_validate(document)) == []


def network(kind: type[Network], **spec: Any) -> list[str]:
    found = kind.model_validate({"metadata": {"name": "n"}, "spec": spec})
    return [problem.sentence for problem in network_problems(found)]


@pytest.mark.parametrize("name", ["hostdev", "nvidia.com/hostdev", "a", "A-b_c.9"])
def test_resource_names(name: str) -> None:
    assert network(HostDeviceNetwork, resourceName=name) == []


@pytest.mark.parametrize("name", ["-a", "a.", "a b", "rdma/hostdev", "nvidia.com/a/b", "a\n", "é"])
def test_what_is_no_resource_name(name: str) -> None:
    assert network(HostDeviceNetwork, resourceName=name) == [
        f"spec.resourceName is {name!r}, which no resource is called: use letters, digits, '-', '_' and '.', with a "
        "letter or digit at both ends, after nvidia.com/ or alone"
    ]


@pytest.mark.parametrize("name", [None, "", "nvidia.com/"])
def test_no_resource_name(name: str | None) -> None:
    assert network(HostDeviceNetwork, resourceName=name) == [
        "spec.resourceName is missing: name the device plugin's resource, as in hostdev"
    ]


def test_what_only_a_foreign_crd_lets_pass() -> None:
    with pytest.raises(ValidationError) as raised:
        MacvlanNetwork.model_validate({"metadata": {"name": "n"}, "spec": {"mtu": "large", "mode": "bridged"}})
    assert [problem.sentence.split(":")[0] for problem in unreadable(raised.value)] == [
        "spec.mode cannot be used",
        "spec.mtu cannot be used",
    ]
