"""What the policy itself, the API server and the choice of nodes say about a state."""

from collections import defaultdict

from coordinator.view import LiveWorkload, StateView
from nicfleet.names import NIC_LABEL
from nicfleet.reasons import Finding, Reason, name_nodes


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
    return Finding(Reason.NotSupported, "; ".join(view.caveats)) if view.caveats else None


def no_matching_nodes(view: StateView) -> Finding | None:
    """Nothing to do is not an error, but a user who expected something must read why."""
    for workload in view.workloads:
        placement = workload.placement
        if workload.is_daemonset and not (placement.admitted or placement.tainted or workload.waiting):
            return Finding(Reason.NoMatchingNodes, f"{workload.title} runs nowhere: {_missing_labels(workload, view)}")
    return None


def nodes_left_out(view: StateView) -> Finding | None:
    """Nodes that a taint keeps out, all of one taint in one sentence."""
    nodes: defaultdict[str, set[str]] = defaultdict(set)
    for workload in view.workloads:
        if workload.is_daemonset:
            for node, taint in workload.placement.tainted.items():
                value = f"={taint.value}" if taint.value else ""
                nodes[f"{taint.key}{value}:{taint.effect}"].add(node)
    if not nodes:
        return None
    sentences = [f"taint {taint} keeps out {name_nodes(tuple(names))}" for taint, names in sorted(nodes.items())]
    everyone = tuple(sorted(set().union(*nodes.values())))
    return Finding(
        Reason.NodeExcludedByTaint, "; ".join(sentences) + "; add spec.tolerations to include them", everyone
    )


def _missing_labels(workload: LiveWorkload, view: StateView) -> str:
    selector = workload.pod_spec.get("nodeSelector") or {}
    if not selector:
        return f"none of the cluster's {len(view.nodes)} nodes is chosen by spec.nodeAffinity"
    parts = []
    for key, value in sorted(selector.items()):
        have = sum(1 for node in view.nodes.values() if node.kube.labels.get(key) == value)
        parts.append(f"{key}={value} is on {have}")
    provider = "nicfleet's agent" if NIC_LABEL in selector else "whoever manages these labels"
    return f"of {len(view.nodes)} nodes, label {', '.join(parts)}; {provider} should set it"
