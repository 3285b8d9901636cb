"""state-nic-feature-discovery: tells node-feature-discovery what the NICs of each node can do."""

from typing import Final

from coordinator.policy import NicClusterPolicySpec
from coordinator.states import common
from coordinator.states.cluster import Cluster
from coordinator.states.state import State, Values

FIELD: Final = "spec.nicFeatureDiscovery"
RESOURCES: Final = {
    "requests": {"cpu": "100m", "memory": "50Mi"},
    "limits": {"cpu": "300m", "memory": "150Mi"},
}


def _values(spec: NicClusterPolicySpec, cluster: Cluster) -> Values | None:
    discovery = spec.nic_feature_discovery
    if discovery is None:
        return None
    return common.component_values(FIELD, discovery, spec, cluster, {"nic-feature-discovery": RESOURCES}) | {
        "tolerations": common.daemonset_tolerations(spec),
        "affinity": common.daemonset_affinity(spec),
    }


STATE: Final = State(
    "state-nic-feature-discovery",
    "NICFeatureDiscoveryReady",
    "nic-feature-discovery",
    per_node=False,
    field=FIELD,
    values=_values,
)
