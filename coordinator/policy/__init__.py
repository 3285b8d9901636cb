"""The policy API: pydantic models of the custom resources, the source of their CRDs (`coordinator.crd`).

Text from users arrives here and nowhere else. Names, patterns and defaults are upstream's; where releases differ the
laxer schema wins and the coordinator refuses what it cannot do with a sentence in the status.
"""

from coordinator.policy.base import ObjectMeta
from coordinator.policy.container import ContainerResources, EnvVar, ImageSpec, Probe
from coordinator.policy.invalid import InvalidSpec
from coordinator.policy.nic_cluster_policy import (
    GlobalConfig,
    NicClusterPolicy,
    NicClusterPolicySpec,
)
from coordinator.policy.nic_node_policy import NicNodePolicy, NicNodePolicySpec
from coordinator.policy.ofed import OfedDriver
from coordinator.policy.scheduling import NodeAffinity, Toleration
from coordinator.policy.status import AppliedState, Condition, PolicyStatus, StateName

__all__ = [
    "AppliedState",
    "Condition",
    "ContainerResources",
    "EnvVar",
    "GlobalConfig",
    "ImageSpec",
    "InvalidSpec",
    "NicClusterPolicy",
    "NicClusterPolicySpec",
    "NicNodePolicy",
    "NicNodePolicySpec",
    "NodeAffinity",
    "ObjectMeta",
    "OfedDriver",
    "PolicyStatus",
    "Probe",
    "StateName",
    "Toleration",
]
