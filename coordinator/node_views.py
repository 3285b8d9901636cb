"""Every Node as a pass sees it. One node's change costs work for one node, however many passes there are."""

from collections.abc import Callable, Mapping

from coordinator.kube.reflector import Reflector
from coordinator.nodes import KubeNode
from coordinator.verdicts.view import NodeView


class NodeViews:
    """Remembers what `view` made of each Node until it is told that the Node, its agent or its label changed."""

    def __init__(self, nodes: Reflector[KubeNode], view: Callable[[KubeNode], NodeView]) -> None:
        self._nodes = nodes
        self._view = view
        self._known: dict[str, NodeView] = {}
        self._stale: set[str] = set()

    def changed(self, name: str) -> None:
        """Look at this Node anew."""
        self._stale.add(name)

    def all(self) -> Mapping[str, NodeView]:
        """All Nodes by name, as they are at this moment."""
        for name in self._stale:
            node = self._nodes.get(name)
            if node is None:
                self._known.pop(name, None)
            else:
                self._known[name] = self._view(node)
        self._stale.clear()
        return dict(self._known)
