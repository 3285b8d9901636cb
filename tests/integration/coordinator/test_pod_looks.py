"""Pods of an incomplete workload: asked of the API server, not more often than they are worth."""

import asyncio
import json

from coordinator.kube.client import Kube
from coordinator.kube.objects import Ref
from coordinator.pod_looks import LEAST_SECONDS, PodLooks
from coordinator.workloads import Workload
from nicfleet.names import DEFAULT_NAMESPACE
from tests.controlplane.cluster import ControlPlane

REF = Ref("DaemonSet", DEFAULT_NAMESPACE, "looked-at")
WORKLOAD = Workload("DaemonSet", DEFAULT_NAMESPACE, "looked-at", selector={"app": "looked-at"})


def pod(name: str) -> str:
    container = {"name": "c", "image": "i"}
    metadata = {"name": name, "namespace": DEFAULT_NAMESPACE, "labels": {"app": "looked-at"}}
    spec = {"containers": [container], "nodeName": "no-such-node"}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


async def test_a_look_is_good_for_a_moment_and_then_taken_anew(installed: ControlPlane, kube: Kube) -> None:
    looks = PodLooks(kube, uid=lambda _: None)
    installed.kubectl("create", "--filename=-", input=pod("one"))
    first = await looks.look(REF, WORKLOAD)
    installed.kubectl("create", "--filename=-", input=pod("two"))
    await asyncio.sleep(2 * LEAST_SECONDS)

    later = await looks.look(REF, WORKLOAD)

    assert [each.name for each in first.pods] == ["one"]
    assert sorted(each.name for each in later.pods) == ["one", "two"]
    assert await looks.look(REF, WORKLOAD) is later
    installed.kubectl("delete", "pods", "--selector=app=looked-at", f"--namespace={DEFAULT_NAMESPACE}", "--force")
