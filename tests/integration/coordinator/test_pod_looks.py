"""Pods of an incomplete workload: asked of the API server, not more often than they are worth."""

import asyncio
import json
from typing import Any

import pytest

from coordinator import pod_looks
from coordinator.kube.client import Kube
from coordinator.kube.objects import Ref
from coordinator.objects.live import decode_workload
from coordinator.pod_looks import PodLooks
from coordinator.workloads import Workload
from nicfleet.names import DEFAULT_NAMESPACE
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.nodes import fake_node
from tests.integration.system.waiting import eventually

REF = Ref("DaemonSet", DEFAULT_NAMESPACE, "looked-at")
WORKLOAD = Workload("DaemonSet", DEFAULT_NAMESPACE, "looked-at", selector={"app": "looked-at"})


def pod(name: str) -> str:
    container = {"name": "c", "image": "i"}
    metadata = {"name": name, "namespace": DEFAULT_NAMESPACE, "labels": {"app": "looked-at"}}
    spec = {"containers": [container], "nodeName": "no-such-node"}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


async def test_a_look_is_good_for_a_moment_and_then_taken_anew(
    installed: ControlPlane, kube: Kube, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = PodLooks(kube, uid=lambda _: None)
    installed.kubectl("create", "--filename=-", input=pod("one"))
    first = await looks.look(REF, WORKLOAD)
    installed.kubectl("create", "--filename=-", input=pod("two"))
    await asyncio.sleep(2 * pod_looks.LEAST_SECONDS)
    monkeypatch.setattr(pod_looks, "LEAST_SECONDS", 600.0)  # longer than any machine needs for the next lines

    later = await looks.look(REF, WORKLOAD)

    assert [each.name for each in first.pods] == ["one"]
    assert sorted(each.name for each in later.pods) == ["one", "two"]
    assert await looks.look(REF, WORKLOAD) is later
    installed.kubectl("delete", "pods", "--selector=app=looked-at", f"--namespace={DEFAULT_NAMESPACE}", "--force")


DRIVER = Ref("DaemonSet", DEFAULT_NAMESPACE, "driver")
TOLERANT = {"tolerations": [{"key": "edge", "operator": "Exists"}], "nodeSelector": {"kubernetes.io/arch": "amd64"}}


def driver(**spec: Any) -> dict[str, Any]:
    labels = {"app": "driver"}
    pod = {
        "hostNetwork": True,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "containers": [{"name": "c", "image": "i:1"}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": DRIVER.name, "namespace": DRIVER.namespace},
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "OnDelete"},
            "template": {"metadata": {"labels": labels}, "spec": pod | spec},
        },
    }


async def test_a_driver_pod_is_outdated_by_what_runs_in_it_and_not_by_where_it_may_run(
    installed: ControlPlane, kube: Kube
) -> None:
    """The DaemonSet controller calls both outdated."""

    async def seen() -> tuple[str, list[str]]:
        workload = decode_workload(await kube.get(DRIVER), DRIVER.kind).workload
        assert workload is not None
        detail = await PodLooks(kube, uid=lambda _: None).look(DRIVER, workload)
        return workload.template_generation, [pod.template_generation for pod in detail.pods]

    def counted(generation: int, updated: int) -> bool:
        status = installed.get("daemonset", DRIVER.name, f"--namespace={DRIVER.namespace}")["status"]
        return (status["observedGeneration"], status.get("updatedNumberScheduled", 0)) == (generation, updated)

    installed.apply(fake_node("looked-at"), driver())
    eventually(lambda: counted(1, updated=1))
    installed.apply(driver(**TOLERANT))
    eventually(lambda: counted(2, updated=0))
    assert await seen() == ("2", ["2"])

    installed.apply(driver(**TOLERANT, terminationGracePeriodSeconds=5))
    eventually(lambda: counted(3, updated=0))
    assert await seen() == ("3", ["1"])

    installed.apply(driver(**TOLERANT))
    eventually(lambda: counted(4, updated=0))
    assert await seen() == ("4", ["4"])
    installed.remove("daemonset", DRIVER.name, f"--namespace={DRIVER.namespace}")
    installed.remove("node", "looked-at")
