"""Which nodes share a driver image, and what their pool is called."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from coordinator.nodes import KubeNode, Taint
from coordinator.objects.pools import OWN_VOLUME, LivePool, UnlabelledNode, fnv1a_digits, live_pools, pools_of
from coordinator.states.cluster import Scope
from coordinator.workloads import Workload
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
        pytest.param(
            [node("a"), node("b", arch="arm64"), node("c", arch="arm64")],
            {POOL.name: ""},
            {POOL.name: "arm64", f"{POOL.name}-amd64": "amd64"},
            id="nothing-tells-the-holders",
        ),
        pytest.param([node("b", arch="arm64")], {POOL.name: "amd64"}, {POOL.name: "arm64"}, id="holder-is-gone"),
    ],
)
def test_names_of_two_architectures(nodes: list[KubeNode], holders: dict[str, str], expected: dict[str, str]) -> None:
    for order in (nodes, nodes[::-1]):
        live = {name: LivePool(arch, {}) for name, arch in holders.items()}
        pools, _ = pools_of(spec(), Scope(), order, live)
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


def daemonset(name: str, selector: dict[str, str], *volumes: str, **images: str) -> Workload:
    containers = [{"name": container.replace("_", "-"), "image": image} for container, image in images.items()]
    pod = {"nodeSelector": selector, "containers": containers, "volumes": [{"name": volume} for volume in volumes]}
    return Workload("DaemonSet", "ns", name, template={"spec": pod})


def test_what_pools_run_is_read_from_their_daemonsets() -> None:
    mofed = daemonset(f"mofed-{POOL.name}-ds", {names.ARCH_LABEL: "amd64"}, OWN_VOLUME, mofed_container="driver:1")
    upstreams = daemonset(
        "mofed-rhel9.4-1-ds", {}, "run-mlnx-ofed",
        mofed_container="driver:2-rhel9.4-arm64", openshift_driver_toolkit_ctr="dtk:2",
    )  # fmt: skip
    of_a_node_policy = daemonset(f"mofed-{POOL.name}-5b97bfc9fb-ds", {}, OWN_VOLUME, mofed_container="driver:3")
    all_of_them = [mofed, upstreams, of_a_node_policy, Workload("DaemonSet", "ns", "rdma-shared-dp-ds")]

    found = live_pools(all_of_them, Scope())

    assert found[POOL.name] == LivePool("amd64", {"mofed-container": "driver:1"})
    images = {"mofed-container": "driver:2-rhel9.4-arm64", "openshift-driver-toolkit-ctr": "dtk:2"}
    assert found["rhel9.4-1"] == LivePool("arm64", images, upstreams=True, any_arch=True)
    assert live_pools(all_of_them, Scope(hash_suffix="-5b97bfc9fb"))[POOL.name].images == {
        "mofed-container": "driver:3"
    }
    (pool,), _ = pools_of(spec(), Scope(), [node("node-1")], found)
    assert pool.live_images == {"mofed-container": "driver:1"}


UPSTREAMS = LivePool("amd64", {"mofed-container": "driver:1-ubuntu22.04-amd64"}, upstreams=True, any_arch=True)
TOLD = replace(UPSTREAMS, any_arch=False)
OURS = LivePool("amd64", {})


@pytest.mark.parametrize(
    ("nodes", "live", "upstreams", "any_arch"),
    [
        pytest.param([node("a")], UPSTREAMS, True, True, id="upstreams"),
        pytest.param([node("a"), node("b")], UPSTREAMS, True, True, id="another-node"),
        pytest.param(
            [node("a"), node("b", **{names.OS_VERSION_LABEL: "24.04"}), node("c", **{names.OS_ID_LABEL: "rhel"})],
            UPSTREAMS, True, True, id="other-systems",
        ),
        pytest.param([node("a"), node("b", arch="arm64")], UPSTREAMS, True, False, id="another-architecture"),
        pytest.param(
            [node("a"), node("b", arch="arm64"), node("c", arch="arm64")],
            UPSTREAMS, True, False, id="another-architecture-and-more-of-it",
        ),
        pytest.param([node("a"), node("b", arch="arm64")], TOLD, True, False, id="and-it-was-told"),
        pytest.param([node("a")], TOLD, True, False, id="the-other-architecture-is-gone-again"),
        pytest.param([node("a")], OURS, False, False, id="ours"),
        pytest.param([node("a")], None, False, False, id="not-there"),
    ],
)  # fmt: skip
def test_what_the_pods_of_upstreams_pool_run_is_not_another_for_other_nodes_sake(
    nodes: list[KubeNode], live: LivePool | None, upstreams: bool, any_arch: bool
) -> None:
    pools, _ = pools_of(spec(), Scope(), nodes, {POOL.name: live} if live else {})
    (pool,) = (pool for pool in pools if pool.name == POOL.name)
    assert (pool.arch, pool.upstreams, pool.any_arch) == ("amd64", upstreams, any_arch)
    assert "a" in pool.nodes
    assert not any(other.upstreams or other.any_arch for other in pools if other is not pool)


def test_runtimes_and_rhcos_versions_of_a_pool_are_told_each_once() -> None:
    nodes = [
        replace(node("a", **{names.OSTREE_LABEL: "416.94.2"}), runtime="cri-o"),
        replace(node("b", **{names.OSTREE_LABEL: "416.94.1"}), runtime="containerd"),
        replace(node("c", **{names.OSTREE_LABEL: "416.94.1"}), runtime="cri-o"),
        node("d"),
    ]
    (pool,), _ = pools_of(spec(), Scope(), nodes, {})
    assert pool.nodes == ("a", "b", "c", "d")
    assert pool.runtimes == ("containerd", "cri-o")
    assert pool.ostree_versions == ("416.94.1", "416.94.2")
