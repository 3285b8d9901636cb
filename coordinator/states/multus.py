"""state-multus-cni: the meta plugin that attaches secondary networks to pods."""

import re
from typing import Final

from coordinator.policy import NicClusterPolicySpec
from coordinator.policy.invalid import caught
from coordinator.states import common
from coordinator.states.cluster import Cluster
from coordinator.states.images import image_version
from coordinator.states.state import State, Values

FIELD: Final = "spec.secondaryNetwork.multus"

# No memory limit: a node where many pods start at once needs more than any small figure, and with Multus killed for
# it no pod starts there at all.
RESOURCES: Final = {"requests": {"cpu": "100m", "memory": "50Mi"}, "limits": {"cpu": "100m"}}

_VERSION_3: Final = re.compile(r"v?3\.\d")


def _values(spec: NicClusterPolicySpec, cluster: Cluster) -> Values | None:
    multus = spec.secondary_network.multus if spec.secondary_network else None
    if multus is None:
        return None
    config = multus.config or None
    problems = caught(lambda: common.check_json_object(f"{FIELD}.config", config)) if config else ()
    conf_file = "/tmp/multus-conf/00-multus.conf" if config else "auto"
    return common.component_values(FIELD, multus, spec, cluster, {"kube-multus": RESOURCES}, problems) | {
        "tolerations": common.daemonset_tolerations(spec),
        "affinity": common.daemonset_affinity(spec),
        "cni_bin_dir": cluster.cni_bin_dir,
        "cni_network_dir": cluster.cni_network_dir,
        "config": config,
        "config_hash": common.config_hash(config) if config else None,
        "multus_conf_file": conf_file,
        # Images of Multus 3 (policies up to 24.7) have another entry point, which installs the plugin itself.
        "version_3": _VERSION_3.match(image_version(FIELD, multus, spec)) is not None,
    }


STATE: Final = State("state-multus-cni", "MultusCNIReady", "multus", per_node=False, field=FIELD, values=_values)
