"""Which policies are acted on."""

from typing import Any

from coordinator.intake import Intake
from tests.unit.coordinator.policies import image


def document(kind: str = "NicClusterPolicy", name: str = "nic-cluster-policy", **changes: Any) -> dict[str, Any]:
    metadata = {"name": name, "uid": f"uid-of-{name}", "generation": 1} | changes.pop("metadata", {})
    return {"apiVersion": "mellanox.com/v1alpha1", "kind": kind, "metadata": metadata, "spec": {}} | changes


def test_the_cluster_policy_comes_first_and_node_policies_by_name() -> None:
    intake = Intake.of([document("NicNodePolicy", "b"), document("NicNodePolicy", "a"), document()])
    assert [policy.owner for policy in intake.served] == [
        ("NicClusterPolicy", "nic-cluster-policy"),
        ("NicNodePolicy", "a"),
        ("NicNodePolicy", "b"),
    ]
    assert intake.untouched == frozenset()


def test_a_cluster_policy_of_another_name_is_ignored_in_upstreams_words() -> None:
    intake = Intake.of([document(name="mine"), document("NicNodePolicy", "mine")])
    assert [policy.owner for policy in intake.served] == [("NicNodePolicy", "mine")]
    ((policy, why),) = intake.ignored
    assert policy["kind"] == "NicClusterPolicy"
    assert why == (
        "Unsupported NicClusterPolicy instance mine. Only instance with name nic-cluster-policy is supported"
    )


def test_what_cannot_be_read_is_told_and_its_objects_stay() -> None:
    intake = Intake.of([document(spec={"ofedDriver": {"image": 7}}), document("NicNodePolicy", "a")])
    assert [policy.owner for policy in intake.served] == [("NicNodePolicy", "a")]
    ((_, why),) = intake.unreadable
    assert why.startswith("spec.ofedDriver.image cannot be used: ")
    assert intake.untouched == {("NicClusterPolicy", "nic-cluster-policy")}


def test_a_policy_that_is_being_deleted_is_left_to_the_garbage_collector() -> None:
    leaving = document(metadata={"deletionTimestamp": "2026-11-27T00:00:00Z"})
    intake = Intake.of([leaving])
    assert intake.served == ()
    assert intake.leaving == intake.untouched == {("NicClusterPolicy", "nic-cluster-policy")}


def test_a_node_policy_is_a_cluster_policy_of_some_nodes() -> None:
    spec = {"nodeSelector": {"role": "gpu"}, "tolerations": [{"operator": "Exists"}], "ofedDriver": image()}
    (policy,) = Intake.of([document("NicNodePolicy", "my-policy", spec=spec)]).served
    assert policy.spec.ofed_driver is not None
    assert policy.spec.tolerations is not None
    assert policy.scope.node_selector == {"role": "gpu"}
    assert (policy.scope.owner, policy.scope.name_suffix, policy.scope.hash_suffix) == (
        "nnp-my-policy",
        "-my-policy",
        "-5b97bfc9fb",
    )
