"""state-ipoib-cni: puts the CNI plugin for IP over InfiniBand on every node."""

from typing import Final

from coordinator.policy import NicClusterPolicySpec
from coordinator.states import common
from coordinator.states.cluster import Cluster
from coordinator.states.state import State, Values

FIELD: Final = "spec.secondaryNetwork.ipoib"
RESOURCES: Final = {
    "requests": {"cpu": "100m", "memory": "50Mi"},
    "limits": {"cpu": "100m", "memory": "50Mi"},
}


def _values(spec: NicClusterPolicySpec, cluster: Cluster) -> Values | None:
    plugin = spec.secondary_network.ipoib if spec.secondary_network else None
    if plugin is None:
        return None
    return common.component_values(FIELD, plugin, spec, cluster, {"ipoib-cni": RESOURCES}) | {
        "tolerations": common.daemonset_tolerations(spec),
        "affinity": common.daemonset_affinity(spec),
        "cni_bin_dir": cluster.cni_bin_dir,
    }


STATE: Final = State("state-ipoib-cni", "IPoIBCNIReady", "ipoib-cni", per_node=False, field=FIELD, values=_values)
