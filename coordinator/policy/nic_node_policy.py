"""NicNodePolicy: the driver and the device plugins of some nodes, where one policy does not fit all."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from coordinator.policy import components
from coordinator.policy.base import Model, ObjectMeta
from coordinator.policy.nic_cluster_policy import NicClusterPolicySpec
from coordinator.policy.ofed import OfedDriver
from coordinator.policy.scheduling import Toleration
from coordinator.policy.status import PolicyStatus


class NicNodePolicySpec(Model):
    """Components for the nodes that the selector chooses; an absent component is not deployed there."""

    node_selector: Mapping[str, str] | None = Field(
        default=None,
        description="Labels that a node must have, all of them, for this policy to speak for it. Empty: every node.",
    )
    ofed_driver: OfedDriver | None = Field(
        default=None, description="The NIC driver, loaded by a container on each of these nodes that has a NIC."
    )
    rdma_shared_device_plugin: components.DevicePlugin | None = Field(
        default=None,
        description="Device plugin with which many pods of these nodes share an RDMA device; resources rdma/<name>.",
    )
    sriov_device_plugin: components.DevicePlugin | None = Field(
        default=None,
        description="Device plugin that gives a NIC function of these nodes, physical or virtual, to one pod; "
        "resources nvidia.com/<name>.",
    )
    tolerations: tuple[Toleration, ...] | None = Field(
        default=None,
        description="Node taints that the DaemonSets accept, besides nvidia.com/gpu, which they always accept.",
    )
    labels: Mapping[str, str] | None = Field(default=None, description="No effect, as with upstream's operator.")
    annotations: Mapping[str, str] | None = Field(default=None, description="No effect, as with upstream's operator.")

    def as_cluster_spec(self) -> NicClusterPolicySpec:
        """The same components as a NicClusterPolicy asks for them: the states know only that form."""
        return NicClusterPolicySpec(
            tolerations=self.tolerations,
            ofed_driver=self.ofed_driver,
            rdma_shared_device_plugin=self.rdma_shared_device_plugin,
            sriov_device_plugin=self.sriov_device_plugin,
        )


class NicNodePolicy(Model):
    """A NicNodePolicy as read from the API server or a file."""

    api_version: Literal["mellanox.com/v1alpha1"] = "mellanox.com/v1alpha1"
    kind: Literal["NicNodePolicy"] = "NicNodePolicy"
    metadata: ObjectMeta
    spec: NicNodePolicySpec = NicNodePolicySpec()
    status: PolicyStatus | None = None
