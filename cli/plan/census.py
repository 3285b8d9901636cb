"""Nodes and inventories → every Node as a pass of the coordinator would see it.

The inventories are given to the coordinator's own fleet as if their agents had just reported, and the labels are what
its labeller would write.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from coordinator.fleet.bounds import OutOfBounds
from coordinator.fleet.fleet import RESET_TIME, SETTLE_TIME, Fleet
from coordinator.fleet.identity import Identity
from coordinator.labels.configuration_wait import ConfigurationPod
from coordinator.labels.rules import Mode
from coordinator.labels.wait import DriverPod
from coordinator.node_labels import NodeLabels
from coordinator.nodes import KubeNode
from coordinator.verdicts.view import NodeView
from coordinator.world import Wishes
from nicfleet import wire
from nicfleet.inventory import Inventory, NodeName
from nicfleet.names import ARCH_LABEL
from nicfleet.v1 import fleet_pb2

_START: Final = datetime.fromtimestamp(0, UTC)
_PROGRAM: Final = "nicfleet plan"
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
"""The kernel's names of machines to Kubernetes', where they differ."""


class Census:
    """The nodes of a cluster, all of whose agents have had their time to report."""

    def __init__(
        self, nodes: Iterable[KubeNode], inventories: Mapping[str, Inventory], silent: frozenset[str], mode: Mode
    ) -> None:
        """Raises OutOfBounds for an inventory that is larger than any real one."""
        self._nodes = tuple(nodes)
        self._mode = mode
        self._now = _START
        self._fleet = Fleet(lambda: self._now, lambda _, __: None)
        for node in self._nodes:
            self._fleet.node_seen(node)
        self._fleet.nodes_synced()
        for node in self._nodes:
            if node.name in inventories:
                self._report(inventories[node.name], NodeName(node.name))
        for name in silent & inventories.keys():
            self._fleet.lost(NodeName(name))
        self._now += max(SETTLE_TIME, RESET_TIME)

    def views(self, wishes: Wishes, driver_pod: Callable[[str], DriverPod]) -> dict[str, NodeView]:
        """Every Node, with the labels that it is about to get when these are the wishes of the policies."""
        labels = NodeLabels(
            fleet=self._fleet,
            mode=self._mode,
            wishes=lambda: wishes,
            driver_pod=driver_pod,
            configuration_pod=lambda _: ConfigurationPod.NONE,  # gone soon, where no policy asks for it any more
            clock=lambda: self._now,
        )
        return {node.name: self._view(node, labels) for node in self._nodes}

    def _view(self, node: KubeNode, labels: NodeLabels) -> NodeView:
        snapshot = self._fleet.snapshot(NodeName(node.name))
        expected = labels.expected(node)
        return NodeView(expected, snapshot.facts, snapshot.live) if snapshot else NodeView(expected)

    def _report(self, inventory: Inventory, name: NodeName) -> None:
        named = replace(inventory, node=replace(inventory.node, name=name))
        sections = wire.sections(named, _PROGRAM)
        identity = Identity(name, name, named.node.boot_id or "", _START, _PROGRAM)
        if self._fleet.connected(identity, sections.manifest()):
            update = fleet_pb2.Update(
                manifest=sections.manifest(),
                sections=sections.by_name.values(),
                module_use=wire.module_use_to_wire(named.module_use),
            )
            self._fleet.updated(name, update)


def offline_node(inventory: Inventory) -> KubeNode:
    """The Node of a machine that only its inventory tells of: with the labels that a kubelet sets itself."""
    machine = inventory.node.architecture or ""
    architecture = _ARCHITECTURES.get(machine, machine)
    labels = {
        "kubernetes.io/hostname": str(inventory.node.name),
        "kubernetes.io/os": "linux",
        **({ARCH_LABEL: architecture} if architecture else {}),
    }
    name = inventory.node.name
    return KubeNode(name, f"uid-{name}", "1", _START, labels, architecture=architecture)


__all__ = ["Census", "OutOfBounds", "offline_node"]
