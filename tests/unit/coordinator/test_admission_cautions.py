"""What is accepted and will not do what it seems to say: told, never refused."""

import time
from typing import Any

import pytest

from coordinator.admission.cautions import Caution, by_state, cautions, warnings
from coordinator.admission.label_syntax import is_label_key, is_label_selector, is_label_value
from coordinator.admission.rules import problems
from coordinator.objects.served import ServedPolicy
from coordinator.policy import NicClusterPolicy
from tests.unit.coordinator.policies import image, node_policy, policy

REQUIRED = "spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
PREFERRED = "spec.deploymentNodeAffinity.preferredDuringSchedulingIgnoredDuringExecution"


def required(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}


def compared(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        pytest.param(
            {"tolerations": [{"key": "a", "operator": "Exist"}]},
            ["spec.tolerations[0].operator is 'Exist', at which pods are refused: use Exists or Equal"],
            id="operator",
        ),
        pytest.param(
            {"tolerations": [{"operator": "Exists"}, {"key": "a", "effect": "noSchedule"}]},
            [
                "spec.tolerations[1].effect is 'noSchedule', at which pods are refused: "
                "use NoSchedule, PreferNoSchedule, NoExecute or none"
            ],
            id="effect",
        ),
        pytest.param(
            {"deploymentTolerations": [{"key": "a", "operator": "Exists", "value": "b"}]},
            [
                "spec.deploymentTolerations[0].value is set beside the operator Exists, at which pods are refused: "
                "remove it or use Equal"
            ],
            id="value-beside-exists",
        ),
        pytest.param(
            {"tolerations": [{"effect": "NoSchedule"}]},
            [
                "spec.tolerations[0].key is missing, at which pods are refused: "
                "set it, or use the operator Exists for every taint"
            ],
            id="no-key",
        ),
        pytest.param(
            {"tolerations": [{"key": "a b"}]},
            ["spec.tolerations[0].key is 'a b', which no taint has: correct it"],
            id="key",
        ),
        pytest.param(
            {"tolerations": [{"key": "a", "tolerationSeconds": 5}]},
            [
                "spec.tolerations[0].tolerationSeconds is set without effect NoExecute, at which pods are refused: "
                "remove it"
            ],
            id="seconds",
        ),
        pytest.param(
            {"nodeAffinity": required(compared("role", "Equals", "gpu"))},
            [
                f"{REQUIRED}[0].matchExpressions[0].operator is 'Equals', at which pods are refused: "
                "use In, NotIn, Exists, DoesNotExist, Gt or Lt"
            ],
            id="affinity-operator",
        ),
        pytest.param(
            {
                "nodeAffinity": required(
                    compared("a", "In"),
                    compared("b", "Exists", "x"),
                    compared("c", "Gt", "many"),
                    compared("d/", "In", "x"),
                )
            },
            [
                f"{REQUIRED}[0].matchExpressions[0].values is empty beside In, at which pods are refused: add a value",
                f"{REQUIRED}[1].matchExpressions[0].values is set beside Exists, at which pods are refused: remove it",
                f"{REQUIRED}[2].matchExpressions[0].values is not one whole number beside Gt, at which pods are "
                "refused: give one",
                f"{REQUIRED}[3].matchExpressions[0].key is 'd/', which no label has: correct it",
            ],
            id="affinity-values-and-keys",
        ),
        pytest.param(
            {"nodeAffinity": required()},
            [f"{REQUIRED} is empty, at which pods are refused: add a term or remove it"],
            id="affinity-without-terms",
        ),
        pytest.param(
            {"nodeAffinity": required({"matchFields": [{"key": "spec.x", "operator": "Exists"}]})},
            [
                f"{REQUIRED}[0].matchFields[0].key is 'spec.x', at which pods are refused: use metadata.name",
                f"{REQUIRED}[0].matchFields[0] does not compare with one name, at which pods are refused: "
                "use In or NotIn and one value",
            ],
            id="affinity-fields",
        ),
        pytest.param(
            {
                "deploymentNodeAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {"weight": 0, "preference": compared("a", "In", "x")}
                    ]
                }
            },
            [f"{PREFERRED}[0].weight is 0, at which pods are refused: use 1 to 100"],
            id="affinity-weight",
        ),
        pytest.param(
            {"ofedDriver": image(env=[{"name": "A"}, {"name": "1 B=C"}])},
            [
                "spec.ofedDriver.env[1].name is '1 B=C', at which pods may be refused: "
                "use letters, digits, '_', '-' and '.', not starting with a digit"
            ],
            id="driver-env",
        ),
        pytest.param(
            {
                "nicConfigurationOperator": {
                    "operator": image(),
                    "configurationDaemon": image(),
                    "env": [{"name": ""}],
                }
            },
            [
                "spec.nicConfigurationOperator.env[0].name is '', at which pods may be refused: "
                "use letters, digits, '_', '-' and '.', not starting with a digit"
            ],
            id="firmware-env",
        ),
        pytest.param(
            {
                "ofedDriver": image(
                    upgradePolicy={
                        "drain": {"podSelector": "app in x"},
                        "waitForCompletion": {"podSelector": "app=my app"},
                    }
                )
            },
            [
                "spec.ofedDriver.upgradePolicy.drain.podSelector is 'app in x', which is no label selector: "
                "write it as for kubectl get -l, app=x,tier!=y",
                "spec.ofedDriver.upgradePolicy.waitForCompletion.podSelector is 'app=my app', which is no label "
                "selector: write it as for kubectl get -l, app=x,tier!=y",
            ],
            id="pod-selectors",
        ),
        pytest.param(
            {
                "tolerations": [
                    {"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute", "tolerationSeconds": 0},
                    {"operator": "Exists"},
                ],
                "nodeAffinity": required(
                    compared("a/b", "NotIn", "x"),
                    {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]},
                    compared("c", "Lt", "-5"),
                    compared("d", "DoesNotExist"),
                ),
                "ofedDriver": image(
                    env=[{"name": "UNLOAD_STORAGE_MODULES", "value": "true"}],
                    upgradePolicy={"drain": {"podSelector": ""}},
                ),
            },
            [],
            id="nothing",
        ),
    ],
)
def test_cautions(sections: dict[str, Any], expected: list[str]) -> None:
    found = policy(**sections)
    assert [caution.sentence for caution in cautions(ServedPolicy.of(found))] == expected
    assert [warning for warning in warnings(found) if warning in expected] == expected
    assert problems(found) == ()


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        pytest.param(
            {"-role": "gpu"},
            ["spec.nodeSelector has the key '-role', which no label has, so it chooses no node: correct it"],
            id="key",
        ),
        pytest.param(
            {"role": "a b"},
            ["spec.nodeSelector asks role to be 'a b', which no label is, so it chooses no node: correct it"],
            id="value",
        ),
        pytest.param({"node-role.kubernetes.io/gpu": ""}, [], id="nothing"),
    ],
)
def test_node_selectors(selector: dict[str, str], expected: list[str]) -> None:
    assert warnings(node_policy("gpu", selector)) == tuple(expected)


