"""The states, in upstream's order; one small file per component. Importing registers nothing."""

from typing import Final

from coordinator.states import cni_plugins, multus, nv_ipam, ofed, rdma_shared_device_plugin, whereabouts
from coordinator.states.state import State, Values

STATES: Final[tuple[State, ...]] = (
    multus.STATE,
    cni_plugins.STATE,
    whereabouts.STATE,
    ofed.STATE,
    rdma_shared_device_plugin.STATE,
    nv_ipam.STATE,
)

UNBUILT: Final[tuple[tuple[str, str], ...]] = (
    ("secondaryNetwork.ipoib", "state-ipoib-cni"),
    ("sriovDevicePlugin", "state-SRIOV-device-plugin"),
    ("ibKubernetes", "state-ib-kubernetes"),
    ("nicFeatureDiscovery", "state-nic-feature-discovery"),
    ("docaTelemetryService", "state-doca-telemetry-service"),
    ("nicConfigurationOperator", "state-nic-configuration-operator"),
    ("spectrumXOperator", "state-spectrum-x-operator"),
)
"""Sections of the spec that this version reads but cannot deploy, with upstream's state names."""

ORDER: Final[tuple[str, ...]] = (
    "state-multus-cni",
    "state-container-networking-plugins",
    "state-ipoib-cni",
    "state-whereabouts-cni",
    "state-OFED",
    "state-SRIOV-device-plugin",
    "state-RDMA-device-plugin",
    "state-ib-kubernetes",
    "state-nv-ipam-cni",
    "state-nic-feature-discovery",
    "state-doca-telemetry-service",
    "state-nic-configuration-operator",
    "state-spectrum-x-operator",
)
"""Upstream's order of `status.appliedStates`, over both."""

__all__ = ["ORDER", "STATES", "UNBUILT", "State", "Values"]
