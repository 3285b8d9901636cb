"""A policy on three hosts, from apply to ready, and what happens to its objects afterwards."""

from typing import Any

import pytest

from nicfleet import names
from nicfleet.reasons import Reason
from tests import hosts
from tests.integration.system.api import JSON_PATCH, WORKLOADS, Missing
from tests.integration.system.audit import Write
from tests.integration.system.processes import Agent
from tests.integration.system.product import Product, example, own
from tests.integration.system.waiting import eventually
from tests.unit.coordinator.policies import rdma_config

PLUGIN = "rdma-shared-dp-ds"
MULTUS = "kube-multus-ds"
WHEREABOUTS = "state-whereabouts-cni"
CORE = f"/api/v1/namespaces/{names.DEFAULT_NAMESPACE}"
RBAC = "/apis/rbac.authorization.k8s.io/v1"

SYSTEM = {names.OS_ID_LABEL: "ubuntu", names.OS_VERSION_LABEL: "22.04", names.KERNEL_LABEL: "6.8.0-60-generic"}
DRIVER = {
    names.DRIVER_FLAVOUR_LABEL: "ofed",
    names.DRIVER_VERSION_LABEL: "23.04-0.5.3",
    names.RDMA_AVAILABLE_LABEL: "true",
    names.WAIT_LABEL: "false",
    names.NIC_CONFIGURATION_WAIT_LABEL: "false",
}
NIC = {names.NIC_LABEL: "true", names.RDMA_CAPABLE_LABEL: "true"}
SRIOV = {names.NIC_SRIOV_LABEL: "true", names.SRIOV_CAPABLE_LABEL: "true"}


@pytest.fixture(scope="module")
def agents(product: Product) -> dict[str, Agent]:
    """Three hosts with the driver loaded, and the example policy, ready."""
    product.coordinator.start()
    builders = {"cx5": hosts.connectx5, "ib": hosts.connectx6_infiniband, "lx": hosts.connectx6_lx}
    running = {node: product.agent(node, build) for node, build in builders.items()}
    for agent in running.values():
        agent.load_driver()
    product.apply(**example())
    product.wait_ready()
    return running


@pytest.fixture(autouse=True)
def ready(product: Product, agents: dict[str, Agent]) -> None:
    """Each test begins with the example policy in force and all at rest, and may break what it likes."""
    product.apply(**example())
    product.wait_ready()
    eventually(lambda: product.api.condition("Verified")["status"] == "True")
    for node in agents:  # what a status says may be ahead of the labels
        eventually(lambda: product.api.labels(node)[names.WAIT_LABEL] == "false")  # noqa: B023 — awaited at once
    product.audit.mark()


def test_the_nodes_carry_exactly_the_labels_that_their_hardware_justifies(product: Product) -> None:
    """Behaviours 4 and 8: whatever NFD does, and an unsupported card too, for compatibility."""
    ethernet = {names.ETHERNET_LABEL: "true"}
    assert own(product.api.labels("cx5")) == {
        **(SYSTEM | NIC | SRIOV | ethernet | DRIVER),
        names.SRIOV_CONFIGURED_LABEL: "true",
        f"{names.GENERATION_PREFIX}connectx-5": "true",
    }
    assert own(product.api.labels("ib")) == {
        **(SYSTEM | NIC | SRIOV | DRIVER),
        names.INFINIBAND_LABEL: "true",
        names.GPU_LABEL: "true",
        f"{names.GENERATION_PREFIX}connectx-6": "true",
    }
    assert own(product.api.labels("lx")).items() >= (SYSTEM | NIC | ethernet | DRIVER).items()


def test_kubectl_shows_status_age_and_reason(product: Product) -> None:
    header, row = product.plane.kubectl("get", "nicclusterpolicy").splitlines()
    assert header.split() == ["NAME", "STATUS", "AGE", "REASON"]
    assert row.split()[:2] + row.split()[3:] == [names.POLICY_NAME, "ready", Reason.AllComponentsReady]


def test_the_status_lists_every_state_and_every_condition_its_generation(product: Product) -> None:
    """Behaviour 38."""
    policy = product.api.policy()
    states = {state["name"]: state["state"] for state in policy["status"]["appliedStates"]}
    asked = {
        "state-OFED",
        "state-RDMA-device-plugin",
        "state-multus-cni",
        "state-container-networking-plugins",
        "state-whereabouts-cni",
    }
    others = states.keys() - asked
    assert states == dict.fromkeys(asked, "ready") | dict.fromkeys(others, "ignore")
    assert "state-nv-ipam-cni" in others
    generations = {condition["observedGeneration"] for condition in policy["status"]["conditions"]}
    assert generations == {policy["metadata"]["generation"]}


def test_an_unsupported_card_is_named_and_harms_nothing(product: Product) -> None:
    found = {finding.reason: finding.message for finding in product.node("lx").findings}
    assert "ConnectX-6 Lx" in found[Reason.UnsupportedDevice]
    assert "lx" in product.api.state("state-OFED")["message"]


