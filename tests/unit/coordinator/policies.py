"""Small policies and clusters for tests of desired objects."""

import json
from pathlib import Path
from typing import Any

from coordinator.policy import NicClusterPolicy, NicClusterPolicySpec, NicNodePolicy
from coordinator.states.cluster import Cluster, NodePool

ROOT = Path(__file__).parents[3]
TEMPLATES = ROOT / "templates"

POOL = NodePool("ubuntu22.04-54669c9886", "ubuntu", "22.04", "5.15.0-78-generic", "amd64", ("node-1",))


def cluster(*pools: NodePool) -> Cluster:
    return Cluster("nvidia-network-operator", "/opt/cni/bin", "/etc/cni/net.d", ofed_init_image=None, pools=pools)


def spec(**sections: Any) -> NicClusterPolicySpec:
    """A spec from sections in their JSON form; unknown fields fail the test."""
    return NicClusterPolicySpec.model_validate(sections, extra="forbid")


def policy(**sections: Any) -> NicClusterPolicy:
    metadata = {"name": "nic-cluster-policy", "uid": "7d1c0a4e-0000-4000-8000-000000000001"}
    return NicClusterPolicy.model_validate({"metadata": metadata, "spec": sections}, extra="forbid")


def node_policy(name: str, selector: dict[str, str] | None = None, **sections: Any) -> NicNodePolicy:
    metadata = {"name": name, "uid": f"7d1c0a4e-0000-4000-8000-{name:0>12}"}
    spec = {"nodeSelector": selector or {}} | sections
    return NicNodePolicy.model_validate({"metadata": metadata, "spec": spec}, extra="forbid")


def image(name: str = "doca-driver", **fields: Any) -> dict[str, Any]:
    return {"image": name, "repository": "nvcr.io/nvidia/mellanox", "version": "25.07-0.9.7.0-0"} | fields


def rdma_config(resource: str) -> str:
    """A configuration of the RDMA shared device plugin."""
    return json.dumps(
        {"configList": [{"resourceName": resource, "rdmaHcaMax": 63, "selectors": {"vendors": ["15b3"]}}]}
    )
