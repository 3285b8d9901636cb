"""state-RDMA-device-plugin: lets pods share RDMA devices."""

from typing import Final

from coordinator.policy import NicClusterPolicySpec
from coordinator.states import common
from coordinator.states.cluster import Cluster
from coordinator.states.state import State, Values

FIELD: Final = "spec.rdmaSharedDevicePlugin"


def _values(spec: NicClusterPolicySpec, cluster: Cluster) -> Values | None:
    plugin = spec.rdma_shared_device_plugin
    if plugin is None:
        return None
    if plugin.config is not None:
        common.check_json_object(f"{FIELD}.config", plugin.config)
    return common.component_values(FIELD, plugin, spec, cluster, {"rdma-shared-dp": {}}) | {
        "tolerations": common.daemonset_tolerations(spec),
        "affinity": common.daemonset_affinity(spec),
        # Without a configuration the DaemonSet waits for a ConfigMap of that name that the user makes.
        "config": plugin.config,
        "config_hash": None if plugin.config is None else common.config_hash(plugin.config),
        "use_cdi": bool(plugin.use_cdi),
    }


STATE: Final = State(
    "state-RDMA-device-plugin",
    "RDMASharedDevicePluginReady",
    "rdma-shared-device-plugin",
    per_node=True,
    values=_values,
)
