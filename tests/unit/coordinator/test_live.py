"""What is read of a live workload: counters of each kind under one name, and why a Deployment gets no Pods."""

import json
from typing import Any

import pytest

from coordinator.objects.live import decode_object, decode_workload
from coordinator.workloads import Workload
from nicfleet.names import STATE_LABEL

_META = {"name": "w", "namespace": "n", "uid": "u", "resourceVersion": "1", "generation": 2}
_SPEC = {"selector": {"matchLabels": {"app": "w"}}, "template": {}}


def decoded(kind: str, spec: dict[str, Any], status: dict[str, Any]) -> Workload:
    raw = json.dumps({"metadata": _META, "spec": _SPEC | spec, "status": status}).encode()
    workload = decode_workload(raw, kind).workload
    assert workload is not None
    return workload


@pytest.mark.parametrize(
    ("kind", "spec", "status", "expected"),
    [
        pytest.param(
            "DaemonSet",
            {},
            {"desiredNumberScheduled": 4, "updatedNumberScheduled": 3, "numberReady": 2, "numberAvailable": 1},
            (4, 3, 2, 1, 0),
            id="daemonset",
        ),
        pytest.param(
            "Deployment",
            {"replicas": 4},
            {"replicas": 5, "updatedReplicas": 3, "readyReplicas": 2, "availableReplicas": 1},
            (4, 3, 2, 1, 5),
            id="deployment",
        ),
        pytest.param("Deployment", {"replicas": 0}, {}, (0, 0, 0, 0, 0), id="deployment-that-nobody-wants"),
    ],
)
def test_counters(kind: str, spec: dict[str, Any], status: dict[str, int], expected: tuple[int, ...]) -> None:
    workload = decoded(kind, spec, status)
    found = (workload.desired, workload.updated, workload.ready, workload.available, workload.replicas)
    assert found == expected
    assert not workload.observed


def test_a_daemonset_tells_of_pods_that_it_does_not_count() -> None:
    assert decoded("DaemonSet", {}, {"numberMisscheduled": 1}).misscheduled == 1


def test_what_keeps_the_pods_of_a_deployment_away() -> None:
    available = {"type": "Available", "status": "False", "message": "too few"}
    failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
    assert decoded("Deployment", {}, {"conditions": [available, failure]}).replica_failure == "exceeded quota"
    assert decoded("Deployment", {}, {"conditions": [available]}).replica_failure == ""


@pytest.mark.parametrize(
    ("name", "labels", "owner", "ours"),
    [
        pytest.param("x", {STATE_LABEL: "state-OFED"}, "mellanox.com/v1alpha1", True, id="label-and-policy"),
        pytest.param("x", {}, "mellanox.com/v1alpha1", False, id="policy-alone"),
        pytest.param("x", {STATE_LABEL: "state-OFED"}, "apps/v1", False, id="label-alone"),
        pytest.param("ocp-network-operator-trusted-ca", {}, "mellanox.com/v1alpha1", True, id="upstreams-unlabelled"),
        pytest.param("ocp-network-operator-trusted-ca", {}, "apps/v1", False, id="another-owners"),
    ],
)
def test_whose_it_is(name: str, labels: dict[str, str], owner: str, ours: bool) -> None:
    reference = {"apiVersion": owner, "kind": "K", "name": "k", "uid": "k"}
    meta = _META | {"name": name, "labels": labels, "ownerReferences": [reference]}
    assert decode_object(json.dumps({"metadata": meta}).encode(), "ConfigMap").ours is ours
