"""What the policy itself, the API server and the choice of nodes say about a state."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from coordinator.nodes import Taint
from coordinator.objects.scheduling import NOT_READY, UNREACHABLE, Placement
from coordinator.verdicts.view import NodeView, StateView
from nicfleet.names import NIC_LABEL
from nicfleet.reasons import MOST_NODES_NAMED, Finding, Reason, first_of, name_nodes

_OUT_OF_ORDER: Final = {UNREACHABLE: "the kubelet does not answer", NOT_READY: "the kubelet is not ready"}


def spec_invalid(view: StateView) -> Finding | None:
    return view.problem


def write_refused(view: StateView) -> Finding | None:
    return min(view.refused, default=None)


def old_objects_remain(view: StateView) -> Finding | None:
    if not view.remaining:
        return None
    first, count = view.remaining[0], len(view.remaining)
    more = "" if count == 1 else f" and {count - 1} more"
    return Finding(Reason.Removing, f"waiting for {first}{more} to be gone from the API server")


def accepted_without_effect(view: StateView) -> Finding | None:
    return Finding(Reason.Caveat, "; ".join(view.caveats)) if view.caveats else None


def version_not_global(view: StateView) -> Finding | None:
    """Values repeated in one component are forgotten when the common one is raised: a cluster upgraded by half."""
    if not view.own_versions:
        return None
    return Finding(Reason.VersionNotGlobal, f"{', '.join(view.own_versions)}, and not the one of spec.global")


def no_matching_nodes(view: StateView) -> Finding | None:
    """Nothing to do is not an error, but a user who expected something must read why."""
    for workload in view.workloads:
        placement = workload.placement
        if workload.is_daemonset and not (placement.chosen or placement.tainted or workload.waiting):
            selector = workload.pod_spec.get("nodeSelector") or {}
            return Finding(Reason.NoMatchingNodes, f"{workload.title} runs nowhere: {_missing_labels(selector, view)}")
    driver = view.driver_placement
    if driver is not None and not (driver.chosen or driver.tainted):
        return Finding(Reason.NoMatchingNodes, f"no node gets a driver: {_missing_labels({NIC_LABEL: 'true'}, view)}")
    return None


def no_node_in_order(view: StateView) -> Finding | None:
    """Kubernetes counts no node that is away: without this a policy would be ready for the loss of its last one."""
    return None if _runs_somewhere(view) else _away(view)


def nodes_away(view: StateView) -> Finding | None:
    """Of thousands of nodes some always are: that is told, and the others are no less ready for it."""
    return _away(view) if _runs_somewhere(view) else None


def _runs_somewhere(view: StateView) -> bool:
    """Of the driver's pools, one for each kernel, it is enough that one does."""
    return any(placement.admitted for placement in _placements(view))


def _away(view: StateView) -> Finding | None:
    nodes: defaultdict[str, set[str]] = defaultdict(set)
    for placement in _placements(view):
        for name, taint in placement.away.items():
            nodes[f"{_said_of(taint)}, and {_word_of_agent(view.nodes[name])}"].add(name)
    if not nodes:
        return None
    sentences = [f"{name_nodes(names)}: {said}" for said, names in sorted(nodes.items())]
    return Finding(
        Reason.NodeNotReady,
        first_of(sentences, "causes")
        + "; what runs there is not known: repair the node, delete it, or leave it out by a taint",
        tuple(sorted(set().union(*nodes.values()))),
    )


def nodes_left_out(view: StateView) -> Finding | None:
    """Nodes that a taint keeps out, all of one taint in one sentence; of many taints those that keep out most."""
    nodes: defaultdict[str, set[str]] = defaultdict(set)
    for placement in _placements(view):
        for node, taint in placement.tainted.items():
            value = f"={taint.value}" if taint.value else ""
            nodes[f"{taint.key}{value}:{taint.effect}"].add(node)
    if not nodes:
        return None
    most = sorted(nodes, key=lambda taint: (-len(nodes[taint]), taint))
    taints = sorted(most[:MOST_NODES_NAMED]) + most[MOST_NODES_NAMED:]
    sentences = [f"taint {taint} keeps out {name_nodes(nodes[taint])}" for taint in taints]
    everyone = tuple(sorted(set().union(*nodes.values())))
    return Finding(
        Reason.NodeExcludedByTaint, first_of(sentences, "taints") + "; add spec.tolerations to include them", everyone
    )


def _placements(view: StateView) -> Iterator[Placement]:
    yield from (workload.placement for workload in view.workloads if workload.is_daemonset)
    if view.driver_placement:
        yield view.driver_placement


def _said_of(taint: Taint) -> str:
    return _OUT_OF_ORDER.get(taint.key) or f"it has Kubernetes' taint {taint.key}"


def _word_of_agent(node: NodeView) -> str:
    if node.live:
        return "the agent reports"
    return "no agent has reported" if node.facts is None else "the agent's last word is old"


def _missing_labels(selector: Mapping[str, str], view: StateView) -> str:
    labelled = [node for node in view.nodes.values() if selector.items() <= node.kube.labels.items()]
    if not selector:
        return f"none of the cluster's {len(view.nodes)} nodes is chosen by spec.nodeAffinity"
    if labelled:
        labels = ", ".join(f"{key}={value}" for key, value in sorted(selector.items()))
        return f"none of the {len(labelled)} nodes with label {labels} is chosen by spec.nodeAffinity"
    parts = []
    for key, value in sorted(selector.items()):
        have = sum(1 for node in view.nodes.values() if node.kube.labels.get(key) == value)
        parts.append(f"{key}={value} is on {have}")
    provider = "nicfleet's agent" if NIC_LABEL in selector else "whoever manages these labels"
    return f"of {len(view.nodes)} nodes, label {', '.join(parts)}; {provider} should set it"
