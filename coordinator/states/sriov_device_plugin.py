"""state-SRIOV-device-plugin: gives NIC functions, virtual or whole, to single pods."""

import re
from typing import Final

from coordinator.plugins import sriov_config
from coordinator.policy import NicClusterPolicySpec
from coordinator.states import device_plugin
from coordinator.states.cluster import Cluster, Scope
from coordinator.states.state import State, Values

PLUGIN: Final = device_plugin.Plugin(
    field="spec.sriovDevicePlugin",
    container="kube-sriovdp",
    config_map="network-operator-sriovdp-config",
    problems=sriov_config.problems,
    cautions=sriov_config.cautions,
    cdi_since="v3.6.0",
    before_cdi=re.compile(r"v?(?:[12]\.\d|3\.[0-5](?!\d))"),
)


def _values(spec: NicClusterPolicySpec, cluster: Cluster) -> Values | None:
    return device_plugin.values(PLUGIN, spec.sriov_device_plugin, spec, cluster)


def _caveats(spec: NicClusterPolicySpec, cluster: Cluster) -> tuple[str, ...]:
    return device_plugin.caveats(PLUGIN, spec.sriov_device_plugin, cluster)


def _reads(spec: NicClusterPolicySpec, scope: Scope) -> tuple[str, ...]:
    return device_plugin.reads(PLUGIN, spec.sriov_device_plugin, scope)


def _offers(spec: NicClusterPolicySpec, cluster: Cluster) -> str | None:
    return device_plugin.config_text(PLUGIN, spec.sriov_device_plugin, cluster)


STATE: Final = State(
    "state-SRIOV-device-plugin",
    "SRIOVDevicePluginReady",
    "sriov-device-plugin",
    per_node=True,
    field=PLUGIN.field,
    values=_values,
    caveats=_caveats,
    reads=_reads,
    offers=_offers,
)
