"""What a driver DaemonSet says of the nodes on which its pods are."""

from unittest.mock import create_autospec

import pytest

from coordinator.driver_pods import DriverPods
from coordinator.kube.client import Kube
from coordinator.kube.errors import Forbidden, Status
from coordinator.labels.wait import DriverPod
from coordinator.nodes import Taint
from coordinator.verdicts.view import LiveWorkload
from coordinator.workloads import ContainerState, Pod
from tests.unit.coordinator.views import NAMESPACE, node, pod, view, workload

UNREACHABLE = Taint("node.kubernetes.io/unreachable", "", "NoSchedule")
OWN = Taint("dedicated", "infra", "NoSchedule")


@pytest.mark.parametrize(
    ("driver", "expected"),
    [
        pytest.param(workload("a", "b"), DriverPod.READY, id="counted"),
        pytest.param(workload("a", away={"b": UNREACHABLE}), DriverPod.UNKNOWN, id="its kubelet is gone"),
        pytest.param(workload("a", tainted={"b": OWN}), DriverPod.NONE, id="a taint keeps pods away"),
        pytest.param(workload("a"), DriverPod.NONE, id="not chosen"),
    ],
)
async def test_what_the_counters_of_a_rolled_out_driver_tell(driver: LiveWorkload, expected: DriverPod) -> None:
    kube = create_autospec(Kube)
    pods = DriverPods(kube, NAMESPACE, lambda nodes: None)

    await pods.update([view(node("a"), node("b"), workloads=(driver,))], asked=True)

    assert (pods.on("a"), pods.on("b")) == (DriverPod.READY, expected)
    kube.pods.assert_not_awaited()


READY = ContainerState("mofed-container", ready=True)
FORBIDDEN = Forbidden("list", "Pods", Status(message="no"))


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        pytest.param((pod("a", READY), pod("b", READY)), DriverPod.READY, id="tainted beside its pod"),
        pytest.param((pod("a", READY), pod("b")), DriverPod.NOT_READY, id="beside a sick one"),
        pytest.param((pod("a", READY), pod("c", READY)), DriverPod.NONE, id="the odd one is elsewhere"),
        pytest.param(FORBIDDEN, DriverPod.UNKNOWN, id="nobody may look"),
    ],
)
@pytest.mark.parametrize(
    "counted", [{"misscheduled": 1}, {"desired": 2, "updated": 2, "ready": 2}], ids=["uncounted", "not counted anew"]
)
async def test_pods_on_tainted_nodes_are_looked_for_when_there_may_be_some(
    there: tuple[Pod, ...] | Forbidden, expected: DriverPod, counted: dict[str, int]
) -> None:
    kube = create_autospec(Kube)
    kube.pods.side_effect = [there]
    pods = DriverPods(kube, NAMESPACE, lambda nodes: None)
    ready = pod("a", READY, ready=True)
    driver = workload("a", tainted={"b": OWN}, live=counted, pods=(ready,))

    await pods.update([view(node("a"), node("b"), workloads=(driver,))], asked=True)

    assert (pods.on("a"), pods.on("b")) == (DriverPod.READY, expected)
