"""The policies as the API server has them, sorted into those that are acted on and those that are not. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from pydantic import ValidationError

from coordinator.kube.objects import NIC_CLUSTER_POLICY
from coordinator.objects.served import Owner, ServedPolicy
from coordinator.policy import NicClusterPolicy, NicNodePolicy
from coordinator.policy.invalid import unreadable as unreadable_fields
from nicfleet.names import POLICY_NAME

Policy = Mapping[str, Any]
"""A NicClusterPolicy or NicNodePolicy as JSON."""

_MODELS: Final[Mapping[str, type[NicClusterPolicy | NicNodePolicy]]] = {
    "NicClusterPolicy": NicClusterPolicy,
    "NicNodePolicy": NicNodePolicy,
}


@dataclass(frozen=True, slots=True)
class Intake:
    """What to do with each policy.

    served      acted on: the NicClusterPolicy first, then the NicNodePolicies by name
    documents   their JSON, by owner
    ignored     not acted on, and the sentence that says why
    unreadable  taken by the API server, under a CRD that is not ours, and the sentence that says what is wrong
    untouched   owners whose objects stay as they are
    leaving     policies that are being deleted: the garbage collector is at work, and what it deletes is no drift
    """

    served: tuple[ServedPolicy, ...]
    documents: Mapping[Owner, Policy]
    ignored: tuple[tuple[Policy, str], ...]
    unreadable: tuple[tuple[Policy, str], ...]
    untouched: frozenset[Owner]
    leaving: frozenset[Owner]

    @classmethod
    def of(cls, policies: Iterable[Policy]) -> Self:
        served: list[ServedPolicy] = []
        documents: dict[Owner, Policy] = {}
        ignored: list[tuple[Policy, str]] = []
        unreadable: list[tuple[Policy, str]] = []
        leaving: set[Owner] = set()
        for policy in sorted(policies, key=owner_of):
            owner = owner_of(policy)
            if "deletionTimestamp" in policy["metadata"]:
                leaving.add(owner)
            elif owner[0] == NIC_CLUSTER_POLICY.kind and owner[1] != POLICY_NAME:
                ignored.append((policy, _unsupported_name(owner[1])))
            else:
                try:
                    served.append(ServedPolicy.of(_MODELS[owner[0]].model_validate(policy)))
                    documents[owner] = policy
                except ValidationError as error:
                    unreadable.append((policy, unreadable_fields(error)[0].sentence))
        untouched = leaving | {owner_of(policy) for policy, _ in (*ignored, *unreadable)}
        return cls(
            tuple(served), documents, tuple(ignored), tuple(unreadable), frozenset(untouched), frozenset(leaving)
        )


def owner_of(policy: Policy) -> Owner:
    """Kind and name."""
    return policy["kind"], policy["metadata"]["name"]


def _unsupported_name(name: str) -> str:
    """Upstream's rule, in upstream's words."""
    return f"Unsupported NicClusterPolicy instance {name}. Only instance with name {POLICY_NAME} is supported"
