"""NicClusterPolicy: what runs for the NICs of the whole cluster."""

from typing import Literal

from pydantic import Field

from coordinator.policy import components
from coordinator.policy.base import Model, ObjectMeta
from coordinator.policy.container import ImageSpec
from coordinator.policy.ofed import OfedDriver
from coordinator.policy.scheduling import NodeAffinity, Toleration
from coordinator.policy.status import PolicyStatus


class GlobalConfig(Model):
    """Values for components that leave them empty."""

    repository: str | None = Field(
        default=None,
        description="Registry and path for components without a repository, for example nvcr.io/nvidia/mellanox.",
    )
    version: str | None = Field(default=None, description="Tag or digest for components without a version.")
    image_pull_secrets: tuple[str, ...] | None = Field(
        default=None, description="Pull Secrets in the operator's namespace, for components that name none."
    )


class NicClusterPolicySpec(Model):
    """The components a cluster's NICs need; an absent component is not deployed, and removed if it was."""

    global_: GlobalConfig | None = Field(
        default=None, alias="global", description="Values for components that leave them empty."
    )
    node_affinity: NodeAffinity | None = Field(
        default=None,
        description="Which of the nodes the DaemonSets run on: what runs on every node, as driver, device plugins and "
        "CNI plugins. Absent: on all that have what the component needs.",
    )
    tolerations: tuple[Toleration, ...] | None = Field(
        default=None,
        description="Node taints that the DaemonSets accept, besides nvidia.com/gpu, which they always accept.",
    )
    deployment_node_affinity: NodeAffinity | None = Field(
        default=None,
        description="Which nodes the Deployments run on: controllers, of which one runs for the cluster. Preferences "
        "come after the built-in one for control-plane nodes.",
    )
    deployment_tolerations: tuple[Toleration, ...] | None = Field(
        default=None,
        description="Node taints that the Deployments accept, besides those of control-plane nodes, which most accept.",
    )
    ofed_driver: OfedDriver | None = Field(
        default=None, description="The NIC driver, loaded by a container on every node with a NIC."
    )
    rdma_shared_device_plugin: components.DevicePlugin | None = Field(
        default=None,
        description="Device plugin with which many pods share an RDMA device; resources rdma/<name>.",
    )
    sriov_device_plugin: components.DevicePlugin | None = Field(
        default=None,
        description="Device plugin that gives a NIC function, physical or virtual, to one pod; resources "
        "nvidia.com/<name>.",
    )
    ib_kubernetes: components.IbKubernetes | None = Field(
        default=None,
        description="InfiniBand GUIDs for pods, and their membership in partitions, by means of UFM.",
    )
    secondary_network: components.SecondaryNetwork | None = Field(
        default=None, description="CNI components for secondary networks."
    )
    nv_ipam: components.NvIpam | None = Field(
        default=None,
        description="NVIDIA's IPAM: each node gets a block of addresses out of an IPPool or CIDRPool object.",
    )
    nic_feature_discovery: ImageSpec | None = Field(
        default=None, description="Labels on nodes for what their NICs can do, by means of node-feature-discovery."
    )
    doca_telemetry_service: components.DocaTelemetryService | None = Field(
        default=None, description="DOCA telemetry: counters of the NICs of every node."
    )
    nic_configuration_operator: components.NicConfigurationOperator | None = Field(
        default=None,
        description="The operator that configures NIC firmware as NicConfigurationTemplate objects ask for.",
    )
    spectrum_x_operator: components.SpectrumXOperator | None = Field(
        default=None, description="The flow controller of Spectrum-X networks."
    )
    device_plugin: components.OldDevicePlugin | None = Field(
        default=None,
        description="RDMA device plugin, as in policies before 0.4; has no effect: use rdmaSharedDevicePlugin.",
    )
    nv_peer_driver: components.NvPeerDriver | None = Field(
        default=None,
        description="The nv_peer_mem module, as in policies up to 23.5; has no effect: the GPU driver brings its own.",
    )
    psp: components.PodSecurityPolicies | None = Field(
        default=None, description="Pod security policies, as in policies up to 23.10; has no effect."
    )


class NicClusterPolicy(Model):
    """A NicClusterPolicy as read from the API server or a file. Only the one named nic-cluster-policy is served."""

    api_version: Literal["mellanox.com/v1alpha1"] = "mellanox.com/v1alpha1"
    kind: Literal["NicClusterPolicy"] = "NicClusterPolicy"
    metadata: ObjectMeta
    spec: NicClusterPolicySpec = NicClusterPolicySpec()
    status: PolicyStatus | None = None
