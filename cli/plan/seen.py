"""All that was read before anything is concluded, as one value. Offline it is nodes and inventories."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cli.plan.documents import Body
from coordinator.kube.objects import Ref
from coordinator.labels.rules import Mode
from coordinator.nodes import KubeNode
from coordinator.objects.live import LiveObject, decode_object, decode_workload
from coordinator.states.cluster import Cluster
from coordinator.workloads import Pod, Workload
from coordinator.world import WORKLOADS
from nicfleet.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a cluster.

    cluster      as the states see it, without pools
    inventories  by node, of those whose agents have reported
    silent       nodes whose agents are not connected now
    server       the API server's address; empty offline
    objects      as the API server has them, by name: what carries a state's label, and what is in its place
    hidden       objects that the account may not read
    driver_pods  the pods of any driver; None when the account may not list them
    notes        what could not be read, in sentences
    """

    cluster: Cluster
    mode: Mode = Mode.REPLACE
    nodes: tuple[KubeNode, ...] = ()
    inventories: Mapping[str, Inventory] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    server: str = ""
    policies: tuple[Body, ...] = ()
    networks: tuple[Body, ...] = ()
    objects: Mapping[Ref, bytes] = field(default_factory=dict)
    hidden: frozenset[Ref] = frozenset()
    driver_pods: tuple[Pod, ...] | None = ()
    notes: tuple[str, ...] = ()

    @property
    def live(self) -> bool:
        return bool(self.server)


def live_objects(objects: Mapping[Ref, bytes]) -> dict[Ref, LiveObject]:
    """Decoded as the coordinator has them."""
    return {
        ref: (decode_workload if ref.kind in WORKLOADS else decode_object)(raw, ref.kind)
        for ref, raw in objects.items()
    }


def workloads(live: Mapping[Ref, LiveObject]) -> dict[Ref, Workload]:
    """What runs for the states."""
    return {ref: item.workload for ref, item in live.items() if item.workload is not None and item.state}
