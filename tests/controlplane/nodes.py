"""Nodes without machines."""

from collections.abc import Mapping, Sequence
from typing import Any

MACHINE = {"cpu": "64", "memory": "256Gi", "pods": "1000"}
"""What a Node of kwok's offers anyway."""


def fake_node(
    name: str,
    *,
    labels: Mapping[str, str] | None = None,
    taints: Sequence[Mapping[str, str]] = (),
    addresses: Sequence[str] = (),
    resources: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Return a Node whose kubelet kwok plays; for `ControlPlane.apply`.

    It carries the labels that a kubelet sets itself, and `labels`. `addresses` are its InternalIPs, 127.0.0.1 if none
    is given; a taint is a mapping of key, value and effect. `resources` are what device plugins would have registered:
    kwok runs none.
    """
    kubelet_labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    node: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": kubelet_labels | dict(labels or {}),
        },
        "spec": {"taints": [dict(taint) for taint in taints]},
    }
    status: dict[str, Any] = {}
    if addresses:
        internal = [{"type": "InternalIP", "address": address} for address in addresses]
        status["addresses"] = [*internal, {"type": "Hostname", "address": name}]
    if resources:
        offered = MACHINE | {resource: str(count) for resource, count in resources.items()}
        status |= {"capacity": offered, "allocatable": offered}
    return node | ({"status": status} if status else {})