def test_a_changed_plugin_config_rolls_that_daemonset_only(product: Product) -> None:
    """Behaviours 47 and 55; and 38: the new generation is ready only when the new pods are."""
    _change_plugin_config(product)

    plugin = product.api.daemonset(PLUGIN)
    assert plugin["status"]["updatedNumberScheduled"] == plugin["status"]["numberReady"] == 3
    written = [Write("patch", "configmaps", "rdma-devices"), Write("patch", "daemonsets", PLUGIN)]
    assert sorted(product.audit.objects()) == sorted(written)
    assert product.audit.labels() == []


def test_a_removed_section_takes_its_objects_along_and_no_others(product: Product) -> None:
    """CRDs stay, since networks would lose their addresses with them; so does what only looks like ours."""
    stranger = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata("stranger", WHEREABOUTS)}
    product.plane.apply(stranger)
    before = _crds(product)
    wanted = example()
    del wanted["secondaryNetwork"]["ipamPlugin"]

    product.apply(**wanted)

    eventually(lambda: product.api.state(WHEREABOUTS)["state"] == "ignore")
    product.wait_ready()
    deleted = {(write.resource, write.name) for write in product.audit.objects()}
    assert deleted == {
        ("daemonsets", "whereabouts"),
        ("configmaps", "whereabouts-config"),
        ("serviceaccounts", "whereabouts"),
        ("clusterroles", "whereabouts-cni"),
        ("clusterrolebindings", "whereabouts"),
    }
    assert {write.verb for write in product.audit.objects()} == {"delete"}
    with pytest.raises(Missing):
        product.api.daemonset("whereabouts")
    assert _crds(product) == before
    product.plane.kubectl("delete", "configmap", "stranger", f"--namespace={names.DEFAULT_NAMESPACE}")


def test_another_ipam_replaces_the_first(product: Product) -> None:
    """A Deployment among its objects has to be rolled out too, and custom resources of the first keep their CRDs."""
    product.apply(**example("nv-ipam"))

    eventually(lambda: product.api.state("state-nv-ipam-cni")["state"] == "ready")
    eventually(lambda: product.api.state(WHEREABOUTS)["state"] == "ignore")
    product.wait_ready()
    (controller,) = product.api.items(f"{WORKLOADS}/deployments")
    assert controller["status"]["readyReplicas"] == controller["spec"]["replicas"]
    assert any("whereabouts" in name for name in _crds(product))


def test_a_policy_deleted_with_its_objects_first_fights_nobody(product: Product) -> None:
    """With foreground deletion the garbage collector takes the objects while the policy is still there."""
    before = {item["metadata"]["uid"] for item in product.api.items(f"{WORKLOADS}/daemonsets")}
    product.audit.mark()

    product.plane.kubectl("delete", "nicclusterpolicy", names.POLICY_NAME, "--cascade=foreground", "--timeout=150s")

    eventually(lambda: not product.api.items(f"{WORKLOADS}/daemonsets"))
    assert before
    assert not [write for write in product.audit.objects() if write.verb == "patch"]


def test_a_policy_deleted_without_its_objects_leaves_them_at_work(product: Product) -> None:
    """With orphaning the driver runs on, and so does what waits for it; whoever leads, and knows of no policy."""
    before = {item["metadata"]["uid"] for item in product.api.items(f"{WORKLOADS}/daemonsets")}
    labels = product.api.labels("ib")
    product.audit.mark()

    product.plane.kubectl("delete", "nicclusterpolicy", names.POLICY_NAME, "--cascade=orphan", "--timeout=150s")

    assert {item["metadata"]["uid"] for item in product.api.items(f"{WORKLOADS}/daemonsets")} == before
    assert product.audit.objects() == []
    assert product.api.labels("ib") == labels

    product.coordinator.kill()
    product.plane.kubectl("label", "node", "ib", f"{names.NIC_CONFIGURATION_WAIT_LABEL}-")
    product.coordinator.start()
    # It is back when the pods of both have been looked at, so in this very write the driver's label would move too.
    eventually(lambda: product.api.labels("ib").get(names.NIC_CONFIGURATION_WAIT_LABEL) == "false")
    assert product.api.labels("ib") == labels
    assert product.audit.objects() == []


def test_a_deleted_policy_takes_its_objects_along_and_leaves_labels_and_crds(product: Product) -> None:
    before, labels = _crds(product), own(product.api.labels("ib"))

    product.plane.kubectl("delete", "nicclusterpolicy", names.POLICY_NAME)

    eventually(lambda: not product.api.items(f"{WORKLOADS}/daemonsets"))
    assert _crds(product) == before
    # Pods of the driver may still be about to unload it, which the wait label says.
    eventually(lambda: own(product.api.labels("ib")) == labels)
    eventually(lambda: product.judged() == "")


