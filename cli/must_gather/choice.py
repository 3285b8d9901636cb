"""Of which nodes logs, inventories and diagnostics are taken when there are more than anybody reads. Pure."""

from collections.abc import Iterable, Mapping

from cli.must_gather.facts import AgentFact, NodeFact, PodFact


def concerned(node: NodeFact, hosts: frozenset[str], agents: Mapping[str, AgentFact]) -> bool:
    """Whether a Node has a NIC, an agent, or a pod of a DaemonSet of the namespace (`hosts`)."""
    agent = agents.get(node.name)
    return node.nic or node.name in hosts or (agent is not None and agent.has_agent)


def hosts_of(pods: Iterable[PodFact]) -> frozenset[str]:
    """Nodes with pods of DaemonSets."""
    return frozenset(pod.node for pod in pods if pod.on_each_node and pod.node)


def choose(
    nodes: Mapping[str, NodeFact], pods: Iterable[PodFact], agents: Mapping[str, AgentFact], most: int
) -> tuple[str, ...]:
    """At most so many nodes: the sick ones first, and by name among equals."""
    trouble: dict[str, int] = {}
    for pod in pods:
        trouble[pod.node] = max(trouble.get(pod.node, 0), 2 if not pod.well else 1 if pod.restarts else 0)

    def well(name: str) -> tuple[int, str]:
        agent, node = agents.get(name), nodes[name]
        sick = 3 if agent is not None and agent.sick else trouble.get(name, 0) if node.ready else 2
        return -sick, name

    return tuple(sorted(nodes, key=well)[:most])


def pods_to_read(pods: Iterable[PodFact], chosen: Iterable[str]) -> list[PodFact]:
    """Pods whose manifest and logs are taken: all that are not one of many, and those on the chosen nodes.

    The coordinator's come first, then the sick ones, as time may run out.
    """
    order = {name: place for place, name in enumerate(chosen)}
    kept = [pod for pod in pods if not pod.on_each_node or not pod.node or pod.node in order]
    return sorted(kept, key=lambda pod: (pod.on_each_node, order.get(pod.node, -1), pod.well, pod.name))
