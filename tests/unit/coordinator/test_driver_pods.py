"""What a driver DaemonSet says of the nodes on which its pods are."""

from unittest.mock import create_autospec

import pytest

from coordinator.driver_pods import DriverPods
from coordinator.kube.client import Kube
from coordinator.labels.wait import DriverPod
from coordinator.nodes import Taint
from coordinator.verdicts.view import LiveWorkload
from tests.unit.coordinator.views import NAMESPACE, node, view, workload

UNREACHABLE = Taint("node.kubernetes.io/unreachable", "", "NoSchedule")
OWN = Taint("dedicated", "infra", "NoSchedule")


@pytest.mark.parametrize(
    ("driver", "expected"),
    [
        pytest.param(workload("a", "b"), DriverPod.READY, id="counted"),
        pytest.param(workload("a", away={"b": UNREACHABLE}), DriverPod.UNKNOWN, id="its kubelet is gone"),
        pytest.param(workload("a", tainted={"b": OWN}), DriverPod.UNKNOWN, id="it takes no new pods"),
        pytest.param(workload("a"), DriverPod.NONE, id="not chosen"),
    ],
)
async def test_of_a_node_that_the_controller_does_not_count_nothing_is_known(
    driver: LiveWorkload, expected: DriverPod
) -> None:
    pods = DriverPods(create_autospec(Kube), NAMESPACE, lambda nodes: None)

    await pods.update([view(node("a"), node("b"), workloads=(driver,))], asked=True)

    assert (pods.on("a"), pods.on("b")) == (DriverPod.READY, expected)
