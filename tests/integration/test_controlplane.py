"""The control plane that every integration test stands on does what they rely on."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane.cluster import ControlPlane
from tests.controlplane.errors import ControlPlaneError
from tests.controlplane.loopback import free_ports
from tests.controlplane.nodes import fake_node
from tests.controlplane.process import Process
from tests.integration.system.waiting import eventually

NAMESPACE = "controlplane-test"
SELECTOR = {"nicfleet.test/controlplane": "yes"}
NODES = ("controlplane-a", "controlplane-b")


@pytest.fixture(scope="module")
def nodes(cluster: ControlPlane) -> Iterator[ControlPlane]:
    tainted = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.apply(
        fake_node(NODES[0], labels=SELECTOR, addresses=["192.0.2.7"]),
        fake_node(NODES[1], labels=SELECTOR, taints=[tainted]),
    )
    cluster.kubectl("wait", "--for=condition=Ready", "node", *NODES, "--timeout=90s")
    yield cluster
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    cluster.kubectl("delete", "node", *NODES)


def test_a_fake_node_becomes_ready_with_the_addresses_labels_and_taints_asked_for(nodes: ControlPlane) -> None:
    addressed, tainted = (nodes.get("node", name) for name in NODES)

    assert addressed["status"]["addresses"][0] == {"type": "InternalIP", "address": "192.0.2.7"}
    assert addressed["metadata"]["labels"].items() >= SELECTOR.items()
    assert [taint["key"] for taint in tainted["spec"]["taints"]] == ["nvidia.com/gpu"]


def test_daemonset_pods_become_ready_and_replaced_ones_go(nodes: ControlPlane) -> None:
    nodes.apply(daemonset("driver", image="example.com/driver:1"))
    nodes.kubectl("rollout", "status", "daemonset/driver", f"--namespace={NAMESPACE}", "--timeout=90s")

    nodes.apply(daemonset("driver", image="example.com/driver:2"))
    nodes.kubectl("rollout", "status", "daemonset/driver", f"--namespace={NAMESPACE}", "--timeout=90s")

    images = {pod["spec"]["containers"][0]["image"] for pod in pods(nodes, "driver")}
    assert images == {"example.com/driver:2"}


@pytest.mark.parametrize(
    ("annotation", "reason", "told_in"),
    [
        pytest.param("image-pull-fails", "ImagePullBackOff", ("state", "waiting"), id="image-pull"),
        pytest.param("crashes", "CrashLoopBackOff", ("lastState", "terminated"), id="crash"),
    ],
)
def test_an_annotated_pod_fails_until_the_annotation_goes(
    nodes: ControlPlane, annotation: str, reason: str, told_in: tuple[str, str]
) -> None:
    name = f"failing-{annotation}"
    nodes.apply(daemonset(name, annotations={f"nicfleet.test/{annotation}": "the user's words"}))
    eventually(lambda: [waiting_reason(pod) for pod in pods(nodes, name)] == [reason])
    (failing,) = pods(nodes, name)
    told = failing["status"]["containerStatuses"][0][told_in[0]][told_in[1]]
    assert told["message"] == "the user's words"

    pod_name = failing["metadata"]["name"]
    nodes.kubectl("annotate", "pod", pod_name, f"nicfleet.test/{annotation}-", f"--namespace={NAMESPACE}")

    nodes.kubectl("rollout", "status", f"daemonset/{name}", f"--namespace={NAMESPACE}", "--timeout=90s")


def test_a_service_account_has_only_its_own_rights_and_the_audit_log_tells_who_did_what(nodes: ControlPlane) -> None:
    nodes.kubectl("create", "serviceaccount", "reader", f"--namespace={NAMESPACE}")
    kubeconfig = nodes.service_account_kubeconfig(NAMESPACE, "reader")

    with pytest.raises(ControlPlaneError, match='User "system:serviceaccount:controlplane-test:reader" cannot list'):
        nodes.kubectl("get", "nodes", f"--kubeconfig={kubeconfig}")

    user = f"system:serviceaccount:{NAMESPACE}:reader"
    eventually(lambda: ("list", "nodes", 403) in requests(nodes, user))


def test_many_objects_are_created_over_one_connection_and_a_refusal_is_told(nodes: ControlPlane) -> None:
    collection = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
    nodes.create(collection, [{"metadata": {"name": f"many-{number}"}} for number in range(50)])
    assert len([item for item in names(nodes, "configmaps") if item.startswith("many-")]) == 50

    with pytest.raises(ControlPlaneError, match=r"many-0.* already exists"):
        nodes.create(collection, [{"metadata": {"name": "many-0"}}])


def test_objects_survive_a_restart_of_the_api_server(nodes: ControlPlane) -> None:
    before = nodes.get("namespace", NAMESPACE)["metadata"]["uid"]

    nodes.restart_apiserver()

    assert nodes.get("namespace", NAMESPACE)["metadata"]["uid"] == before


def test_a_kind_that_is_seconds_old_goes_at_once_with_its_objects_and_comes_back_without_them(
    cluster: ControlPlane,
) -> None:
    name = "things.controlplane.example.com"
    held = {
        "apiVersion": "controlplane.example.com/v1",
        "kind": "Thing",
        "metadata": {"name": "held", "finalizers": ["example.com/nobody"]},
    }
    cluster.serve(thing_crd(name))
    cluster.apply(held)

    cluster.remove("crd", name)
    assert "NotFound" in cluster.kubectl("get", "crd", name, check=False)
    cluster.serve(thing_crd(name))
    assert "No resources" in cluster.kubectl("get", name, check=False)
    cluster.remove("crd", name)


def thing_crd(name: str) -> dict[str, Any]:
    plural, _, group = name.partition(".")
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {
            "group": group,
            "scope": "Cluster",
            "names": {"plural": plural, "kind": "Thing"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


def test_a_component_that_cannot_start_is_named_with_its_last_words(tmp_path: Path) -> None:
    etcd = Process("etcd", ["sh", "-c", "echo no such flag; exit 1"], tmp_path / "etcd.log")
    etcd.start()

    with pytest.raises(ControlPlaneError, match=r"(?s)etcd exited while it started.*no such flag"):
        etcd.wait_until(lambda: False, timeout=10)


def test_ports_of_one_process_are_given_to_no_other_one() -> None:
    """Nobody listens on them: a server may start on them late, or anew."""
    mine = free_ports(300)
    program = "from tests.controlplane.loopback import free_ports; print(*free_ports(9000))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    theirs = {int(port) for port in done.stdout.split()}
    assert len(theirs) > 5000
    assert theirs.isdisjoint(mine)
    assert len({*mine, *free_ports(300)}) == 600


def test_a_killed_parent_leaves_no_process(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.controlplane", "up"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        said = ""
        while "Ctrl-C" not in said:
            said += (line := parent.stdout.readline())
            assert line, f"it ended early: {said}"
        pids = [int(pid) for pid in re.findall(r"pid (\d+)", said)]
        assert len(pids) == 5
        assert all(is_alive(pid) for pid in pids)

        parent.send_signal(signal.SIGKILL)

    eventually(lambda: not any(is_alive(pid) for pid in pids))


def daemonset(
    name: str, image: str = "example.com/driver:1", annotations: dict[str, str] | None = None
) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": annotations or {}},
                "spec": {
                    "nodeSelector": SELECTOR,
                    "initContainers": [{"name": "wait", "image": "example.com/wait:1"}],
                    "containers": [{"name": "driver", "image": image}],
                },
            },
        },
    }


def pods(cluster: ControlPlane, app: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = cluster.get("pods", f"--selector=app={app}", f"--namespace={NAMESPACE}")["items"]
    return items


def names(cluster: ControlPlane, kind: str) -> list[str]:
    return [item["metadata"]["name"] for item in cluster.get(kind, f"--namespace={NAMESPACE}")["items"]]


def waiting_reason(pod: dict[str, Any]) -> str | None:
    statuses = pod["status"].get("containerStatuses", [])
    return next((status["state"].get("waiting", {}).get("reason") for status in statuses), None)


def requests(cluster: ControlPlane, user: str) -> list[tuple[str, str, int]]:
    return [
        (event["verb"], event["objectRef"]["resource"], event["responseStatus"]["code"])
        for event in cluster.audit()
        if event["user"]["username"] == user and "objectRef" in event
    ]


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
    return "State:\tZ" not in status  # a zombie waits only for init to notice
