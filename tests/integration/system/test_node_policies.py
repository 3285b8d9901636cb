"""Several policies: drivers of their own for some nodes, what they share, and what they may not both ask for."""

from typing import Any

import pytest

from nicfleet import names
from nicfleet.reasons import Reason
from tests import hosts
from tests.integration.system.api import NODE_POLICIES, NODES, WORKLOADS, Missing
from tests.integration.system.processes import Agent
from tests.integration.system.product import Product, sections
from tests.integration.system.waiting import eventually

NEWER = "24.10-0.7.0"
DRIVER: dict[str, Any] = sections("ofedDriver")["ofedDriver"]
ACCOUNT = f"/api/v1/namespaces/{names.DEFAULT_NAMESPACE}/serviceaccounts/ofed-driver"


@pytest.fixture(scope="module")
def agents(product: Product) -> dict[str, Agent]:
    """Two hosts of two roles, each with the driver that the policy of its role asks for."""
    product.coordinator.start()
    running = {name: product.agent(name, hosts.connectx5) for name in ("train", "serve")}
    for name, agent in running.items():
        product.plane.kubectl("label", "node", name, f"role={name}")
        agent.load_driver(NEWER if name == "serve" else "23.04-0.5.3")
    return running


@pytest.fixture(autouse=True)
def ready(product: Product, agents: dict[str, Agent]) -> None:
    """Each test begins with both policies in force, and no other."""
    product.plane.kubectl("delete", "nicclusterpolicies", "--all")
    for name, node in (("train", "train"), ("serve", "serve"), ("more", "")):
        if not node:
            product.plane.kubectl("delete", "nicnodepolicy", name, "--ignore-not-found")
        else:
            product.plane.kubectl("label", "node", node, f"role={node}", "--overwrite")
    product.apply_for_nodes("train", {"role": "train"}, ofedDriver=DRIVER)
    product.apply_for_nodes("serve", {"role": "serve"}, ofedDriver=newer())
    for policy in ("train", "serve"):
        product.wait_ready(f"nicnodepolicy/{policy}")
    for node in agents:  # what a status says may be ahead of the labels
        eventually(lambda: product.api.labels(node)[names.WAIT_LABEL] == "false")  # noqa: B023 — awaited at once


def newer() -> dict[str, Any]:
    return DRIVER | {"version": f"{NEWER}.0.0"}


def test_each_node_gets_the_driver_of_its_own_policy(product: Product) -> None:
    images = {}
    for daemonset in product.api.items(f"{WORKLOADS}/daemonsets"):
        spec = daemonset["spec"]["template"]["spec"]
        assert daemonset["status"]["numberReady"] == 1
        images[spec["nodeSelector"]["role"]] = spec["containers"][0]["image"].rpartition(":")[2]
        assert daemonset["metadata"]["labels"][names.OWNER_LABEL] == f"nnp-{spec['nodeSelector']['role']}"
    assert images["train"].startswith("23.04-0.5.3.3.1-")
    assert images["serve"].startswith(f"{NEWER}.0.0-")
    for node in ("train", "serve"):
        assert product.api.labels(node)[names.WAIT_LABEL] == "false"
        assert product.api.status(node, NODE_POLICIES)["state"] == "ready"


def test_what_both_need_stays_until_the_last_one_goes(product: Product) -> None:
    """Upstream rewrites the shared objects for ever, and takes them away with the first policy."""
    assert owners(product) == ["serve", "train"]
    product.audit.mark()

    product.plane.kubectl("delete", "nicnodepolicy", "serve")

    eventually(lambda: owners(product) == ["train"])
    product.wait_ready("nicnodepolicy/train")
    eventually(lambda: len(product.api.items(f"{WORKLOADS}/daemonsets")) == 1)
    assert not [write for write in product.audit.objects() if write.verb == "delete" and "role" in write.resource]

    product.plane.kubectl("delete", "nicnodepolicy", "train")

    eventually(lambda: gone(product, ACCOUNT))
    eventually(lambda: not product.api.items(f"{WORKLOADS}/daemonsets"))


def test_at_rest_nothing_is_written(product: Product) -> None:
    """Behaviour 37, with two policies: upstream makes hundreds of requests a second then."""
    eventually(lambda: product.api.condition("Verified", "serve", NODE_POLICIES)["status"] == "True")
    eventually(lambda: product.api.condition("Verified", "train", NODE_POLICIES)["status"] == "True")
    product.audit.mark()
    product.coordinator.restart()
    eventually(lambda: product.judged("NicNodePolicy", "serve") == "ready")
    assert product.audit.objects() == []
    assert product.audit.labels() == []


def test_a_section_in_two_policies_is_refused_in_the_later_one(product: Product) -> None:
    """Behaviour 50."""
    uids = [item["metadata"]["uid"] for item in product.api.items(f"{WORKLOADS}/daemonsets")]

    product.apply(ofedDriver=DRIVER)

    eventually(lambda: product.api.condition("Ready")["reason"] == Reason.PolicyConflict)
    message = product.api.condition("Ready")["message"]
    assert "ofedDriver" in message
    assert "NicNodePolicy serve" in message or "NicNodePolicy train" in message
    assert product.api.status("serve", NODE_POLICIES)["state"] == "ready"
    assert [item["metadata"]["uid"] for item in product.api.items(f"{WORKLOADS}/daemonsets")] == uids
    assert product.api.labels("serve")[names.WAIT_LABEL] == "false"


def test_a_node_that_is_relabelled_into_an_overlap_is_named(product: Product) -> None:
    """Behaviour 50."""
    product.apply_for_nodes("more", {"kind": "extra"}, ofedDriver=DRIVER)
    eventually(lambda: product.api.status("more", NODE_POLICIES).get("state"))

    product.plane.kubectl("label", "node", "serve", "kind=extra", "--overwrite")

    eventually(lambda: product.api.condition("Ready", "more", NODE_POLICIES)["reason"] == Reason.PolicyConflict)
    message = product.api.condition("Ready", "more", NODE_POLICIES)["message"]
    assert "NicNodePolicy serve" in message
    assert "node serve" in message
    assert product.api.status("serve", NODE_POLICIES)["state"] == "ready"

    product.plane.kubectl("label", "node", "serve", "kind-")
    eventually(lambda: product.api.condition("Ready", "more", NODE_POLICIES)["reason"] != Reason.PolicyConflict)


def owners(product: Product) -> list[str]:
    return sorted(owner["name"] for owner in product.api.get(ACCOUNT)["metadata"]["ownerReferences"])


def gone(product: Product, path: str) -> bool:
    try:
        product.api.get(path)
    except Missing:
        return True
    return False


def test_a_node_without_a_policy_of_its_own_keeps_the_inbox_driver(product: Product) -> None:
    agent = product.agent("other", hosts.connectx5)
    eventually(lambda: product.api.labels("other").get(names.WAIT_LABEL) == "false")
    agent.kill()
    product.api.delete(f"{NODES}/other")
