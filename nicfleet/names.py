"""Names that users, the API server and other operators see: API group, labels, annotations, managers, ports.

Every label key that nicfleet may write to a Node is in `LABEL_KEYS` or starts with one of `LABEL_PREFIXES`; nothing
else is ever written. Sources: the fact sheets of upstream's network-operator and of Node Feature Discovery (NFD).
"""

from typing import Final

API_GROUP: Final = "mellanox.com"
API_VERSION: Final = "v1alpha1"
POLICY_NAME: Final = "nic-cluster-policy"
"""The only NicClusterPolicy that is acted on; upstream's rule."""

DEFAULT_NAMESPACE: Final = "nvidia-network-operator"

# What agents and coordinator are known and trusted by, where the chart does not name them otherwise.
SERVICE: Final = "nicfleet-coordinator"
TLS_SECRET: Final = "nicfleet-coordinator-tls"
CA_CONFIG_MAP: Final = "nicfleet-ca"

# Field managers of server-side apply, one per purpose. Status is written whole, with its resourceVersion.
OBJECTS_MANAGER: Final = "nicfleet-objects"
LABELS_MANAGER: Final = "nicfleet-labels"
STATUS_MANAGER: Final = "nicfleet-status"
CERTIFICATES_MANAGER: Final = "nicfleet-certificates"

# On objects that a policy makes.
STATE_LABEL: Final = "nvidia.network-operator.state"
OWNER_LABEL: Final = "ds-owner"
HASH_ANNOTATION: Final = "nicfleet.io/desired-hash"
USER_EDITS_ANNOTATION: Final = "nicfleet.io/user-edits"
"""On an object of ours that users are meant to edit: `keep`. Their edits are then no drift."""
CONFIG_HASH_ANNOTATION: Final = "nvidia.network-operator.config-hash"
OFED_DRIVER_LABEL: Final = "nvidia.com/ofed-driver"
NIC_CONFIGURATION_DAEMON_LABEL: Final = "nvidia.com/nic-configuration-daemon"
"""On its pods, with an empty value."""

# On Nodes, as NFD writes them. True is the string "true"; absence means false.
NFD: Final = "feature.node.kubernetes.io/"
NIC_LABEL: Final = NFD + "pci-15b3.present"
NIC_SRIOV_LABEL: Final = NFD + "pci-15b3.sriov.capable"
ETHERNET_LABEL: Final = NFD + "pci-0200_15b3.present"
INFINIBAND_LABEL: Final = NFD + "pci-0207_15b3.present"
GPU_LABEL: Final = NFD + "pci-10de.present"
RDMA_CAPABLE_LABEL: Final = NFD + "rdma.capable"
RDMA_AVAILABLE_LABEL: Final = NFD + "rdma.available"
SRIOV_CAPABLE_LABEL: Final = NFD + "network-sriov.capable"
SRIOV_CONFIGURED_LABEL: Final = NFD + "network-sriov.configured"
OS_ID_LABEL: Final = NFD + "system-os_release.ID"
OS_VERSION_LABEL: Final = NFD + "system-os_release.VERSION_ID"
KERNEL_LABEL: Final = NFD + "kernel-version.full"
OSTREE_LABEL: Final = NFD + "system-os_release.OSTREE_VERSION"
"""RHCOS's version. Read only: NFD sets it."""
ARCH_LABEL: Final = "kubernetes.io/arch"

WAIT_LABEL: Final = "network.nvidia.com/operator.mofed.wait"
"""`true`: workloads that need the driver must wait; `false`: go. Upstream's protocol."""
NIC_CONFIGURATION_WAIT_LABEL: Final = "network.nvidia.com/operator.nic-configuration.wait"
"""The same for the configuration of NICs. While a policy asks for that, it is its daemon's alone to write."""
WAIT_LABELS: Final = frozenset({WAIT_LABEL, NIC_CONFIGURATION_WAIT_LABEL})

# On Nodes, nicfleet's own.
OWN: Final = "nicfleet.io/"
DRIVER_FLAVOUR_LABEL: Final = OWN + "driver.flavour"
DRIVER_VERSION_LABEL: Final = OWN + "driver.version"
GENERATION_PREFIX: Final = OWN + "nic."
"""One label per generation present, e.g. `nicfleet.io/nic.connectx-6=true`."""

LABEL_KEYS: Final = frozenset(
    {
        NIC_LABEL,
        NIC_SRIOV_LABEL,
        ETHERNET_LABEL,
        INFINIBAND_LABEL,
        GPU_LABEL,
        RDMA_CAPABLE_LABEL,
        RDMA_AVAILABLE_LABEL,
        SRIOV_CAPABLE_LABEL,
        SRIOV_CONFIGURED_LABEL,
        OS_ID_LABEL,
        OS_VERSION_LABEL,
        KERNEL_LABEL,
        WAIT_LABEL,
        NIC_CONFIGURATION_WAIT_LABEL,
        DRIVER_FLAVOUR_LABEL,
        DRIVER_VERSION_LABEL,
    }
)
LABEL_PREFIXES: Final = (GENERATION_PREFIX,)


def may_be_written(label: str) -> bool:
    """Whether the label key is on nicfleet's list."""
    return label in LABEL_KEYS or label.startswith(LABEL_PREFIXES)


NFD_OWNED_ANNOTATION: Final = "nfd.node.kubernetes.io/feature-labels"
"""NFD's record of the keys it wrote: comma-separated, keys under `NFD` without that prefix. With an NFD instance
name the annotation is `<instance>.nfd.node.kubernetes.io/feature-labels`."""

TOKEN_AUDIENCE: Final = "nicfleet-coordinator"
"""For whom the agents' tokens are made, and viewers' may be: no other server takes them."""
AGENT_ACCOUNT: Final = "nicfleet-agent"
"""The agents' ServiceAccount."""
AGENT_TOKEN_FILE: Final = "/var/run/secrets/nicfleet/token"
"""Where their pods have it."""
VIEW_PATH: Final = "/nicfleet/v1/fleetview"
"""Who may `get` this path, which no server has, may read the fleet: the right is given by RBAC."""

AGENT_PORT: Final = 7443
COORDINATOR_PORT: Final = 7444
COORDINATOR_HTTP_PORT: Final = 8080
WEBHOOK_PORT: Final = 9443
"""Upstream's."""
