"""The states, in upstream's order; one small file per component. Importing registers nothing."""

from typing import Final

from coordinator.states import (
    cni_plugins,
    doca_telemetry_service,
    ib_kubernetes,
    ipoib,
    multus,
    nic_configuration_operator,
    nic_feature_discovery,
    nv_ipam,
    ofed,
    rdma_shared_device_plugin,
    spectrum_x,
    sriov_device_plugin,
    whereabouts,
)
from coordinator.states.state import NotYet, State, Values

STATES: Final[tuple[State, ...]] = (
    multus.STATE,
    cni_plugins.STATE,
    ipoib.STATE,
    whereabouts.STATE,
    ofed.STATE,
    sriov_device_plugin.STATE,
    rdma_shared_device_plugin.STATE,
    ib_kubernetes.STATE,
    nv_ipam.STATE,
    nic_feature_discovery.STATE,
    doca_telemetry_service.STATE,
    nic_configuration_operator.STATE,
    spectrum_x.STATE,
)

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

__all__ = ["DROPPED", "NODE_ORDER", "ORDER", "STATES", "NotYet", "State", "Values"]