def test_what_a_node_policy_has_without_effect() -> None:
    found = node_policy("gpu", labels={"a": "b"}, annotations={"a": "b"})
    assert warnings(found) == ("spec.labels has no effect: remove it", "spec.annotations has no effect: remove it")


def test_a_cluster_policy_of_another_name() -> None:
    other = NicClusterPolicy.model_validate({"metadata": {"name": "second"}})
    assert warnings(other) == ("metadata.name is second: only the NicClusterPolicy nic-cluster-policy is acted on",)


def test_what_upstream_has_dropped_and_what_the_states_say() -> None:
    found = warnings(policy(psp={"enabled": True}, nvIpam=image("nvidia-k8s-ipam", config="{}")))
    assert [sentence.split(" ", 1)[0] for sentence in found] == ["spec.psp", "spec.nvIpam.config"]


def test_a_section_with_a_mistake_keeps_no_other_from_being_told() -> None:
    found = warnings(policy(ofedDriver={"image": "a"}, nvIpam=image("nvidia-k8s-ipam", config="{}")))
    assert [sentence.split(" ", 1)[0] for sentence in found] == ["spec.nvIpam.config"]


def test_each_is_told_at_its_state_and_what_is_about_all_at_the_first() -> None:
    told = [Caution("everywhere"), Caution("driver", "state-OFED"), Caution("too")]
    assert by_state(told, ["state-multus-cni", "state-OFED"]) == {
        "state-multus-cni": ("everywhere", "too"),
        "state-OFED": ("driver",),
    }
    assert by_state([Caution("everywhere")], []) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a",
        "!a",
        "! a",
        "a=b",
        "a==b",
        "a!=b",
        "a=",
        "a = b , c",
        "a in (b, c)",
        "a notin (b)",
        "a in (,b)",
        "x.y/a-b_c.d>5",
        "nvidia.com/ofed-driver-upgrade-drain.skip!=true",
    ],
)
def test_label_selectors(text: str) -> None:
    assert is_label_selector(text)


@pytest.mark.parametrize(
    "text",
    ["=b", "a b", "a=b c", "a,", ",a", "a,,b", "a in b", "a in (b", "a in (b c)", "a=-b", "/a", "a/b/c", "a=é", "a>x"],
)
def test_what_is_no_label_selector(text: str) -> None:
    assert not is_label_selector(text)


@pytest.mark.parametrize(
    "text", ["a" + " " * 9_000 + "@", "a=b," * 2_400 + "@", "a-" * 4_900 + "@", "a in (" + "b," * 4_000]
)
def test_a_hostile_selector_takes_no_time(text: str) -> None:
    began = time.process_time()
    assert not is_label_selector(text)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("x.y/A_b.c-d", True),
        ("X/a", False),
        ("x" * 253 + "/a", True),
        ("x" * 254 + "/a", False),
        ("x..y/a", False),
        ("", False),
        ("a\n", False),
    ],
)
def test_label_keys(key: str, expected: bool) -> None:
    assert is_label_key(key) is expected


@pytest.mark.parametrize(("value", "expected"), [("", True), ("A.b_c-1", True), ("a" * 64, False), ("-", False)])
def test_label_values(value: str, expected: bool) -> None:
    assert is_label_value(value) is expected
