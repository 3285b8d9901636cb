"""Networks to NetworkAttachmentDefinitions: every key, in its order, and nothing that the user did not mean."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.networks.definition import cni_config, definition, network_problems
from coordinator.networks.kinds import KINDS, read
from coordinator.policy import InvalidSpec
from coordinator.policy.networks import Network
from nicfleet import names
from tests.unit.coordinator.networks.documents import document, host_device, ipoib, macvlan, network

NV_IPAM = '{"type": "nv-ipam", "poolName": "my-pool"}'


@pytest.mark.parametrize(
    ("given_network", "text"),
    [
        pytest.param(
            macvlan(master="eth0", mode="bridge", mtu=1500),
            '{"cniVersion": "0.3.1", "name": "net", "type": "macvlan", "master": "eth0", "mode": "bridge", '
            '"mtu": 1500, "ipam": {}}',
            id="macvlan-with-all-fields",
        ),
        pytest.param(
            macvlan(),
            '{"cniVersion": "0.3.1", "name": "net", "type": "macvlan", "ipam": {}}',
            id="macvlan-with-the-plugins-own-defaults",
        ),
        pytest.param(
            macvlan(master="", mtu=0, ipam=""),
            '{"cniVersion": "0.3.1", "name": "net", "type": "macvlan", "ipam": {}}',
            id="empty-is-absent",
        ),
        pytest.param(
            macvlan(metaPlugins='{"type":"tuning"}'),
            '{"cniVersion": "0.3.1", "name": "net", "plugins": [{"type": "macvlan", "ipam": {}}, {"type": "tuning"}]}',
            id="macvlan-with-a-meta-plugin",
        ),
        pytest.param(
            host_device(ipam=NV_IPAM),
            '{"cniVersion": "0.3.1", "name": "net", "type": "host-device", '
            '"ipam": {"type": "nv-ipam", "poolName": "my-pool"}}',
            id="host-device-without-its-resource",
        ),
        pytest.param(
            host_device(metaPlugins='{"type": "tuning", "mtu": 9000},\n{"type": "sbr"}\n', ipam="\n"),
            '{"cniVersion": "0.3.1", "name": "net", "plugins": [{"type": "host-device", "ipam": {}}, '
            '{"type": "tuning", "mtu": 9000}, {"type": "sbr"}]}',
            id="host-device-with-two-meta-plugins",
        ),
        pytest.param(
            ipoib(master="ib0"),
            '{"cniVersion": "0.3.1", "name": "net", "type": "ipoib", "master": "ib0", "ipam": {}}',
            id="ipoib",
        ),
        pytest.param(
            ipoib(),
            '{"cniVersion": "0.3.1", "name": "net", "type": "ipoib", "master": "", "ipam": {}}',
            id="ipoib-has-its-master-always",
        ),
    ],
)
def test_the_configuration(given_network: Network, text: str) -> None:
    assert cni_config(given_network) == text


def test_brackets_around_meta_plugins_do_no_harm() -> None:
    bare, bracketed = '{"type": "a"}, {"type": "b"}', ' [{"type": "a"}, {"type": "b"}]\n'
    assert cni_config(macvlan(metaPlugins=bare)) == cni_config(macvlan(metaPlugins=bracketed))


def test_spaces_inside_addresses_and_names_stay() -> None:
    assert json.loads(cni_config(macvlan(ipam='{"a b":\n "c  d"}')))["ipam"] == {"a b": "c  d"}


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_metadata(kind: str) -> None:
    spec = {"resourceName": "hostdev"} if kind == "HostDeviceNetwork" else {}
    made = definition(network(kind, networkNamespace="pods", **spec))

    metadata = made["metadata"]
    assert (made["apiVersion"], made["kind"]) == ("k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition")
    assert (metadata["namespace"], metadata["name"]) == ("pods", "net")
    assert metadata["labels"] == {"nvidia.network-operator.state": KINDS[kind].state}
    assert metadata["ownerReferences"] == [
        {
            "apiVersion": "mellanox.com/v1alpha1",
            "kind": kind,
            "name": "net",
            "uid": f"uid-{kind}-net",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    assert made.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert made["spec"].keys() == {"config"}


@pytest.mark.parametrize("given_network", [macvlan(), host_device(), ipoib(), macvlan(networkNamespace="")])
def test_without_a_namespace_it_is_default(given_network: Network) -> None:
    assert definition(given_network)["metadata"]["namespace"] == "default"


@pytest.mark.parametrize("name", ["hostdev", "nvidia.com/hostdev"])
def test_the_resource_is_an_annotation_with_one_prefix(name: str) -> None:
    annotations = definition(host_device(resourceName=name))["metadata"]["annotations"]
    assert annotations["k8s.v1.cni.cncf.io/resourceName"] == "nvidia.com/hostdev"
    assert annotations.keys() == {"k8s.v1.cni.cncf.io/resourceName", names.HASH_ANNOTATION}


def test_any_change_shows_in_the_hash() -> None:
    made = [definition(macvlan()), definition(macvlan(mtu=9000)), definition(macvlan(networkNamespace="pods"))]
    assert len({nad["metadata"]["annotations"][names.HASH_ANNOTATION] for nad in made}) == 3


@pytest.mark.parametrize(
    ("given_network", "sentence"),
    [
        pytest.param(
            macvlan(ipam='{\n "type": static\n}'),
            "spec.ipam is not valid JSON at line 2, column 10 (Expecting value): correct the text there",
            id="ipam-without-quotes",
        ),
        pytest.param(
            ipoib(master="ib0", ipam="{'type': 'static'}"),
            "spec.ipam is not valid JSON at line 1, column 2 (Expecting property name enclosed in double quotes)",
            id="ipam-with-single-quotes",
        ),
        pytest.param(macvlan(ipam="[]"), "spec.ipam is JSON but not an object: start it with {", id="ipam-is-a-list"),
        pytest.param(
            macvlan(ipam="{}}"), "spec.ipam is not valid JSON at line 1, column 3 (Extra data)", id="too-much"
        ),
        pytest.param(
            macvlan(ipam='{"rate": 1e999}'),
            "spec.ipam is not valid JSON (Out of range float values are not JSON compliant",
            id="no-number",
        ),
        pytest.param(macvlan(ipam="[" * 100_000), "spec.ipam is not valid JSON (", id="deep"),
        pytest.param(
            macvlan(metaPlugins='{"type": "tuning" "mtu": 1}'),
            "spec.metaPlugins is not valid JSON at line 1, column 19 (Expecting ',' delimiter)",
            id="the-column-is-the-users",
        ),
        pytest.param(
            macvlan(metaPlugins='{"type": "tuning"},\n{"type" "sbr"}'),
            "spec.metaPlugins is not valid JSON at line 2, column 9 (Expecting ':' delimiter)",
            id="the-line-is-the-users",
        ),
        pytest.param(
            macvlan(metaPlugins='{"type":"a"}],"cniVersion":["1"'),
            "spec.metaPlugins is not valid JSON at line 1, column 14 (Extra data)",
            id="out-of-the-brackets",
        ),
        pytest.param(
            macvlan(metaPlugins='{"type": "a"}, "b"'),
            "spec.metaPlugins is JSON, but its item 2 is not an object: separate objects by commas",
            id="not-an-object",
        ),
        pytest.param(
            host_device(metaPlugins='[{"type": "a"}, {"mtu": 1}]'),
            'spec.metaPlugins has no "type" in its item 2: name the CNI plugin, as in tuning',
            id="no-type",
        ),
        pytest.param(
            network("HostDeviceNetwork"), "spec.resourceName is missing: name the device plugin's resource", id="none"
        ),
        pytest.param(host_device(resourceName="nvidia.com/"), "spec.resourceName is missing: ", id="only-the-prefix"),
        pytest.param(
            host_device(resourceName="a b"),
            "spec.resourceName is 'a b', which no resource is called: use letters, digits",
            id="resource-with-a-space",
        ),
        pytest.param(
            host_device(resourceName="intel.com/x"), "spec.resourceName is 'intel.com/x', which no", id="other-prefix"
        ),
        pytest.param(host_device(resourceName="x-"), "spec.resourceName is 'x-', which no", id="ends-with-a-dash"),
        pytest.param(host_device(resourceName="x\n"), "spec.resourceName is 'x\\n', which no", id="with-a-line-break"),
        pytest.param(
            macvlan(networkNamespace=".."),
            "spec.networkNamespace is '..', which no namespace is called: use lower-case letters",
            id="namespace-as-a-path",
        ),
    ],
)
def test_a_mistake_is_told_with_field_and_fix(given_network: Network, sentence: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        definition(given_network)
    assert str(refused.value).startswith(sentence)


def test_all_mistakes_are_told() -> None:
    wrong = host_device(networkNamespace="A", resourceName="", ipam="{", metaPlugins="{")
    with pytest.raises(InvalidSpec) as refused:
        definition(wrong)
    fields = ["spec.networkNamespace", "spec.resourceName", "spec.ipam", "spec.metaPlugins"]
    assert [problem.field for problem in refused.value.each] == fields
    assert [problem.field for problem in network_problems(wrong)] == fields


def test_what_only_a_foreign_crd_lets_through_is_told() -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.mode cannot be used: .*; apply the CRDs of this version"):
        read(document("MacvlanNetwork", mode="sideways"))


HOSTILE = st.text(max_size=40) | st.sampled_from(
    ["'", '"', "\\", "}\n---\nkind: ClusterRoleBinding", "{{ 7*7 }}", "${x}", "\u2028", "\x00", '"}],"x":[{"']
)


@given(master=HOSTILE, value=HOSTILE, key=HOSTILE)
def test_no_text_gets_out_of_its_value(master: str, value: str, key: str) -> None:
    """Whatever is written: the configuration has the keys that it should, and the text is one value in it."""
    ipam: dict[str, Any] = {"type": "static", key: value}
    made = definition(macvlan(master=master, ipam=json.dumps(ipam)))

    config = json.loads(made["spec"]["config"])
    assert config.keys() == {"cniVersion", "name", "type", "ipam"} | ({"master"} if master else set())
    assert config.get("master", "") == master
    assert config["ipam"] == ipam


@given(text=HOSTILE)
def test_meta_plugins_are_plugins_or_refused(text: str) -> None:
    try:
        config = json.loads(cni_config(macvlan(metaPlugins=text)))
    except InvalidSpec:
        return
    assert config.keys() <= {"cniVersion", "name", "type", "ipam"}
