"""What a state has left over, by policy."""

from typing import Final

from coordinator.kube.objects import Ref
from coordinator.objects.desired import StateObjects
from coordinator.objects.live import LiveObject, Owner
from coordinator.objects.surplus import kept, surplus
from nicfleet.reasons import Finding, Reason

CLUSTER: Final = ("NicClusterPolicy", "nic-cluster-policy")
NODE: Final = ("NicNodePolicy", "one")
PROBLEM: Final = StateObjects(asked=True, problem=Finding(Reason.InvalidSpec, "spec.x is wrong: correct it"))
CONFIG: Final = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config", "namespace": "ns"}}


def live(name: str, *owners: tuple[str, str], kind: str = "ConfigMap") -> LiveObject:
    own = tuple(Owner("mellanox.com/v1alpha1", *owner, "uid") for owner in owners)
    return LiveObject(Ref(kind, "ns", name), f"uid-{name}", "1", owners=own)


def test_what_nobody_asks_for_goes_with_each_of_its_owners() -> None:
    objects = [live("config", CLUSTER), live("old", CLUSTER), live("shared", CLUSTER, NODE), live("theirs")]

    keep, owners = kept(objects, {CLUSTER: StateObjects(True, (CONFIG,)), NODE: StateObjects(False)}, frozenset())

    assert keep == {Ref("ConfigMap", "ns", "config")}
    assert owners == (CLUSTER, NODE)
    assert [item.ref.name for item in surplus(objects, CLUSTER, keep)] == ["old", "shared"]
    assert [item.ref.name for item in surplus(objects, NODE, keep)] == ["shared"]


def test_of_a_policy_that_is_spared_nothing_goes_not_even_what_it_shares() -> None:
    objects = [live("old", CLUSTER), live("shared", CLUSTER, NODE)]

    keep, owners = kept(objects, {NODE: PROBLEM}, {NODE})

    assert owners == (CLUSTER,)
    assert [item.ref.name for item in surplus(objects, CLUSTER, keep)] == ["old"]


def test_what_holds_data_stays() -> None:
    kinds = ("CustomResourceDefinition", "PersistentVolumeClaim", "DaemonSet")
    objects = [live("x", CLUSTER, kind=kind) for kind in kinds]

    assert [item.ref.kind for item in surplus(objects, CLUSTER, ())] == ["DaemonSet"]
