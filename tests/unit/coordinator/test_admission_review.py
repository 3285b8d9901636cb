"""AdmissionReview in, AdmissionReview out."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from coordinator.admission.review import API_VERSION, Known, NotAReview, judge, read_request, written
from coordinator.objects.served import ServedPolicy
from tests.unit.coordinator.inventories import kube_node
from tests.unit.coordinator.policies import image, node_policy, policy

NODES = [kube_node("n1", labels={"role": "gpu"})]
WRONG = {"ofedDriver": image(version="latest")}


def known(*policies: ServedPolicy, openshift: bool = False) -> Known:
    return Known(lambda: policies, lambda: NODES, lambda: openshift)


def review(kind: str, spec: Any, name: str = "nic-cluster-policy", **request: Any) -> bytes:
    body = {"kind": kind, "apiVersion": "mellanox.com/v1alpha1", "metadata": {"name": name}, "spec": spec}
    whole = {"uid": "u-1", "operation": "CREATE", "name": name, "object": body} | request
    return json.dumps({"apiVersion": API_VERSION, "kind": "AdmissionReview", "request": whole}).encode()


def answer(kind: str, body: bytes, now: Known | None = None) -> dict[str, Any]:
    request = read_request(body)
    made = json.loads(written(kind, request, judge(kind, request, now or known())))
    assert (made["apiVersion"], made["kind"], made["response"]["uid"]) == (API_VERSION, "AdmissionReview", "u-1")
    response: dict[str, Any] = made["response"]
    return response


def test_an_object_without_a_mistake() -> None:
    assert answer("NicClusterPolicy", review("NicClusterPolicy", {"ofedDriver": image()})) == {
        "uid": "u-1",
        "allowed": True,
    }


def test_one_mistake_is_told_plainly() -> None:
    sentence = (
        "spec.ofedDriver.upgradePolicy.safeLoad is true, which needs spec.ofedDriver.upgradePolicy.autoUpgrade: "
        "set autoUpgrade to true or safeLoad to false"
    )
    field, _, rest = sentence.partition(" ")
    response = answer("NicNodePolicy", review("NicNodePolicy", {"ofedDriver": image(upgradePolicy={"safeLoad": True})}))
    assert response == {
        "uid": "u-1",
        "allowed": False,
        "status": {
            "status": "Failure",
            "code": 422,
            "reason": "Invalid",
            "message": f'NicNodePolicy.mellanox.com "nic-cluster-policy" is invalid: {sentence}',
            "details": {
                "group": "mellanox.com",
                "kind": "NicNodePolicy",
                "name": "nic-cluster-policy",
                "causes": [{"reason": "FieldValueInvalid", "field": field, "message": rest}],
            },
        },
    }


def test_several_mistakes_are_a_list() -> None:
    spec = {"ofedDriver": image(version="latest"), "rdmaSharedDevicePlugin": image(config="{")}
    status = answer("NicClusterPolicy", review("NicClusterPolicy", spec))["status"]
    assert [cause["field"] for cause in status["details"]["causes"]] == [
        "spec.ofedDriver.version",
        "spec.rdmaSharedDevicePlugin.config",
    ]
    assert "invalid: [spec.ofedDriver.version is " in status["message"]
    assert status["message"].endswith("]")


def test_a_conflict_is_told_only_of_a_policy_without_mistakes() -> None:
    now = known(ServedPolicy.of(policy(ofedDriver=image())))
    refused = answer("NicNodePolicy", review("NicNodePolicy", {"ofedDriver": image()}, "gpu"), now)
    assert refused["status"] == {
        "status": "Failure",
        "code": 403,
        "reason": "Forbidden",
        "message": "spec.ofedDriver is in NicClusterPolicy nic-cluster-policy and in NicNodePolicy gpu, which both "
        "speak for node n1: leave it in one of them",
    }
    assert answer("NicNodePolicy", review("NicNodePolicy", WRONG, "gpu"), now)["status"]["code"] == 422


def test_the_stored_version_of_a_policy_is_in_nobodys_way() -> None:
    stored = known(ServedPolicy.of(node_policy("gpu", {}, ofedDriver=image())))
    body = review("NicNodePolicy", {"ofedDriver": image(version="25.10-1.0.0.0-0")}, "gpu", operation="UPDATE")
    assert answer("NicNodePolicy", body, stored)["allowed"]
    assert not answer("NicNodePolicy", review("NicNodePolicy", {}, "other"), stored)["allowed"]


def test_a_cluster_policy_that_is_not_acted_on_blocks_nobody_and_is_warned_of() -> None:
    now = known(ServedPolicy.of(node_policy("gpu", {}, ofedDriver=image())))
    response = answer("NicClusterPolicy", review("NicClusterPolicy", {"ofedDriver": image()}, "second"), now)
    assert response == {
        "uid": "u-1",
        "allowed": True,
        "warnings": ["metadata.name is second: only the NicClusterPolicy nic-cluster-policy is acted on"],
    }


def test_warnings_come_with_a_refusal_too_and_are_short_enough_for_the_api_server() -> None:
    selector = {"podSelector": "=" * 500}
    spec = {"ofedDriver": image(version="latest", upgradePolicy={"drain": selector})}
    response = answer("NicClusterPolicy", review("NicClusterPolicy", spec))
    assert not response["allowed"]
    assert response["warnings"]
    assert all(len(warning) <= 256 for warning in response["warnings"])


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"operation": "DELETE", "object": None}, id="delete"),
        pytest.param({"operation": "CONNECT"}, id="connect"),
        pytest.param({"operation": "UPDATE", "subResource": "status"}, id="status"),
        pytest.param({"operation": "UPDATE", "oldObject": {"spec": WRONG}}, id="spec-unchanged"),
    ],
)
def test_what_is_not_judged(request_: dict[str, Any]) -> None:
    assert answer("NicClusterPolicy", review("NicClusterPolicy", WRONG, **request_)) == {"uid": "u-1", "allowed": True}


def test_a_change_of_the_spec_is_judged() -> None:
    body = review("NicClusterPolicy", WRONG, operation="UPDATE", oldObject={"spec": {"ofedDriver": image()}})
    assert not answer("NicClusterPolicy", body)["allowed"]


def test_a_dry_run_is_a_request_like_any_other() -> None:
    assert not answer("NicClusterPolicy", review("NicClusterPolicy", WRONG, dryRun=True))["allowed"]


def test_a_name_that_the_api_server_made_up() -> None:
    body = json.loads(review("NicNodePolicy", WRONG, "gpu-x7k2p"))
    body["request"]["name"] = ""
    status = answer("NicNodePolicy", json.dumps(body).encode())["status"]
    assert status["details"]["name"] == "gpu-x7k2p"


def test_an_object_that_only_a_foreign_crd_lets_pass() -> None:
    status = answer("MacvlanNetwork", review("MacvlanNetwork", {"mtu": "large"}))["status"]
    assert status["details"]["causes"][0]["field"] == "spec.mtu"
    assert "apply the CRDs of this version" in status["message"]


@pytest.mark.parametrize(
    ("kind", "spec", "fields"),
    [
        pytest.param("HostDeviceNetwork", {"resourceName": "-"}, ["spec.resourceName"], id="resource-name"),
        pytest.param("HostDeviceNetwork", {"resourceName": "a", "ipam": "{"}, ["spec.ipam"], id="hostdevice-ipam"),
        pytest.param("MacvlanNetwork", {"ipam": "[]"}, ["spec.ipam"], id="macvlan-ipam"),
        pytest.param("IPoIBNetwork", {"ipam": "type: x"}, ["spec.ipam"], id="ipoib-ipam"),
        pytest.param("MacvlanNetwork", {"metaPlugins": '{"type": "sbr"}, {'}, ["spec.metaPlugins"], id="meta-plugins"),
    ],
)
def test_networks(kind: str, spec: dict[str, Any], fields: Sequence[str]) -> None:
    causes = answer(kind, review(kind, spec, "n"))["status"]["details"]["causes"]
    assert [cause["field"] for cause in causes] == fields


def test_what_a_network_says_by_itself_is_a_warning() -> None:
    response = answer("IPoIBNetwork", review("IPoIBNetwork", {"ipam": "{}"}, "n"))
    assert response["allowed"]
    assert response["warnings"] == ["spec.master is empty, and the ipoib plugin has no default: name an interface"]


def test_openshift_is_known() -> None:
    spec = {"ofedDriver": image(containerResources=[{"name": "openshift-driver-toolkit-ctr"}])}
    body = review("NicClusterPolicy", spec)
    assert answer("NicClusterPolicy", body, known(openshift=True))["allowed"]
    assert not answer("NicClusterPolicy", body)["allowed"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x00\xff", id="bytes"),
        pytest.param(b"[" * 100_000, id="nested-too-deeply"),
        pytest.param(b"{}", id="no-review"),
        pytest.param(b'{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}', id="no-request"),
        pytest.param(
            b'{"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview", '
            b'"request": {"uid": "u", "operation": "CREATE"}}',
            id="another-version",
        ),
        pytest.param(
            b'{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", '
            b'"request": {"uid": "u", "operation": "CREATE", "name": "\\ud800"}}',
            id="half-a-character",
        ),
    ],
)
def test_what_is_no_review(body: bytes) -> None:
    with pytest.raises(NotAReview) as raised:
        read_request(body)
    assert str(raised.value).startswith("the body is ")


@pytest.mark.parametrize("given", [None, {}, {"kind": "Pod"}])
def test_a_review_of_something_else(given: Any) -> None:
    request = read_request(review("NicClusterPolicy", {}, object=given))
    with pytest.raises(NotAReview) as raised:
        judge("NicClusterPolicy", request, known())
    assert str(raised.value) == "the request has no NicClusterPolicy"
