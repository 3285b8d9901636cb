"""What it means for a state that labels of Nodes cannot be written."""

from coordinator.verdicts.view import StateView
from nicfleet.reasons import Finding


def labels_refused(view: StateView) -> Finding | None:
    """Its pods are not where they should be: they go by labels that their nodes do not get."""
    return view.labels_refused if _keeps_pods_away(view) else None


def labels_refused_so_far_harmless(view: StateView) -> Finding | None:
    """The pods of such a state are all there, until a label has to change."""
    goes_by_labels = any(workload.needs_nic for workload in view.workloads)
    return view.labels_refused if goes_by_labels and not _keeps_pods_away(view) else None


def _keeps_pods_away(view: StateView) -> bool:
    nodes = set(view.labels_refused.nodes if view.labels_refused else ())
    return any(
        not nodes.isdisjoint((*workload.waiting_nodes(), *workload.waiting))
        for workload in view.workloads
        if workload.needs_nic and not workload.rolled_out
    )
