"""What a state has left over in the cluster: objects of a policy that does not ask for them any more. Pure."""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet

from coordinator.kube.objects import Ref, ref_of
from coordinator.objects.desired import UNOWNED, StateObjects
from coordinator.objects.live import LiveObject
from coordinator.objects.served import Owner


def kept(
    live: Iterable[LiveObject], wanted: Mapping[Owner, StateObjects], spared: AbstractSet[Owner]
) -> tuple[frozenset[Ref], tuple[Owner, ...]]:
    """The objects of one state that stay, and the owners whose other objects go, sorted.

    `live` are the state's objects in the cluster, `wanted` what each policy asks for, `spared` the policies whose
    objects all stay: those that could not be carried out. What could not be written may be in the way of nothing, but
    its predecessor may still be in use.
    """
    owned = [(item.ref, {(policy.kind, policy.name) for policy in item.policies}) for item in live]
    keep = {ref_of(obj) for state in wanted.values() for obj in state.objects}
    keep |= {ref for ref, owners in owned if owners & spared}
    return frozenset(keep), tuple(sorted({owner for _, owners in owned for owner in owners} - spared))


def surplus(live: Iterable[LiveObject], owner: Owner, keep: Collection[Ref]) -> list[LiveObject]:
    """What goes of one owner. What holds people's data stays, whoever asked for it."""
    return [
        item
        for item in live
        if item.ref not in keep
        and item.ref.kind not in UNOWNED
        and any((policy.kind, policy.name) == owner for policy in item.policies)
    ]