@pytest.mark.parametrize(
    ("deed", "daemonset"), [("image", MULTUS), ("variable", "cni-plugins-ds"), ("deletion", "whereabouts")]
)
def test_what_somebody_did_to_an_object_is_put_back_once(product: Product, deed: str, daemonset: str) -> None:
    """Behaviours 37 and 54: it is told, no node is touched for it, and later passes do not write it again."""
    before = _container(product, daemonset)

    _DEEDS[deed](product, daemonset)

    eventually(lambda: _writes_to(product, daemonset))
    eventually(lambda: _container(product, daemonset) == before)
    product.wait_ready()
    if deed != "deletion":
        eventually(lambda: daemonset in product.api.told(Reason.DriftRepaired))
    _change_plugin_config(product)
    assert {write.name for write in product.audit.objects()} == {daemonset, "rdma-devices", PLUGIN}
    assert len(_writes_to(product, daemonset)) == (1 if deed == "deletion" else 2)
    assert product.audit.labels() == []


@pytest.mark.parametrize("path", [f"{CORE}/serviceaccounts", f"{RBAC}/clusterroles", f"{RBAC}/clusterrolebindings"])
def test_an_object_of_any_kind_comes_back_when_somebody_deletes_it(product: Product, path: str) -> None:
    """Upstream hears of workloads and ConfigMaps only; the others are missing until something else happens."""
    before = product.api.get(f"{path}/multus")["metadata"]["uid"]

    product.api.delete(f"{path}/multus")

    eventually(lambda: product.api.get(f"{path}/multus")["metadata"]["uid"] != before)
    product.wait_ready()


def test_a_restarted_coordinator_that_finds_all_as_it_shall_be_writes_nothing(product: Product) -> None:
    """Behaviours 27 and 37: no label, no object, no status."""
    product.coordinator.restart()

    eventually(lambda: product.judged() == "ready")

    assert product.audit.writes() == []


def test_a_killed_agent_costs_no_label_and_no_readiness_but_is_named(
    product: Product, agents: dict[str, Agent]
) -> None:
    """Behaviours 2 and 66."""
    agents["ib"].kill()

    verified = eventually(lambda: _unverified(product))
    assert verified["reason"] == Reason.NodeSilent
    assert "ib" in verified["message"]
    assert product.api.condition("Ready")["status"] == "True"

    agents["ib"].start()
    eventually(lambda: product.api.condition("Verified")["status"] == "True")
    assert product.audit.labels() == []
    assert product.audit.objects() == []


def test_a_stopped_coordinator_ends_no_agent(product: Product, agents: dict[str, Agent]) -> None:
    """Behaviour 66: within seconds of its return the agents have reported, without sending what is known."""
    pids = {agent.process.pid for agent in agents.values()}
    product.coordinator.kill()
    eventually(lambda: all(agent.logged("coordinator not reachable") for agent in agents.values()))

    product.coordinator.start()

    eventually(lambda: product.judged() == "ready")
    assert {agent.process.pid for agent in agents.values()} == pids
    assert product.audit.writes() == []


def _metadata(name: str, state: str) -> dict[str, Any]:
    return {"name": name, "namespace": names.DEFAULT_NAMESPACE, "labels": {names.STATE_LABEL: state}}


def _crds(product: Product) -> set[str]:
    return {
        crd["metadata"]["name"] for crd in product.api.items("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
    }


def _change_plugin_config(product: Product) -> None:
    """And wait until that generation is ready."""
    wanted = example()
    wanted["rdmaSharedDevicePlugin"]["config"] = rdma_config("another")
    product.apply(**wanted)
    generation = product.api.policy()["metadata"]["generation"]
    eventually(lambda: product.api.condition("Ready")["observedGeneration"] == generation)
    product.wait_ready()


def _writes_to(product: Product, daemonset: str) -> list[Write]:
    """A repair is two of them: the other manager's fields are made ours, then applied."""
    return [write for write in product.audit.objects() if write.name == daemonset]


def _container(product: Product, daemonset: str) -> dict[str, Any]:
    found: dict[str, Any] = product.api.daemonset(daemonset)["spec"]["template"]["spec"]["containers"][0]
    return found


def _unverified(product: Product) -> dict[str, Any] | None:
    condition = product.api.condition("Verified")
    return condition if condition["status"] == "False" else None


def _edit_image(product: Product, daemonset: str) -> None:
    image = f"{_container(product, daemonset)['name']}=example.com/edited:1"
    product.plane.kubectl("set", "image", f"daemonset/{daemonset}", image, f"--namespace={names.DEFAULT_NAMESPACE}")


def _add_variable(product: Product, daemonset: str) -> None:
    path, variable = "/spec/template/spec/containers/0/env", {"name": "MEDDLED", "value": "1"}
    listed = "env" in _container(product, daemonset)
    patch = [{"op": "add", "path": f"{path}/-" if listed else path, "value": variable if listed else [variable]}]
    product.api.patch(f"{WORKLOADS}/daemonsets/{daemonset}?fieldManager=somebody", patch, JSON_PATCH)


def _delete(product: Product, daemonset: str) -> None:
    product.plane.kubectl("delete", "daemonset", daemonset, f"--namespace={names.DEFAULT_NAMESPACE}")


_DEEDS = {"image": _edit_image, "variable": _add_variable, "deletion": _delete}
