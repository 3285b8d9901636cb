"""States of stored policies that stay as they are because no pods can be where the policy wants them."""

from typing import Any

import pytest

from coordinator.admission.cautions import cautioned
from coordinator.admission.held import held_back
from coordinator.objects.served import ServedPolicy
from coordinator.verdicts.view import StateView
from nicfleet.reasons import Finding, Reason
from tests.unit.coordinator.inventories import kube_node
from tests.unit.coordinator.policies import image, node_policy, policy

NODES = [kube_node("n1", labels={"role": "gpu"})]
TERMS = "spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
NO_OPERATOR = (
    f"{TERMS}[0].matchExpressions[0].operator is 'Inn', at which pods are refused: "
    "use In, NotIn, Exists, DoesNotExist, Gt or Lt"
)


def affinity(operator: str, values: list[str]) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": "role", "operator": operator, "values": values}]}
    return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}


def held(found: ServedPolicy) -> dict[str, Finding]:
    return dict(held_back([found], NODES).get(found.owner, {}))


def test_an_affinity_that_means_nothing_moves_no_driver() -> None:
    mistaken = ServedPolicy.of(policy(ofedDriver=image(), ibKubernetes=image(), nodeAffinity=affinity("Inn", ["gpu"])))
    assert held(mistaken) == {"state-OFED": Finding(Reason.InvalidSpec, NO_OPERATOR)}


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        pytest.param(
            {"tolerations": [{"key": "a b", "operator": "Exists"}]}, "spec.tolerations[0].key", id="toleration"
        ),
        pytest.param({"nodeAffinity": affinity("In", [])}, f"{TERMS}[0].matchExpressions[0].values", id="no-values"),
    ],
)
def test_every_daemonset_that_would_be_refused_is_held_back(sections: dict[str, Any], words: str) -> None:
    asked = {"ofedDriver": image(), "nvIpam": image(), "secondaryNetwork": {"cniPlugins": image()}}
    found = held(ServedPolicy.of(policy(**asked, **sections)))
    assert sorted(found) == ["state-OFED", "state-container-networking-plugins", "state-nv-ipam-cni"]
    assert all(finding.message.startswith(words) for finding in found.values())


def test_a_node_selector_that_no_label_has_holds_a_node_policy_back() -> None:
    found = held(ServedPolicy.of(node_policy("a", {"role": "g p u"}, ofedDriver=image())))
    assert found["state-OFED"].message.startswith("spec.nodeSelector asks role to be 'g p u'")


@pytest.mark.parametrize("values", [["gpu"], ["nowhere"]])
def test_a_choice_that_can_be_made_is_carried_out_wherever_it_leads(values: list[str]) -> None:
    assert held(ServedPolicy.of(policy(ofedDriver=image(), nodeAffinity=affinity("In", values)))) == {}


def test_what_holds_a_state_back_is_told_once() -> None:
    mistaken = ServedPolicy.of(policy(ofedDriver=image(), nodeAffinity=affinity("Inn", ["gpu"])))
    view = StateView("state-OFED", asked=True, nodes={}, problem=held(mistaken)["state-OFED"])
    assert cautioned(mistaken, (view,)) == (view,)
