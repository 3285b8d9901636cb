"""What a user gives to kubectl, and what is wrong with it by itself."""

from typing import Any

import pytest

from cli.plan.documents import NEW_UID, Document, Unusable, completed, documents, policies, wrong_with
from tests.unit.cli.plan.clusters import document, driver, given, plugin

POLICY = "{apiVersion: mellanox.com/v1alpha1, kind: NicClusterPolicy, metadata: {name: nic-cluster-policy}}"
NETWORK = "{apiVersion: mellanox.com/v1alpha1, kind: MacvlanNetwork, metadata: {name: net}}"
CONFIG_MAP = "{apiVersion: v1, kind: ConfigMap, metadata: {name: certs, namespace: ns}, data: {a: b}}"
POOL = "{apiVersion: nv-ipam.nvidia.com/v1alpha1, kind: IPPool, metadata: {name: pool}}"


def test_documents_lists_and_kinds_of_others() -> None:
    text = f"{POLICY}\n---\nkind: List\nitems: [{NETWORK}, {CONFIG_MAP}]\n---\n{POOL}\n"

    found = documents([("one.yaml", text)])

    assert [(str(each), each.is_network) for each in found.documents] == [
        ("NicClusterPolicy nic-cluster-policy", False),
        ("MacvlanNetwork net", True),
    ]
    assert found.config_maps == {("ns", "certs"): {"a": "b"}}
    assert found.left_out == ("IPPool pool",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("- x", "f has a document that is no object: begin it with apiVersion and kind", id="a-list"),
        pytest.param("a: b", "f has an object without a kind: add apiVersion and kind", id="no-kind"),
        pytest.param(
            "kind: NicClusterPolicy", "f has a NicClusterPolicy without metadata.name: give it one", id="no-name"
        ),
        pytest.param(
            f"{POLICY}\n---\n{POLICY}",
            "NicClusterPolicy nic-cluster-policy is in f and again in f: give it once",
            id="twice",
        ),
        pytest.param(POOL, "there is no policy and no network: give a FILE with one of Host", id="nothing-of-ours"),
        pytest.param("a: [", "f is not valid YAML at line 1", id="not-yaml"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(Unusable) as refused:
        documents([("f", text)])
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    ("spec", "sentences"),
    [
        pytest.param({"ofedDriver": driver()}, [], id="sound"),
        pytest.param(
            {"ofedDrivers": {}},
            ["spec.ofedDrivers is no field of a NicClusterPolicy: remove it or correct its name"],
            id="unknown-field",
        ),
        pytest.param(
            {"tolerations": [{"key": 1}]},
            ["spec.tolerations[0].key cannot be used: input should be a valid string"],
            id="wrong-type",
        ),
        pytest.param(
            {"ofedDrivers": {}, "ofedDriver": driver(version="latest")},
            [
                "spec.ofedDrivers is no field of a NicClusterPolicy: remove it or correct its name",
                "spec.ofedDriver.version is 'latest', which is no driver version: set spec.ofedDriver.version as in "
                "25.07-0.9.7.0-0 or doca3.1.0-25.07-0.9.7.0-0, or to a digest",
            ],
            id="the-rules-too-when-only-names-are-wrong",
        ),
        pytest.param(
            {"rdmaSharedDevicePlugin": plugin(config="{")},
            [
                "spec.rdmaSharedDevicePlugin.config is not valid JSON at line 1, column 2 "
                "(Expecting property name enclosed in double quotes): correct the text there"
            ],
            id="the-coordinators-own-rules",
        ),
    ],
)
def test_every_mistake_of_a_policy(spec: dict[str, Any], sentences: list[str]) -> None:
    found = wrong_with(document(**spec), openshift=False)
    assert [problem.sentence for problem in found] == sentences


def test_mistakes_of_a_network() -> None:
    found = wrong_with(document("HostDeviceNetwork", "net", resourceName="a b", ipam="["), openshift=False)
    assert [problem.field for problem in found] == ["spec.resourceName", "spec.ipam"]


def test_what_the_user_may_not_write_is_the_clusters() -> None:
    mine = {"name": "x", "uid": "mine", "labels": {"a": "b"}}
    theirs = {"name": "x", "uid": "theirs", "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"c": "d"}}
    body = {"kind": "NicNodePolicy", "metadata": mine, "spec": {"a": 1}, "status": {"state": "ready"}}

    made = completed(Document("f", body), {"metadata": theirs, "spec": {"b": 2}})

    assert made == {
        "kind": "NicNodePolicy",
        "metadata": {"name": "x", "labels": {"a": "b"}, "uid": "theirs", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"a": 1},
    }
    assert completed(Document("f", body), None)["metadata"]["uid"] == NEW_UID


def test_a_given_policy_replaces_that_of_its_name_and_no_other() -> None:
    there = [dict(document(name=name).body) for name in ("one", "two")]
    merged = policies(given(document(name="two", ofedDriver=driver()), document("IPoIBNetwork", "two")), there)
    assert [(body["metadata"]["name"], "ofedDriver" in body["spec"]) for body in merged] == [
        ("one", False),
        ("two", True),
    ]
