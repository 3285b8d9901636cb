"""What the nodes offer of a device plugin's resources, held against what the agents see there.

Only the states of the device plugins have a `ResourceView`; for every other state these checks find nothing.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from coordinator.fleet.views import ResourceCount
from coordinator.plugins.misses import sentence
from coordinator.plugins.prediction import UNUSABLE, Miss, Prediction
from coordinator.verdicts.view import ResourceView, StateView
from nicfleet.reasons import MOST_NODES_NAMED, Finding, Reason, first_of, name_nodes

_LOST: Final = "the kubelet may have lost the plugin, or the plugin may have started too early; delete its pod there"
_STALE: Final = "the plugin may have started before all was there; delete its pod there"


def resource_missing(view: StateView) -> Finding | None:
    """A node offers less than its functions are worth, and has for too long. The pods look healthy all the while."""
    if view.resources is None:
        return None
    nodes: defaultdict[str, set[str]] = defaultdict(set)
    for name, text in _shortfalls(view, view.resources):
        if name in view.resources.overdue:
            nodes[text].add(name)
    return _told(Reason.ResourceMissing, nodes)


def resource_unmatched(view: StateView) -> Finding | None:
    """Selectors that take nothing: everywhere, or on some nodes, which may be meant."""
    if view.resources is None:
        return None
    seen: defaultdict[str, int] = defaultdict(int)
    missed: defaultdict[str, defaultdict[Miss, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name, resource, prediction in _predictions(view.resources):
        seen[resource] += 1
        miss = prediction.miss
        # Whatever gives the node some units, it is not nothing.
        if miss is not None and miss.step not in UNUSABLE and not _allocatable(view, name, resource):
            missed[resource][miss].add(name)
    nodes: dict[str, set[str]] = {}
    for resource, by_miss in missed.items():
        others = seen[resource] - sum(map(len, by_miss.values()))
        where = f"{{nodes}}, unlike {others} other node{'s' if others > 1 else ''}" if others else "{nodes}"
        for miss, names in by_miss.items():
            nodes.setdefault(f"{resource} gets nothing on {where}: {sentence(miss)}", set()).update(names)
    return _told(Reason.ResourceUnmatched, nodes)


def resource_overlap(view: StateView) -> Finding | None:
    """A function that two plugins offer is handed out twice: neither knows of the other."""
    nodes: defaultdict[str, set[str]] = defaultdict(set)
    for name, overlaps in (view.resources.overlaps if view.resources else {}).items():
        for both in overlaps:
            functions = both.first if both.functions == 1 else f"{both.functions} functions, {both.first} first,"
            text = f"{both.rdma} and {both.sriov} both offer {functions} on {{nodes}}; keep them apart by selectors"
            nodes[text].add(name)
    return _told(Reason.ResourceOverlap, nodes)


def vf_guid_zero(view: StateView) -> Finding | None:
    """Pods that get such a VF hang, or cannot use it."""
    counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for name, resource, prediction in _predictions(view.resources) if view.resources else ():
        if prediction.zero_guids:
            counts[resource][name] = prediction.zero_guids
    if not counts:
        return None
    sentences = []
    for resource, by_node in sorted(counts.items()):
        shown = sorted(by_node)[:MOST_NODES_NAMED]
        rest = len(by_node) - len(shown)
        told = ", ".join(f"{by_node[name]} on {name}" for name in shown) + (f" and on {rest} more" if rest else "")
        sentences.append(f"{resource} has InfiniBand VFs whose GUID is zero: {told}")
    everyone = tuple(sorted({name for by_node in counts.values() for name in by_node}))
    return Finding(Reason.VfGuidZero, "; ".join(sentences) + "; give each a GUID before a pod gets it", everyone)


def short_nodes(view: StateView) -> tuple[str, ...]:
    """The nodes that offer less than they should at this moment. Whether it lasts is for the caller to see."""
    return () if view.resources is None else tuple(sorted({name for name, _ in _shortfalls(view, view.resources)}))


def resource_counts(view: StateView) -> tuple[ResourceCount, ...]:
    """What each node has of each resource, for people: nodes that have the same go together."""
    nodes: defaultdict[tuple[str, Prediction | None, int], list[str]] = defaultdict(list)
    for name, predicted in sorted(view.resources.predicted.items()) if view.resources else ():
        for resource, prediction in predicted.items():
            nodes[resource, prediction, _allocatable(view, name, resource)].append(name)
    counts = []
    for (resource, prediction, allocatable), names in nodes.items():
        known = prediction or Prediction()
        why_none = sentence(known.miss) if known.miss else ""
        functions = known.functions if prediction else None
        counts.append(
            ResourceCount(resource, functions, known.uncertain, known.units, allocatable, why_none, tuple(names))
        )
    return tuple(sorted(counts, key=lambda count: (count.resource, count.nodes)))


def _shortfalls(view: StateView, resources: ResourceView) -> Iterator[tuple[str, str]]:
    """Node by node, what it lacks, in words. Only where the plugin's current pod is ready."""
    running = _running(view)
    for name, resource, prediction in _predictions(resources):
        real = _allocatable(view, name, resource)
        if name not in running:
            continue
        if real < prediction.units:
            cause = _STALE if real else _LOST
            yield name, f"{resource}: {real} of {prediction.units} units are allocatable on {{nodes}}; {cause}"
        elif prediction.miss is not None and prediction.miss.step in UNUSABLE and not real:
            yield name, f"{resource}: no unit is allocatable on {{nodes}}: {sentence(prediction.miss)}"


def _running(view: StateView) -> set[str]:
    found: set[str] = set()
    for workload in view.workloads:
        if workload.live is not None and workload.live.observed and not workload.just_applied:
            # Without its pods at hand a DaemonSet is complete, and has one on each of its nodes.
            waiting = set() if workload.rolled_out else set(workload.waiting_nodes())
            found |= set(workload.placement.admitted) - waiting
    return found


def _predictions(resources: ResourceView) -> Iterator[tuple[str, str, Prediction]]:
    for name in sorted(resources.predicted):
        for resource, prediction in resources.predicted[name].items():
            if prediction is not None:
                yield name, resource, prediction


def _allocatable(view: StateView, node: str, resource: str) -> int:
    return view.nodes[node].kube.allocatable.get(resource, 0)


def _told(reason: Reason, nodes: Mapping[str, set[str]]) -> Finding | None:
    """Sentences, each with its nodes where it says `{nodes}`, as one finding."""
    if not nodes:
        return None
    texts = [text.replace("{nodes}", name_nodes(nodes[text])) for text in sorted(nodes)]
    return Finding(reason, first_of(texts, "findings"), tuple(sorted(set().union(*nodes.values()))))
