"""The policies that are acted on, in the one form that the states know. Pure."""

from dataclasses import dataclass
from typing import Self

from coordinator.objects.pools import fnv1a_digits
from coordinator.policy import NicClusterPolicy, NicClusterPolicySpec, NicNodePolicy, ObjectMeta
from coordinator.states.cluster import Scope

Owner = tuple[str, str]
"""A policy by kind and name, as ownerReferences name it."""


@dataclass(frozen=True, slots=True)
class ServedPolicy:
    """A NicClusterPolicy, or a NicNodePolicy as a NicClusterPolicy of some nodes.

    `unused` are the fields that the policy sets and nothing is made of, as the user wrote them.
    """

    api_version: str
    kind: str
    metadata: ObjectMeta
    spec: NicClusterPolicySpec
    scope: Scope
    unused: tuple[str, ...] = ()

    @classmethod
    def of(cls, policy: NicClusterPolicy | NicNodePolicy) -> Self:
        if isinstance(policy, NicClusterPolicy):
            return cls(policy.api_version, policy.kind, policy.metadata, policy.spec, Scope())
        name = policy.metadata.name
        scope = Scope(
            owner=f"nnp-{name}",
            node_selector=policy.spec.node_selector or {},
            name_suffix=f"-{name}",
            hash_suffix=f"-{fnv1a_digits(name)}",
        )
        given = {"spec.labels": policy.spec.labels, "spec.annotations": policy.spec.annotations}
        unused = tuple(field for field, value in given.items() if value)
        return cls(policy.api_version, policy.kind, policy.metadata, policy.spec.as_cluster_spec(), scope, unused)

    @property
    def owner(self) -> Owner:
        return self.kind, self.metadata.name
