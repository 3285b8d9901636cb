"""state-whereabouts-cni: the cluster-wide IPAM plugin of policies up to 25.7."""

import re
from typing import Final

from coordinator.policy import NicClusterPolicySpec
from coordinator.states import common
from coordinator.states.cluster import Cluster
from coordinator.states.images import image_version
from coordinator.states.state import State, Values

FIELD: Final = "spec.secondaryNetwork.ipamPlugin"
RESOURCES: Final = {
    "requests": {"cpu": "100m", "memory": "100Mi"},
    "limits": {"cpu": "100m", "memory": "200Mi"},
}

_BEFORE_NODE_SLICES: Final = re.compile(r"v?0\.[0-8]\.")


def _values(spec: NicClusterPolicySpec, cluster: Cluster) -> Values | None:
    plugin = spec.secondary_network.ipam_plugin if spec.secondary_network else None
    if plugin is None:
        return None
    defaults: dict[str, common.Resources] = {"whereabouts": RESOURCES, "whereabouts-node-slice-controller": {}}
    return common.component_values(FIELD, plugin, spec, cluster, defaults) | {
        "tolerations": common.daemonset_tolerations(spec),
        "affinity": common.daemonset_affinity(spec),
        "deployment_tolerations": common.deployment_tolerations(spec, ()),
        "deployment_affinity": common.plain_deployment_affinity(spec),
        "cni_bin_dir": cluster.cni_bin_dir,
        "cni_network_dir": cluster.cni_network_dir,
        # Images before 0.9 do not contain the controller.
        "node_slices": _BEFORE_NODE_SLICES.match(image_version(FIELD, plugin, spec)) is None,
    }


def _caveats(spec: NicClusterPolicySpec, _: Cluster) -> tuple[str, ...]:
    if spec.secondary_network is None or spec.secondary_network.ipam_plugin is None:
        return ()
    return (f"{FIELD} works as before, though upstream dropped it in 25.10: spec.nvIpam is recommended today",)


STATE: Final = State(
    "state-whereabouts-cni", None, "whereabouts", per_node=False, field=FIELD, values=_values, caveats=_caveats
)
