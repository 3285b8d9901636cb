"""state-container-networking-plugins: puts the reference CNI plugins on every node."""

from typing import Final

from coordinator.policy import NicClusterPolicySpec
from coordinator.states import common
from coordinator.states.cluster import Cluster
from coordinator.states.state import State, Values

FIELD: Final = "spec.secondaryNetwork.cniPlugins"
RESOURCES: Final = {
    "requests": {"cpu": "100m", "memory": "50Mi"},
    "limits": {"cpu": "100m", "memory": "50Mi"},
}


def _values(spec: NicClusterPolicySpec, cluster: Cluster) -> Values | None:
    plugins = spec.secondary_network.cni_plugins if spec.secondary_network else None
    if plugins is None:
        return None
    return common.component_values(FIELD, plugins, spec, cluster, {"cni-plugins": RESOURCES}) | {
        "tolerations": common.daemonset_tolerations(spec),
        "affinity": common.daemonset_affinity(spec),
        "cni_bin_dir": cluster.cni_bin_dir,
    }


STATE: Final = State(
    "state-container-networking-plugins", "CNIPluginsReady", "cni-plugins", per_node=False, field=FIELD, values=_values
)
