"""Builders of what readiness looks at: a healthy state, and ways to spoil it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from coordinator.fleet.driver import DriverFacts
from coordinator.fleet.facts import Facts
from coordinator.labels.wait import DriverRequest
from coordinator.nodes import KubeNode, Taint
from coordinator.objects.scheduling import Placement
from coordinator.verdicts.view import LiveWorkload, NodeView, StateView
from coordinator.workloads import ContainerState, Pod, Workload
from nicfleet.inventory import Flavour
from nicfleet.names import NIC_LABEL

NAMESPACE = "nvidia-network-operator"
REQUEST = DriverRequest("23.04-0.5.3.3.1")
LOADED = DriverFacts(judged=2, flavour=Flavour.OFED, version="23.04-0.5.3", kernel="5.15.0-78-generic")
DIRECTORIES = ("var/lib/kubelet/device-plugins", "var/lib/kubelet/plugins_registry")


def node(
    name: str, driver: DriverFacts = LOADED, *, live: bool = True, ips: tuple[str, ...] = (), **facts: Any
) -> NodeView:
    """A NIC node whose agent reports; `facts` replaces fields of Facts."""
    kube = KubeNode(name, f"uid-{name}", "1", datetime(2026, 1, 1, tzinfo=UTC), {NIC_LABEL: "true"}, internal_ips=ips)
    return NodeView(kube, replace(Facts(driver=driver, plugin_directories=DIRECTORIES), **facts), live)


def nicless(name: str) -> NodeView:
    return replace(node(name), kube=replace(node(name).kube, labels={}))


def silent(name: str) -> NodeView:
    return replace(node(name), live=False)


def unreported(name: str) -> NodeView:
    return replace(node(name), live=False, facts=None)


def pod(node_name: str, container: ContainerState | None = None, **changes: Any) -> Pod:
    containers = (container,) if container else ()
    whole = Pod(NAMESPACE, f"ds-{node_name}", node_name, "Running", template_generation="1", containers=containers)
    return replace(whole, **changes)


def workload(
    *nodes: str,
    name: str = "mofed-ds",
    tainted: Mapping[str, Taint] | None = None,
    away: Mapping[str, Taint] | None = None,
    pod_spec: Mapping[str, Any] | None = None,
    live: Mapping[str, Any] | None = None,
    **changes: Any,
) -> LiveWorkload:
    """A DaemonSet that runs well on the nodes named; `live` replaces fields of what the API server has."""
    count = len(nodes)
    seen = Workload("DaemonSet", NAMESPACE, name, 1, 1, count, count, count, count, template_generation="1")
    whole = LiveWorkload(
        "DaemonSet",
        NAMESPACE,
        name,
        {"nodeSelector": {NIC_LABEL: "true"}} | dict(pod_spec or {}),
        Placement(tuple(sorted(nodes)), tainted or {}, away or {}),
        live=replace(seen, **(live or {})),
    )
    return replace(whole, **changes)


def deployment(**live: Any) -> LiveWorkload:
    """A Deployment as the API server has it, its status with no counters but these."""
    seen = Workload("Deployment", NAMESPACE, "whereabouts", 1, 1, **live)
    return LiveWorkload("Deployment", NAMESPACE, "whereabouts", {}, Placement((), {}), live=seen)


def view(*nodes: NodeView, name: str = "state-OFED", **changes: Any) -> StateView:
    """The driver's state, rolled out on the nodes given and confirmed by their agents."""
    names = [each.kube.name for each in nodes]
    whole = StateView(name, True, {each.kube.name: each for each in nodes}, (workload(*names),), driver=REQUEST)
    return replace(whole, **changes)
