"""state-nv-ipam-cni: NVIDIA's IPAM, a controller that gives nodes blocks of addresses and a daemon on each."""

from typing import Any, Final

from coordinator.policy import NicClusterPolicySpec
from coordinator.states import common
from coordinator.states.cluster import Cluster
from coordinator.states.state import State, Values

FIELD: Final = "spec.nvIpam"

CONTROLLER: Final = "nv-ipam-controller"
RESOURCES: Final[dict[str, common.Resources]] = {
    CONTROLLER: {"requests": {"cpu": "100m", "memory": "300Mi"}},
    "nv-ipam-node": {
        "requests": {"cpu": "100m", "memory": "50Mi"},
        "limits": {"cpu": "300m", "memory": "300Mi"},
    },
}


def _values(spec: NicClusterPolicySpec, cluster: Cluster) -> Values | None:
    ipam = spec.nv_ipam
    if ipam is None:
        return None
    built_in = (common.GPU_TOLERATION, *common.CONTROL_PLANE_TOLERATIONS)
    return common.component_values(FIELD, ipam, spec, cluster, RESOURCES) | {
        "tolerations": common.daemonset_tolerations(spec),
        "affinity": common.daemonset_affinity(spec),
        "deployment_tolerations": common.deployment_tolerations(spec, built_in),
        "deployment_affinity": common.deployment_affinity(spec) | _spread(CONTROLLER),
        "cni_bin_dir": cluster.cni_bin_dir,
        "cni_network_dir": cluster.cni_network_dir,
        "webhook": bool(ipam.enable_webhook),
    }


def _spread(name: str) -> dict[str, Any]:
    """Replicas prefer different nodes."""
    selector = {"matchExpressions": [{"key": "name", "operator": "In", "values": [name]}]}
    term = {"labelSelector": selector, "topologyKey": "kubernetes.io/hostname"}
    return {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]
        }
    }


def _caveats(spec: NicClusterPolicySpec, _: Cluster) -> tuple[str, ...]:
    if spec.nv_ipam is None or not spec.nv_ipam.config:
        return ()
    return ("spec.nvIpam.config has no effect: make IPPool objects of its pools",)


STATE: Final = State(
    "state-nv-ipam-cni", "NVIPAMReady", "nv-ipam", per_node=False, field=FIELD, values=_values, caveats=_caveats
)
