"""The states, in upstream's order; one small file per component. Importing registers nothing."""

from typing import Final

from coordinator.states import (
    cni_plugins,
    multus,
    nic_configuration_operator,
    nv_ipam,
    ofed,
    rdma_shared_device_plugin,
    spectrum_x,
    whereabouts,
)
from coordinator.states.state import NotYet, State, Values

STATES: Final[tuple[State, ...]] = (
    multus.STATE,
    cni_plugins.STATE,
    whereabouts.STATE,
    ofed.STATE,
    rdma_shared_device_plugin.STATE,
    nv_ipam.STATE,
    nic_configuration_operator.STATE,
    spectrum_x.STATE,
)

UNBUILT: Final[tuple[tuple[str, str], ...]] = (
    ("secondaryNetwork.ipoib", "state-ipoib-cni"),
    ("sriovDevicePlugin", "state-SRIOV-device-plugin"),
    ("ibKubernetes", "state-ib-kubernetes"),
    ("nicFeatureDiscovery", "state-nic-feature-discovery"),
    ("docaTelemetryService", "state-doca-telemetry-service"),
)
"""Sections of the spec that this version reads but cannot deploy, with upstream's state names."""

ORDER: Final[tuple[str, ...]] = (
    "state-pod-security-policy",
    "state-NV-Peer",
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
"""Upstream's order of `status.appliedStates`, over all of them."""

NODE_ORDER: Final[tuple[str, ...]] = ("state-OFED", "state-RDMA-device-plugin", "state-SRIOV-device-plugin")
"""The same of a NicNodePolicy, which has the last two the other way round."""

DROPPED: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "devicePlugin",
        "state-RDMA-device-plugin",
        "spec.devicePlugin, as before 0.4, has no effect: use spec.rdmaSharedDevicePlugin",
    ),
    (
        "nvPeerDriver",
        "state-NV-Peer",
        "spec.nvPeerDriver has no effect since 23.7: the GPU driver brings nvidia_peermem itself",
    ),
    (
        "psp",
        "state-pod-security-policy",
        "spec.psp has no effect: Kubernetes has no pod security policies since 1.25; label the namespace instead",
    ),
)
"""Sections that upstream has dropped: path below `spec`, the state that reports it, and what to tell the user."""

__all__ = ["DROPPED", "NODE_ORDER", "ORDER", "STATES", "UNBUILT", "NotYet", "State", "Values"]
