"""state-RDMA-device-plugin: lets pods share RDMA devices."""

import re
from typing import Final

from coordinator.plugins import rdma_config
from coordinator.policy import NicClusterPolicySpec
from coordinator.states import device_plugin
from coordinator.states.cluster import Cluster, Scope
from coordinator.states.state import State, Values

PLUGIN: Final = device_plugin.Plugin(
    field="spec.rdmaSharedDevicePlugin",
    container="rdma-shared-dp",
    config_map="rdma-devices",
    problems=rdma_config.problems,
    cautions=rdma_config.cautions,
    cdi_since="v1.4.0",
    before_cdi=re.compile(r"v?1\.[0-3](?!\d)"),
)


def _values(spec: NicClusterPolicySpec, cluster: Cluster) -> Values | None:
    return device_plugin.values(PLUGIN, spec.rdma_shared_device_plugin, spec, cluster)


def _caveats(spec: NicClusterPolicySpec, cluster: Cluster) -> tuple[str, ...]:
    return device_plugin.caveats(PLUGIN, spec.rdma_shared_device_plugin, cluster)


def _reads(spec: NicClusterPolicySpec, scope: Scope) -> tuple[str, ...]:
    return device_plugin.reads(PLUGIN, spec.rdma_shared_device_plugin, scope)


def _offers(spec: NicClusterPolicySpec, cluster: Cluster) -> str | None:
    return device_plugin.config_text(PLUGIN, spec.rdma_shared_device_plugin, cluster)


STATE: Final = State(
    "state-RDMA-device-plugin",
    "RDMASharedDevicePluginReady",
    "rdma-shared-device-plugin",
    per_node=True,
    field=PLUGIN.field,
    values=_values,
    caveats=_caveats,
    reads=_reads,
    offers=_offers,
)
