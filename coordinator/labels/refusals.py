"""Nodes whose labels the API server does not let us write, and why, in words."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from coordinator.kube.errors import KubeError
from nicfleet.reasons import Finding, Reason, name_nodes

_BY_ADMISSION: Final = "make what refuses it let nicfleet's ServiceAccount change labels of Nodes"


@dataclass(slots=True)
class LabelRefusals:
    """By node, since its labels were refused and until they are written, or need not be."""

    _by_node: dict[str, KubeError] = field(default_factory=dict)

    def note(self, node: str, error: KubeError) -> None:
        self._by_node[node] = error

    def forget(self, node: str) -> None:
        self._by_node.pop(node, None)

    def of(self, node: str) -> Finding | None:
        error = self._by_node.get(node)
        return None if error is None else _finding((node,), error)

    def of_all(self) -> Finding | None:
        """Of several causes the one that most nodes have in common."""
        nodes: defaultdict[str, list[str]] = defaultdict(list)
        for node, error in self._by_node.items():
            nodes[error.cause].append(node)
        if not nodes:
            return None
        most = max((sorted(names) for names in nodes.values()), key=lambda names: (len(names), names))
        return _finding(tuple(most), self._by_node[most[0]])


def _finding(nodes: tuple[str, ...], error: KubeError) -> Finding:
    why = str(error) if error.fix else f"{error}; {_BY_ADMISSION}"
    return Finding(Reason.LabelsRefused, f"the labels of {name_nodes(nodes)} are not written: {why}", nodes)
