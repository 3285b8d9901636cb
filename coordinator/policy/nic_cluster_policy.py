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

    repository: str | None = Field(default=None, description="Registry and path for components without a repository.")
    version: str | None = Field(default=None, description="Tag or digest for components without a version.")
    image_pull_secrets: tuple[str, ...] | None = Field(
        default=None, description="Pull Secrets for components that name none."
    )


class NicClusterPolicySpec(Model):
    """The components a cluster's NICs need; an absent component is not deployed, and removed if it was."""

    global_: GlobalConfig | None = Field(
        default=None, alias="global", description="Values for components that leave them empty."
    )
    node_affinity: NodeAffinity | None = Field(default=None, description="Nodes that the DaemonSets run on.")
    tolerations: tuple[Toleration, ...] | None = Field(
        default=None, description="Node taints that the DaemonSets accept."
    )
    deployment_node_affinity: NodeAffinity | None = Field(
        default=None, description="Nodes that the Deployments run on."
    )
    deployment_tolerations: tuple[Toleration, ...] | None = Field(
        default=None, description="Node taints that the Deployments accept."
    )
    ofed_driver: OfedDriver | None = Field(default=None, description="The NIC driver container.")
    rdma_shared_device_plugin: components.DevicePlugin | None = Field(
        default=None, description="Device plugin that lets pods share RDMA devices."
    )
    sriov_device_plugin: components.DevicePlugin | None = Field(
        default=None, description="Device plugin that gives NIC functions to single pods."
    )
    ib_kubernetes: components.IbKubernetes | None = Field(
        default=None, description="InfiniBand GUID and partition-key manager."
    )
    secondary_network: components.SecondaryNetwork | None = Field(
        default=None, description="CNI components for secondary networks."
    )
    nv_ipam: components.NvIpam | None = Field(default=None, description="NVIDIA's IPAM plugin.")
    nic_feature_discovery: ImageSpec | None = Field(
        default=None, description="Discovery of NIC features for node-feature-discovery."
    )
    doca_telemetry_service: components.DocaTelemetryService | None = Field(
        default=None, description="The DOCA telemetry service."
    )
    nic_configuration_operator: components.NicConfigurationOperator | None = Field(
        default=None, description="The operator that configures NIC firmware."
    )
    spectrum_x_operator: components.SpectrumXOperator | None = Field(
        default=None, description="The Spectrum-X flow controller."
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
