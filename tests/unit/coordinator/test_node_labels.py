"""What a Node's labels shall be, from its agent's report, the policy and the Node itself together."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from coordinator.fleet.fleet import Fleet
from coordinator.labels.configuration_wait import ConfigurationPod
from coordinator.labels.rules import LabelChange, Mode
from coordinator.labels.wait import DriverPod
from coordinator.node_labels import NodeLabels
from coordinator.nodes import KubeNode, Taint
from coordinator.objects.served import ServedPolicy
from coordinator.world import DriverWish, Wishes
from nicfleet.inventory import Driver, DriverContainer, Inventory, NodeName, Unread
from nicfleet.names import NIC_LABEL, WAIT_LABEL
from tests.unit.coordinator.inventories import connectx6dx, inventory, kube_node, node, ofed
from tests.unit.coordinator.policies import image, policy
from tests.unit.coordinator.reports import hello, identity, update

NOW = datetime(2026, 11, 25, tzinfo=UTC)
NAME = NodeName("worker-1")
DRIVER = Wishes((DriverWish.of(ServedPolicy.of(policy(ofedDriver=image(version="24.10-0.7.0.0-0")))),))
NOBODY = Wishes()
UNKNOWN = Wishes(unknown=True)
OWN = Taint("dedicated", "db", "NoSchedule")
CORDON = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")
LABELLED = kube_node(labels={NIC_LABEL: "true"}, owned=frozenset({NIC_LABEL}))


class Cluster:
    """One Node, its agent's reports, a policy or none."""

    def __init__(self, kube: KubeNode, wishes: Wishes = NOBODY, driver_pod: DriverPod = DriverPod.NONE) -> None:
        self.kube = kube
        self.now = NOW
        self.fleet = Fleet(lambda: self.now, lambda *_: None)
        self.fleet.node_seen(kube)
        self.fleet.nodes_synced()
        self.labels = NodeLabels(
            fleet=self.fleet,
            mode=Mode.REPLACE,
            wishes=lambda: wishes,
            driver_pod=lambda _: driver_pod,
            configuration_pod=lambda _: ConfigurationPod.NONE,
            clock=lambda: self.now,
        )

    def report(self, value: Inventory) -> "Cluster":
        who = identity(NAME)
        self.fleet.connected(who, hello(value, who).manifest)
        self.fleet.updated(NAME, update(value))
        return self

    def change(self) -> LabelChange | None:
        return self.labels.change(self.kube)

    def wait(self) -> str | None:
        return self.labels.wanted(self.kube).labels.get(WAIT_LABEL)


def test_a_node_that_has_not_reported_keeps_what_it_has() -> None:
    assert Cluster(LABELLED).change() is None


def test_a_live_agent_that_sees_no_nic_takes_the_label_away() -> None:
    change = Cluster(LABELLED).report(inventory()).change()
    assert change is not None
    assert NIC_LABEL not in change.labels


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(
            inventory(driver=Driver(container=DriverContainer(running=True))), id="driver container is loading"
        ),
        pytest.param(
            inventory(driver=Driver(container=DriverContainer(reloading=True))), id="driver reload was cut off"
        ),
        pytest.param(
            inventory(node=node(unread=(Unread("sys/bus/pci/devices/0000:3b:00.0/vendor", 5),))),
            id="a device that does not say what it is",
        ),
        pytest.param(inventory(node=node(kernel_release=None)), id="a kernel that does not say its release"),
        pytest.param(inventory(node=node(os_id=None)), id="a host whose os-release is not mounted"),
    ],
)
def test_what_may_only_be_out_of_sight_takes_no_label_away(seen: Inventory) -> None:
    assert Cluster(LABELLED).report(seen).labels.wanted(LABELLED).labels[NIC_LABEL] == "true"


def test_without_a_driver_asked_for_a_nic_node_need_not_wait() -> None:
    assert Cluster(LABELLED).report(inventory(connectx6dx())).wait() == "false"


def test_before_the_policies_are_known_the_wait_label_is_kept() -> None:
    waiting = replace(LABELLED, labels={**LABELLED.labels, WAIT_LABEL: "true"}, owned=LABELLED.owned | {WAIT_LABEL})
    assert Cluster(waiting, UNKNOWN).report(inventory(connectx6dx())).wait() == "true"


