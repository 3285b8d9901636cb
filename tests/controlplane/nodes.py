"""Nodes without machines."""

from collections.abc import Mapping, Sequence
from typing import Any


def fake_node(
    name: str,
    *,
    labels: Mapping[str, str] | None = None,
    taints: Sequence[Mapping[str, str]] = (),
    addresses: Sequence[str] = (),
) -> dict[str, Any]:
    """Return a Node whose kubelet kwok plays; for `ControlPlane.apply`.

    It carries the labels that a kubelet sets itself, and `labels`. `addresses` are its InternalIPs, 127.0.0.1 if none
    is given; a taint is a mapping of key, value and effect.
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
    if addresses:
        internal = [{"type": "InternalIP", "address": address} for address in addresses]
        node["status"] = {"addresses": [*internal, {"type": "Hostname", "address": name}]}
    return node
