"""Which Nodes a DaemonSet's Pods may run on: node selector, required node affinity, taints and tolerations.

Pure. The rules are those of the DaemonSet controller and the scheduler (Kubernetes documentation: "Assigning Pods to
Nodes", "Taints and Tolerations", "DaemonSet"), for what a policy can ask for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from coordinator.nodes import KubeNode, Taint

# The DaemonSet controller adds these to every Pod; (key, effect).
_ADDED: Final = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
_ADDED_ON_HOST_NETWORK: Final = ("node.kubernetes.io/network-unavailable", "NoSchedule")

UNREACHABLE: Final = "node.kubernetes.io/unreachable"
NOT_READY: Final = "node.kubernetes.io/not-ready"

_CONDITIONS: Final = frozenset(
    {
        UNREACHABLE,
        NOT_READY,
        "node.kubernetes.io/network-unavailable",
        "node.cloudprovider.kubernetes.io/uninitialized",
        "node.cloudprovider.kubernetes.io/shutdown",
    }
)
"""Taints that Kubernetes sets for the state a Node is in. They pass with it, and are nobody's wish to leave it out.
`node.kubernetes.io/out-of-service` is not one of them: a person sets it."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a DaemonSet's Pods belong.

    admitted  Nodes that take them now
    tainted   Nodes that only a taint keeps out, which somebody set
    away      Nodes that would be admitted, and of which Kubernetes says that they are not in order. Its DaemonSet
              controller does not count them either, so a DaemonSet's own numbers are whole without them
    """

    admitted: tuple[str, ...]
    tainted: Mapping[str, Taint]
    away: Mapping[str, Taint] = field(default_factory=dict)

    @property
    def chosen(self) -> tuple[str, ...]:
        """The Nodes that the Pods belong on, sorted, in order or not."""
        return tuple(sorted((*self.admitted, *self.away))) if self.away else self.admitted


def keeps(pod_spec: Mapping[str, Any], node: KubeNode) -> bool:
    """Whether a Pod that is on the Node may stay there: of the taints only NoExecute ends it."""
    ending = [taint for taint in node.taints if taint.effect == "NoExecute"]
    return matches(pod_spec, node) and untolerated(pod_spec, ending) is None


def left_out(pod_spec: Mapping[str, Any], node: KubeNode) -> Taint | None:
    """The taint by which somebody keeps new Pods off the Node."""
    return untolerated(pod_spec, [taint for taint in node.taints if taint.key not in _CONDITIONS])


def place(pod_spec: Mapping[str, Any], nodes: Iterable[KubeNode]) -> Placement:
    """Sort Nodes by what a Pod spec says of them; Nodes that the selector does not match are in neither part."""
    admitted: list[str] = []
    tainted: dict[str, Taint] = {}
    away: dict[str, Taint] = {}
    selector = tuple((pod_spec.get("nodeSelector") or {}).items())
    for node in nodes:
        # Ten thousand Nodes times every workload: a label tells most apart, so that is asked first, and plainly.
        labels = node.labels
        for key, value in selector:
            if labels.get(key) != value:
                break
        else:
            if not _affine(pod_spec, node):
                continue
            if not node.taints:
                admitted.append(node.name)
            elif taint := left_out(pod_spec, node):
                tainted[node.name] = taint
            elif taint := _out_of_order(pod_spec, node.taints):
                away[node.name] = taint
            else:
                admitted.append(node.name)
    return Placement(tuple(sorted(admitted)), dict(sorted(tainted.items())), dict(sorted(away.items())))


def matches(pod_spec: Mapping[str, Any], node: KubeNode) -> bool:
    """Whether node selector and required node affinity choose the Node."""
    selector: Mapping[str, str] = pod_spec.get("nodeSelector") or {}
    return all(node.labels.get(key) == value for key, value in selector.items()) and _affine(pod_spec, node)


def _affine(pod_spec: Mapping[str, Any], node: KubeNode) -> bool:
    affinity = (pod_spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(_term(term, node) for term in required.get("nodeSelectorTerms") or ())


def untolerated(pod_spec: Mapping[str, Any], taints: Sequence[Taint]) -> Taint | None:
    """The first taint that keeps the Pod away; PreferNoSchedule never does."""
    tolerations: Sequence[Mapping[str, Any]] = pod_spec.get("tolerations") or ()
    added = (*_ADDED, _ADDED_ON_HOST_NETWORK) if pod_spec.get("hostNetwork") else _ADDED
    for taint in taints:
        if taint.effect == "PreferNoSchedule" or (taint.key, taint.effect) in added:
            continue
        if not any(_tolerates(toleration, taint) for toleration in tolerations):
            return taint
    return None


def _out_of_order(pod_spec: Mapping[str, Any], taints: Sequence[Taint]) -> Taint | None:
    """The taint that tells why a Node is not in order. No toleration makes a kubelet answer that is gone."""
    gone = (taint for key in (UNREACHABLE, NOT_READY) for taint in taints if taint.key == key)
    return next(gone, None) or untolerated(pod_spec, taints)


def _tolerates(toleration: Mapping[str, Any], taint: Taint) -> bool:
    if toleration.get("effect") not in (None, "", taint.effect):
        return False
    exists = toleration.get("operator") == "Exists"
    if not toleration.get("key"):
        return exists
    return toleration["key"] == taint.key and (exists or (toleration.get("value") or "") == taint.value)


def _term(term: Mapping[str, Any], node: KubeNode) -> bool:
    expressions: Sequence[Mapping[str, Any]] = term.get("matchExpressions") or ()
    field_expressions: Sequence[Mapping[str, Any]] = term.get("matchFields") or ()
    if not expressions and not field_expressions:
        return False
    fields = {"metadata.name": node.name}
    return all(_requirement(item, node.labels) for item in expressions) and all(
        _requirement(item, fields) for item in field_expressions
    )


def _requirement(requirement: Mapping[str, Any], values: Mapping[str, str]) -> bool:
    have = values.get(requirement["key"])
    wanted: Sequence[str] = requirement.get("values") or ()
    match requirement["operator"]:
        case "In":
            return have in wanted
        case "NotIn":
            return have not in wanted
        case "Exists":
            return have is not None
        case "DoesNotExist":
            return have is None
        case "Gt" | "Lt" as operator:
            return _compare(operator, have, wanted)
    return False


def _compare(operator: str, have: str | None, wanted: Sequence[str]) -> bool:
    try:
        left, right = int(have or ""), int(wanted[0])
    except (ValueError, IndexError):
        return False
    return left > right if operator == "Gt" else left < right
