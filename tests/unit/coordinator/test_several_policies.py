"""Objects and wishes of several policies together."""

from dataclasses import replace
from typing import Any

from coordinator.labels.wait import DriverPod, DriverRequest, Unasked
from coordinator.objects.desired import StateObjects, desired_of_all
from coordinator.objects.render import Obj, Renderer
from coordinator.objects.served import ServedPolicy
from coordinator.policy import NicClusterPolicy, NicNodePolicy
from coordinator.states import STATES
from coordinator.world import DRIVER_STATE, Wishes, World
from nicfleet import names
from nicfleet.reasons import Finding, Reason
from tests.unit.coordinator.inventories import kube_node
from tests.unit.coordinator.policies import POOL, TEMPLATES, cluster, image, node_policy, policy

ONE = node_policy("one", {"role": "one"}, ofedDriver=image())
TWO = node_policy("two", {"role": "two"}, ofedDriver=image(version="24.10-0.7.0.0-0"))
NO_NODE = {
    "requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchExpressions": [{"key": "role", "operator": "Inn", "values": ["one"]}]}]
    }
}
CONFLICT = Finding(Reason.PolicyConflict, "another policy asks for it")


def served(*policies: NicClusterPolicy | NicNodePolicy) -> tuple[ServedPolicy, ...]:
    return tuple(map(ServedPolicy.of, policies))


def desired(*policies: NicClusterPolicy | NicNodePolicy, **conflicts: Any) -> list[dict[str, StateObjects]]:
    asked = [(each, replace(cluster(POOL), scope=each.scope)) for each in served(*policies)]
    return desired_of_all(asked, Renderer(TEMPLATES), conflicts.get("conflicts", {}))


def account(states: dict[str, StateObjects]) -> Obj:
    return next(obj for obj in states[DRIVER_STATE].objects if obj["kind"] == "ServiceAccount")


def owners(obj: Obj) -> list[tuple[str, bool]]:
    return [(owner["name"], owner["controller"]) for owner in obj["metadata"]["ownerReferences"]]


def test_what_two_policies_share_is_one_object_of_both() -> None:
    one, two = desired(ONE, TWO)
    assert account(one) == account(two)
    assert owners(account(one)) == [("one", True), ("two", False)]
    assert account(one)["metadata"]["labels"][names.OWNER_LABEL] == "nnp-one"


def test_what_is_left_of_two_owners_is_the_controller() -> None:
    (two,) = desired(TWO)
    assert owners(account(two)) == [("two", True)]


def test_a_node_policy_has_the_states_of_single_nodes_only() -> None:
    (states,) = desired(ONE)
    assert states.keys() == {state.name for state in STATES if state.per_node}


def test_a_state_that_another_policy_asks_for_is_neither_made_nor_removed() -> None:
    conflicts = {("NicNodePolicy", "one"): {DRIVER_STATE: CONFLICT}}
    _, one = desired(policy(ofedDriver=image()), ONE, conflicts=conflicts)
    assert one[DRIVER_STATE] == StateObjects(asked=True, problem=CONFLICT)
    assert not one["state-RDMA-device-plugin"].asked


def wishes(*policies: NicClusterPolicy | NicNodePolicy, unknown: bool = False, **conflicts: Any) -> Wishes:
    return Wishes.of(World(served(*policies), {}, {}, conflicts.get("conflicts", {})), unknown=unknown)


def node(role: str) -> Any:
    return kube_node(labels={names.NIC_LABEL: "true", "role": role})


def test_each_node_hears_of_the_driver_that_its_own_policy_asks_for() -> None:
    both = wishes(ONE, TWO)
    assert both.on(node("one"), DriverPod.UNKNOWN) == DriverRequest("25.07-0.9.7.0-0")
    assert both.on(node("two"), DriverPod.UNKNOWN) == DriverRequest("24.10-0.7.0.0-0")
    assert both.on(node("three"), DriverPod.UNKNOWN) is Unasked.NOBODY


def test_a_policy_that_cannot_be_read_may_ask_for_a_driver_anywhere_else() -> None:
    some = wishes(ONE, unknown=True)
    assert some.on(node("one"), DriverPod.UNKNOWN) == DriverRequest("25.07-0.9.7.0-0")
    assert some.on(node("two"), DriverPod.UNKNOWN) is Unasked.UNKNOWN


def test_a_refused_policy_moves_no_label_and_is_in_nobodys_way() -> None:
    conflicts = {("NicNodePolicy", "one"): {DRIVER_STATE: CONFLICT}}
    assert wishes(ONE, conflicts=conflicts).on(node("one"), DriverPod.UNKNOWN) is Unasked.UNKNOWN
    everywhere = wishes(policy(ofedDriver=image(version="1.0-1.0.0")), ONE, conflicts=conflicts)
    assert everywhere.on(node("one"), DriverPod.UNKNOWN) == DriverRequest("1.0-1.0.0")


def test_a_choice_of_nodes_that_means_nothing_moves_no_label_anywhere() -> None:
    """Which nodes are meant cannot be known, so a node in the middle of a reload must go on waiting."""
    mistaken = Finding(Reason.InvalidSpec, "spec.nodeAffinity has no such operator")
    conflicts = {("NicClusterPolicy", "nic-cluster-policy"): {DRIVER_STATE: mistaken}}
    held = wishes(policy(ofedDriver=image(), nodeAffinity=NO_NODE), conflicts=conflicts)
    assert held.on(node("one"), DriverPod.UNKNOWN) is Unasked.UNKNOWN
