"""Somebody's admission policy refuses the labels of every Node: told once and in the status, and soon over."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus
from typing import Any

import pytest

from nicfleet import names
from tests.controlplane.cluster import ControlPlane
from tests.integration.system.fleet import WITH_DRIVER
from tests.integration.system.product import DEPLOY, Product, sections
from tests.integration.system.waiting import eventually

ACCOUNT = f"system:serviceaccount:{names.DEFAULT_NAMESPACE}:nicfleet-coordinator"
NODES = tuple(f"node-{number:02}" for number in range(40))
WORDS = "the platform team labels Nodes"
POLICY: dict[str, Any] = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "labels"},
    "spec": {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["nodes"]}
            ]
        },
        "validations": [{"expression": f"request.userInfo.username != '{ACCOUNT}'", "message": WORDS}],
    },
}
BINDING: dict[str, Any] = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicyBinding",
    "metadata": {"name": "labels"},
    "spec": {"policyName": "labels", "validationActions": ["Deny"]},
}


@contextmanager
def without_the_right(plane: ControlPlane) -> Iterator[None]:
    """The role is not the one that is shipped."""
    role = plane.get("clusterrole", "nicfleet-coordinator")
    for rule in role["rules"]:
        if rule["resources"] == ["nodes"]:
            rule["verbs"].remove("patch")
    plane.kubectl("replace", "-f", "-", input=json.dumps(role))
    try:
        eventually(lambda: "no" in plane.kubectl("auth", "can-i", "patch", "nodes", f"--as={ACCOUNT}", check=False))
        yield
    finally:
        plane.kubectl("apply", "-f", str(DEPLOY / "manifests/coordinator-rbac.yaml"))


@contextmanager
def refused_by_a_policy(plane: ControlPlane) -> Iterator[None]:
    """The coordinator may not change Nodes, though it has the right."""
    plane.apply(POLICY, BINDING)
    try:
        attempt = ("label", "node", NODES[0], "probe=1", "--dry-run=server", f"--as={ACCOUNT}")
        eventually(lambda: WORDS in plane.kubectl(*attempt, check=False))
        yield
    finally:
        plane.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", "labels")


def labelled(product: Product) -> bool:
    return all(product.api.labels(node).get(names.NIC_LABEL) == "true" for node in NODES)


def attempts(product: Product) -> int:
    """The coordinator's writes to these Nodes that were ever refused."""
    return sum(
        event["verb"] == "patch"
        and event["user"]["username"] == ACCOUNT
        and event["objectRef"].get("name") in NODES
        and event["responseStatus"]["code"] >= HTTPStatus.BAD_REQUEST
        for event in product.plane.audit()
    )


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        pytest.param(refused_by_a_policy, WORDS, id="by-a-policy"),
        pytest.param(without_the_right, 'cannot patch resource "nodes"', id="for-want-of-a-right"),
    ],
)
def test_one_cause_is_one_line_and_one_finding(
    fresh: Product, refused: Callable[[ControlPlane], AbstractContextManager[None]], words: str
) -> None:
    fresh.coordinator.start()
    fresh.register(*NODES)
    before = attempts(fresh)

    def told() -> dict[str, Any] | None:
        found = fresh.api.condition("RDMASharedDevicePluginReady")
        return found if found["reason"] == "LabelsRefused" and "and 35 more" in found["message"] else None

    with refused(fresh.plane):
        for node in NODES:
            fresh.simulated.report(node, WITH_DRIVER)
        fresh.apply(**sections("rdmaSharedDevicePlugin"))
        message = eventually(told)["message"]
        eventually(
            lambda: attempts(fresh) - before >= len(NODES) + 5
        )  # some are tried again, and nothing is told of that
        failures = [line for line in fresh.coordinator.logged("key failed") if words in line["error"]]
        assert fresh.node(NODES[0]).findings[-1].reason == "LabelsRefused"
    assert message.startswith(f"the labels of {', '.join(NODES[:5])} and 35 more are not written: cannot apply Node")
    assert words in message
    assert "nicfleet's ServiceAccount" in message
    assert len(failures) == 1

    eventually(lambda: labelled(fresh))
    fresh.wait_ready()
    eventually(lambda: [line for line in fresh.coordinator.logged("failure is over") if words in line["error"]])
