"""One node's change costs work for one node."""

from coordinator.node_views import NodeViews
from coordinator.nodes import KubeNode
from coordinator.verdicts.view import NodeView
from tests.unit.coordinator.inventories import kube_node


class Nodes(dict[str, KubeNode]):
    """What NodeViews asks of a Reflector."""


def test_only_what_changed_is_looked_at_anew() -> None:
    looked: list[str] = []

    def view(node: KubeNode) -> NodeView:
        looked.append(node.name)
        return NodeView(node)

    nodes = Nodes(a=kube_node("a"), b=kube_node("b"))
    views = NodeViews(nodes, view)  # type: ignore[arg-type]  # of a Reflector it asks `get` alone
    for name in nodes:
        views.changed(name)
    first = views.all()
    assert sorted(first) == ["a", "b"]

    looked.clear()
    nodes["a"] = kube_node("a", labels={"new": "1"})
    views.changed("a")
    del nodes["b"]
    views.changed("b")

    assert {name: view.kube.labels for name, view in views.all().items()} == {"a": {"new": "1"}}
    assert looked == ["a"]
    assert sorted(first) == ["a", "b"]  # a pass keeps the world that it began with
