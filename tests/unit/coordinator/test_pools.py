"""Which nodes share a driver image, and what their pool is called."""

from datetime import UTC, datetime
from typing import Any

import pytest

from coordinator.nodes import KubeNode, Taint
from coordinator.objects.pools import UnlabelledNode, fnv1a_digits, pools_of
from coordinator.states.cluster import Scope
from nicfleet import names
from tests.unit.coordinator.policies import POOL, spec

KERNEL = "5.15.0-78-generic"


def node(name: str, *taints: Taint, arch: str = "amd64", without: str = "", **labels: str) -> KubeNode:
    found = {
        names.NIC_LABEL: "true",
        names.OS_ID_LABEL: "ubuntu",
        names.OS_VERSION_LABEL: "22.04",
        names.KERNEL_LABEL: KERNEL,
        names.ARCH_LABEL: arch,
    } | labels
    found.pop(without, None)
    created = datetime(2026, 11, 1, tzinfo=UTC)
    return KubeNode(name, uid=name, resource_version="1", created=created, labels=found, taints=taints)


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        pytest.param("5.15.0-78-generic", "54669c9886", id="kernel"),
        pytest.param("my-policy", "5b97bfc9fb", id="policy"),
    ],
)
def test_fnv1a_digits(text: str, digits: str) -> None:
    assert fnv1a_digits(text) == digits


def test_one_pool_has_upstreams_name() -> None:
    pools, unlabelled = pools_of(spec(), Scope(), [node("node-1")], {})
    assert pools == (POOL,)
    assert unlabelled == ()


@pytest.mark.parametrize(
    ("nodes", "holders", "expected"),
    [
        pytest.param(
            [node("a"), node("b", arch="arm64"), node("c", arch="arm64")],
            {},
            {POOL.name: "arm64", f"{POOL.name}-amd64": "amd64"},
            id="the-most-common-keeps-it",
        ),
        pytest.param(
            [node("b", arch="arm64"), node("a")],
            {},
            {POOL.name: "amd64", f"{POOL.name}-arm64": "arm64"},
            id="the-first-of-equals",
        ),
        pytest.param(
            [node("a"), node("b", arch="arm64"), node("c", arch="arm64")],
            {POOL.name: "amd64"},
            {POOL.name: "amd64", f"{POOL.name}-arm64": "arm64"},
            id="whoever-has-it-keeps-it",
        ),
        pytest.param([node("b", arch="arm64")], {POOL.name: "amd64"}, {POOL.name: "arm64"}, id="holder-is-gone"),
    ],
)
def test_names_of_two_architectures(nodes: list[KubeNode], holders: dict[str, str], expected: dict[str, str]) -> None:
    for order in (nodes, nodes[::-1]):
        pools, _ = pools_of(spec(), Scope(), order, holders)
        assert {pool.name: pool.arch for pool in pools} == expected
        assert [pool.name for pool in pools] == sorted(expected)


@pytest.mark.parametrize(
    "label",
    [
        pytest.param(names.OS_ID_LABEL, id="os"),
        pytest.param(names.OS_VERSION_LABEL, id="os-version"),
        pytest.param(names.ARCH_LABEL, id="architecture"),
        pytest.param(names.KERNEL_LABEL, id="kernel"),
    ],
)
def test_a_node_without_a_label_is_named(label: str) -> None:
    assert pools_of(spec(), Scope(), [node("a", without=label)], {}) == ((), (UnlabelledNode("a", label),))


NOT_HERE: dict[str, Any] = {
    "requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchExpressions": [{"key": "role", "operator": "NotIn", "values": ["edge"]}]}]
    }
}


@pytest.mark.parametrize(
    ("sections", "found", "expected"),
    [
        pytest.param({}, node("a", without=names.NIC_LABEL), False, id="no-nic"),
        pytest.param({}, node("a", Taint("dedicated", "x", "NoExecute")), False, id="taint-that-ends-pods"),
        pytest.param({}, node("a", Taint("dedicated", "x", "NoSchedule")), True, id="taint-for-new-pods-only"),
        pytest.param(
            {"tolerations": [{"key": "dedicated", "operator": "Exists"}]},
            node("a", Taint("dedicated", "x", "NoExecute")),
            True,
            id="tolerated-taint",
        ),
        pytest.param({}, node("a", Taint("nvidia.com/gpu", "present", "NoSchedule")), True, id="gpu-taint"),
        pytest.param({}, node("a", Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")), True, id="cordoned"),
        pytest.param({}, node("a", Taint("slow", "", "PreferNoSchedule")), True, id="mere-preference"),
        pytest.param({"nodeAffinity": NOT_HERE}, node("a", role="edge"), False, id="affinity-excludes"),
        pytest.param({"nodeAffinity": NOT_HERE}, node("a", role="core"), True, id="affinity-admits"),
    ],
)
def test_only_nodes_on_which_a_driver_pod_may_be(sections: dict[str, Any], found: KubeNode, expected: bool) -> None:
    pools, _ = pools_of(spec(**sections), Scope(), [found], {})
    assert [pool.nodes for pool in pools] == ([("a",)] if expected else [])


def test_characters_that_object_names_do_not_allow() -> None:
    odd = node("a", **{names.OS_ID_LABEL: "Odd_OS", names.OS_VERSION_LABEL: "1.0_b"})
    (pool,), _ = pools_of(spec(), Scope(), [odd], {})
    assert pool.name == f"odd-os1.0-b-{fnv1a_digits(KERNEL)}"