@pytest.mark.parametrize(
    ("driver", "expected"),
    [
        pytest.param(Driver(), "true", id="not loaded"),
        pytest.param(ofed("24.10-0.7.0"), "false", id="loaded as asked"),
        pytest.param(ofed("23.04-0.5.3"), "true", id="another version"),
    ],
)
def test_the_wait_label_follows_what_the_agent_sees(driver: Driver, expected: str) -> None:
    assert Cluster(LABELLED, DRIVER).report(inventory(connectx6dx(), driver=driver)).wait() == expected


def test_where_the_policy_does_not_send_a_driver_nothing_waits_for_it() -> None:
    tainted = replace(LABELLED, taints=(Taint("dedicated", "infra", "NoExecute"),))
    rocky = inventory(connectx6dx(), node=node(os_id="rocky", os_version_id="9.3"))
    assert Cluster(tainted, DRIVER).report(inventory(connectx6dx())).wait() == "false"
    assert Cluster(LABELLED, DRIVER).report(rocky).wait() == "false"


def test_a_node_that_takes_no_new_pods_for_a_while_still_waits_for_its_driver() -> None:
    """After a reboot the node is not ready yet, and its agent sees the kernel's own driver already."""
    not_ready = replace(LABELLED, taints=(Taint("node.kubernetes.io/not-ready", "", "NoSchedule"),))
    assert Cluster(not_ready, DRIVER).report(inventory(connectx6dx())).wait() == "true"


@pytest.mark.parametrize(
    ("taint", "pod", "expected"),
    [
        pytest.param(OWN, DriverPod.NONE, "false", id="left out"),
        pytest.param(OWN, DriverPod.READY, "true", id="tainted beside its pod"),
        pytest.param(OWN, DriverPod.UNKNOWN, "true", id="nobody looked for its pod"),
        pytest.param(Taint("dedicated", "db", "PreferNoSchedule"), DriverPod.NONE, "true", id="not wished for"),
        pytest.param(
            Taint("node.kubernetes.io/unschedulable", "", "NoSchedule"), DriverPod.NONE, "true", id="cordoned"
        ),
    ],
)
def test_a_node_that_takes_no_driver_pod_and_has_none_waits_for_nothing(
    taint: Taint, pod: DriverPod, expected: str
) -> None:
    """No driver is ever sent there, and what tolerates the taint would wait for ever."""
    assert Cluster(replace(LABELLED, taints=(taint,)), DRIVER, pod).report(inventory(connectx6dx())).wait() == expected


def test_the_absence_of_an_agent_means_something_after_a_minute() -> None:
    cluster = Cluster(LABELLED, DRIVER)
    assert cluster.labels.moves_in(cluster.kube) == 60.0
    cluster.now += timedelta(seconds=61)
    assert cluster.labels.moves_in(cluster.kube) is None


def test_devices_that_are_missing_for_as_long_as_a_firmware_reset_takes_do_not_move_the_wait_label() -> None:
    reset = inventory(connectx6dx(driver=None, rdma_devices=()), driver=ofed("24.10-0.7.0"))
    served = replace(LABELLED, labels={**LABELLED.labels, WAIT_LABEL: "false"}, owned=LABELLED.owned | {WAIT_LABEL})
    cluster = Cluster(served, DRIVER, DriverPod.READY).report(inventory(connectx6dx(), driver=ofed("24.10-0.7.0")))
    assert cluster.labels.moves_in(cluster.kube) is None

    cluster.report(reset)
    assert cluster.wait() == "false"
    assert cluster.labels.moves_in(cluster.kube) == 180.0

    cluster.now += timedelta(seconds=179)
    cluster.report(replace(reset, functions=(*reset.functions, connectx6dx("0000:5e:00.0", rdma_devices=()))))
    assert cluster.wait() == "false"
    assert cluster.labels.moves_in(cluster.kube) == 1.0  # the next one to be reset does not begin anew

    cluster.now += timedelta(seconds=1)
    assert cluster.wait() == "true"
    assert cluster.labels.moves_in(cluster.kube) is None

    cluster.report(inventory(connectx6dx(), driver=ofed("24.10-0.7.0")))
    cluster.report(reset)
    assert cluster.wait() == "false"
