"""What one Node's labels shall be: its agent's report, the policy's wish and the Node itself, put together.

Holds no state of its own and does no I/O; the rules are in `coordinator.labels.rules` and `coordinator.labels.wait`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from coordinator.fleet.fleet import Fleet
from coordinator.fleet.views import LabelStatus
from coordinator.labels.configuration_wait import ConfigurationInputs, ConfigurationPod, configuration_wait
from coordinator.labels.rules import LabelChange, Mode, Wait, Wanted, carried, hardware_of, patch, wanted
from coordinator.labels.wait import DriverPod, WaitInputs, wait
from coordinator.nodes import KubeNode
from coordinator.world import Wishes
from nicfleet.inventory import NodeName
from nicfleet.names import NIC_CONFIGURATION_WAIT_LABEL, NIC_LABEL, WAIT_LABEL


@dataclass(frozen=True, slots=True)
class NodeLabels:
    """`wishes` answers with what the policies want. The two pods of a node are upstream's evidence."""

    fleet: Fleet
    mode: Mode
    wishes: Callable[[], Wishes]
    driver_pod: Callable[[str], DriverPod]
    configuration_pod: Callable[[str], ConfigurationPod]
    clock: Callable[[], datetime]

    def change(self, node: KubeNode) -> LabelChange | None:
        """What has to be written; None when the Node is as it shall be."""
        return patch(node, self.wanted(node), self.mode)

    def status(self, node: KubeNode) -> LabelStatus:
        """For views."""
        target = self.wanted(node)
        change = patch(node, target, self.mode)
        return LabelStatus(target.labels, change is None, change.findings if change else ())

    def wanted(self, node: KubeNode) -> Wanted:
        """The labels that nicfleet shall own on the Node, and those that must be gone."""
        snapshot = self.fleet.snapshot(NodeName(node.name))
        facts = snapshot.facts if snapshot else None
        reported = facts.labels if facts else None
        if facts is not None and facts.partial:
            reported = hardware_of(node) | dict(facts.labels)
        return wanted(node, reported, self.mode, self._waits(node))

    def expected(self, node: KubeNode) -> KubeNode:
        """The Node as it is once its labels are written: a pass decides by what is known, not by what is on its way."""
        labels = carried(node, self.wanted(node), self.mode)
        return node if labels == node.labels else replace(node, labels=labels)

    def moves_in(self, node: KubeNode) -> float | None:
        """Seconds until time alone may move a label of the Node; None when none is running: the absence of its agent
        begins to mean something, or that of devices."""
        name, now = NodeName(node.name), self.clock()
        ends = [until for until in (self.fleet.node_settles(name, now), self.fleet.node_recovers(name, now)) if until]
        return (min(ends) - now).total_seconds() if ends else None

    def _waits(self, node: KubeNode) -> dict[str, Wait]:
        """By wait label, what it shall be."""
        name, now = NodeName(node.name), self.clock()
        snapshot = self.fleet.snapshot(name)
        live = snapshot.facts if snapshot and snapshot.live else None
        labels = node.labels if live is None else {**_without_nic(node), **live.labels}
        settled = self.fleet.node_settles(name, now) is None
        resetting = self.fleet.node_recovers(name, now) is not None
        nic = labels.get(NIC_LABEL) == "true"
        wishes = self.wishes()
        pod = self.driver_pod(node.name)
        driver = WaitInputs(live.driver if live else None, settled, nic, pod, resetting)
        configuration = ConfigurationInputs(live is not None, settled, nic, self.configuration_pod(node.name))
        return {
            WAIT_LABEL: wait(wishes.on(replace(node, labels=labels), pod), driver),
            NIC_CONFIGURATION_WAIT_LABEL: configuration_wait(wishes.configuration, configuration),
        }


def _without_nic(node: KubeNode) -> dict[str, str]:
    """The Node's labels but the NIC's own: what the live agent says of it counts."""
    return {key: value for key, value in node.labels.items() if key != NIC_LABEL}
