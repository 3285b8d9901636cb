"""Pods of the NIC configuration's daemon: looked for when nobody asks for it, and only as long as there are some."""

import json
from collections.abc import Iterable

from coordinator.configuration_pods import ConfigurationPods
from coordinator.kube.client import Kube
from coordinator.labels.configuration_wait import ConfigurationPod
from nicfleet.names import DEFAULT_NAMESPACE, NIC_CONFIGURATION_DAEMON_LABEL
from tests.controlplane.cluster import ControlPlane

NODE = "configured"


def daemon() -> str:
    labels = {NIC_CONFIGURATION_DAEMON_LABEL: ""}
    metadata = {"name": "daemon", "namespace": DEFAULT_NAMESPACE, "labels": labels}
    spec = {"containers": [{"name": "c", "image": "i"}], "nodeName": NODE}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


async def test_the_daemon_is_gone_when_its_last_pod_is(installed: ControlPlane, kube: Kube) -> None:
    told: list[Iterable[str] | None] = []
    pods = ConfigurationPods(kube, DEFAULT_NAMESPACE, told.append)
    installed.kubectl("create", "--filename=-", input=daemon())

    asked = await pods.update(asked=True), pods.on(NODE)
    terminating = await pods.update(asked=False), pods.on(NODE), pods.on("another")
    installed.kubectl("delete", "pod", "daemon", f"--namespace={DEFAULT_NAMESPACE}", "--force", "--grace-period=0")
    gone = await pods.update(asked=False), pods.on(NODE)
    installed.kubectl("create", "--filename=-", input=daemon())
    unasked = await pods.update(asked=False), pods.on(NODE)
    installed.kubectl("delete", "pod", "daemon", f"--namespace={DEFAULT_NAMESPACE}", "--force", "--grace-period=0")

    assert asked == (False, ConfigurationPod.UNKNOWN)
    assert terminating == (True, ConfigurationPod.PRESENT, ConfigurationPod.NONE)
    assert gone == (False, ConfigurationPod.NONE)
    assert unasked == gone  # nobody's that nicfleet made: it is not looked for again
    assert told == [None, {NODE}]
