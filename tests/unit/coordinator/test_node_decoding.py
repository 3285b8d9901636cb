"""A Node's JSON to a KubeNode: who owns which label, and what else is kept."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from coordinator.kube.node_decoding import decode_node
from coordinator.nodes import Taint
from nicfleet import names


def node(**parts: Any) -> bytes:
    metadata = {
        "name": "n",
        "uid": "u",
        "resourceVersion": "7",
        "creationTimestamp": "2026-11-25T01:02:03Z",
        **parts.pop("metadata", {}),
    }
    return json.dumps({"apiVersion": "v1", "kind": "Node", "metadata": metadata, **parts}).encode()


def entry(manager: str, operation: str, *keys: str) -> dict[str, Any]:
    labels: dict[str, Any] = {".": {}} | {f"f:{key}": {} for key in keys}
    return {"manager": manager, "operation": operation, "fieldsV1": {"f:metadata": {"f:labels": labels}}}


def test_label_owners_come_from_managed_fields() -> None:
    found = decode_node(
        node(
            metadata={
                "labels": {names.NIC_LABEL: "true", "team": "net"},
                "managedFields": [
                    entry(names.LABELS_MANAGER, "Apply", names.NIC_LABEL),
                    entry("nfd-master", "Update", names.NIC_LABEL, "feature.node.kubernetes.io/cpu-model.id"),
                    entry("kubectl-label", "Update", names.NIC_LABEL, "team"),
                    {"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:status": {"f:images": {}}}},
                ],
            }
        )
    )

    assert found.owned == {names.NIC_LABEL}
    assert found.others == {names.NIC_LABEL: ("kubectl-label", "nfd-master")}


def test_nfds_records_give_full_keys_of_ours_also_of_a_named_instance() -> None:
    found = decode_node(
        node(
            metadata={
                "annotations": {
                    "nfd.node.kubernetes.io/feature-labels": "pci-15b3.present,cpu-model.id,vendor.example/x",
                    "blue.nfd.node.kubernetes.io/feature-labels": "rdma.capable",
                    "nfd.node.kubernetes.io/feature-labels.old": "not-a-record",
                    "other.example/feature-labels": "neither",
                }
            }
        )
    )

    assert found.nfd_keys == {names.NIC_LABEL, names.RDMA_CAPABLE_LABEL}


def test_what_decisions_need_is_kept_and_the_rest_is_not() -> None:
    found = decode_node(
        node(
            spec={"taints": [{"key": "gpu", "effect": "NoSchedule"}], "podCIDR": "10.0.0.0/24"},
            status={
                "addresses": [
                    {"type": "InternalIP", "address": "192.0.2.1"},
                    {"type": "Hostname", "address": "n"},
                    {"type": "InternalIP", "address": "2001:db8::1"},
                ],
                "allocatable": {"cpu": "8", "rdma/shared": "63"},
                "nodeInfo": {"architecture": "arm64", "containerRuntimeVersion": "containerd://2.1"},
                "images": [{"names": ["x"]}],
            },
        )
    )

    assert (found.name, found.uid, found.resource_version) == ("n", "u", "7")
    assert found.created == datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)
    assert found.taints == (Taint("gpu", "", "NoSchedule"),)
    assert found.internal_ips == ("192.0.2.1", "2001:db8::1")
    assert found.architecture == "arm64"
    assert found.allocatable == {"rdma/shared": 63}


def test_a_bare_node_has_its_architecture_from_the_label() -> None:
    found = decode_node(node(metadata={"labels": {names.ARCH_LABEL: "amd64"}}))

    assert found.architecture == "amd64"
    assert found.owned == frozenset()


def test_of_allocatable_only_extended_resources_are_kept_in_whole_units() -> None:
    allocatable = {
        "cpu": "7910m",
        "memory": "64Gi",
        "pods": "110",
        "hugepages-1Gi": "0",
        "hugepages-a.example/2Mi": "4",
        "attachable-volumes-csi-a.example/disk": "39",
        "kubernetes.io/batch-cpu": "71312",
        "scheduler.kubernetes.io/slots": "2",
        "rdma/hca_shared": "1k",
        "nvidia.com/hostdev": "8",
        "nvidia.com/none": "0",
        "example.com/fraction": "500m",
        "example.com/odd": "many",
    }

    found = decode_node(node(status={"allocatable": allocatable}))

    assert found.allocatable == {"rdma/hca_shared": 1000, "nvidia.com/hostdev": 8, "nvidia.com/none": 0}


def test_a_heartbeat_changes_no_fact_of_a_node_and_a_registration_does() -> None:
    def decoded(**status: Any) -> Any:
        return decode_node(node(status=status))

    before = decoded(allocatable={"memory": "1"}, conditions=[{"lastHeartbeatTime": "2026-11-25T01:00:00Z"}])
    after = decoded(allocatable={"memory": "2"}, conditions=[{"lastHeartbeatTime": "2026-11-25T01:05:00Z"}])

    assert after == before
    assert decoded(allocatable={"memory": "2", "nvidia.com/hostdev": "8"}) != before


@pytest.mark.parametrize(
    ("version", "runtime"),
    [
        pytest.param("containerd://2.1.3", "containerd", id="containerd"),
        pytest.param("cri-o://1.33.0", "cri-o", id="cri-o"),
        pytest.param("", "", id="not-told"),
    ],
)
def test_runtime_is_kept_without_its_version(version: str, runtime: str) -> None:
    assert decode_node(node(status={"nodeInfo": {"containerRuntimeVersion": version}})).runtime == runtime
