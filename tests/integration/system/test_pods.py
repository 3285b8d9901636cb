"""Pods that do not come up: the message says which, where and why, in the words of whoever refused."""

import pytest

from nicfleet import names
from nicfleet.reasons import Reason
from tests.integration.system.api import NODES
from tests.integration.system.fleet import NO_NIC, WITH_DRIVER
from tests.integration.system.product import Product, sections
from tests.integration.system.waiting import eventually

PODS = f"/api/v1/namespaces/{names.DEFAULT_NAMESPACE}/pods"
NAMESPACE = f"namespace/{names.DEFAULT_NAMESPACE}"
ENFORCE = "pod-security.kubernetes.io/enforce"
DRIVER = "OFEDDriverReady"


@pytest.fixture(scope="module", autouse=True)
def _rolled_out(product: Product) -> None:
    product.coordinator.start()
    product.register("node-a", "node-b")
    for node in ("node-a", "node-b"):
        product.simulated.report(node, WITH_DRIVER)
    product.apply(**sections("ofedDriver"))
    product.wait_ready()


@pytest.mark.parametrize(
    ("annotation", "words", "reason"),
    [
        pytest.param(
            "image-pull-fails",
            'Back-off pulling image "mofed": failed to resolve reference "nvcr.io/mofed": unexpected status: 401',
            Reason.ImagePullFailed,
            id="image-pull",
        ),
        pytest.param("crashes", "no package repository answers", Reason.ContainerCrashing, id="crash"),
    ],
)
def test_a_pod_that_fails_is_named_with_what_it_said(
    product: Product, annotation: str, words: str, reason: Reason
) -> None:
    """Behaviours 20, 35 and 74: until it heals."""
    (pod,) = product.api.items(f"{PODS}?fieldSelector=spec.nodeName=node-a")
    name, image = pod["metadata"]["name"], pod["spec"]["containers"][0]["image"]
    annotate = ["annotate", "pod", name, f"--namespace={names.DEFAULT_NAMESPACE}"]

    product.plane.kubectl(*annotate, f"nicfleet.test/{annotation}={words}")

    message = eventually(lambda: _failing(product, reason))
    assert "node-a" in message
    assert "node-b" not in message
    assert words.rpartition(": ")[2] in message
    assert (image in message) is (reason is Reason.ImagePullFailed)
    assert product.api.status()["state"] == "notReady"

    product.plane.kubectl(*annotate, f"nicfleet.test/{annotation}-")
    product.wait_ready()


def test_a_pod_that_pod_security_refuses_names_namespace_and_label(product: Product) -> None:
    """Behaviour 71."""
    product.plane.kubectl("label", NAMESPACE, f"{ENFORCE}=restricted", "--overwrite")
    probe = ("run", "probe", "--image=probe", "--dry-run=server", f"--namespace={names.DEFAULT_NAMESPACE}")
    eventually(lambda: "violates PodSecurity" in product.plane.kubectl(*probe, check=False))  # it is heard of
    product.plane.kubectl("delete", "pods", "--all", f"--namespace={names.DEFAULT_NAMESPACE}")

    message = eventually(lambda: _failing(product, Reason.PodRefused))

    assert names.DEFAULT_NAMESPACE in message
    assert f"{ENFORCE}=privileged" in message

    product.plane.kubectl("label", NAMESPACE, f"{ENFORCE}=privileged", "--overwrite")
    product.plane.kubectl("delete", "daemonsets", "--all", f"--namespace={names.DEFAULT_NAMESPACE}")
    product.wait_ready()


def test_a_node_that_a_taint_keeps_out_is_named_with_the_taint(product: Product) -> None:
    """Behaviours 39 and 72: it does not count as missing, and the message says how to include it."""
    product.register("tainted", taints=[{"key": "example.com/busy", "value": "yes", "effect": "NoSchedule"}])
    product.simulated.report("tainted", WITH_DRIVER)

    left_out = "taint example.com/busy=yes:NoSchedule keeps out tainted; add spec.tolerations to include them"
    eventually(lambda: left_out in product.api.state("state-OFED")["message"])
    product.wait_ready()
    product.simulated.stop("tainted")
    product.api.delete(f"{NODES}/tainted")


def test_a_policy_that_matches_no_node_is_ready_and_says_what_it_looked_for(product: Product) -> None:
    """Behaviour 36."""
    for node in ("node-a", "node-b"):
        product.simulated.report(node, NO_NIC)

    looked_for = f"of 2 nodes, label {names.NIC_LABEL}=true is on 0; nicfleet's agent should set it"
    eventually(lambda: looked_for in product.api.state("state-OFED")["message"])
    eventually(lambda: product.api.state("state-OFED")["state"] == "ready")
    eventually(lambda: product.api.status()["state"] == "ready")


def _failing(product: Product, reason: Reason) -> str:
    condition = product.api.condition(DRIVER)
    return str(condition["message"]) if condition["reason"] == reason else ""
