"""What the bundle tells at a glance, as sections of plain values. `page` and `markdown` write them. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from cli.must_gather.diagnostics import Status
from cli.must_gather.digest import Digest
from cli.must_gather.redaction import LEFT_OUT, MASK
from nicfleet.reasons import name_nodes

Row = tuple[str, ...]

MOST_ROWS: Final = 100
_POLICIES: Final = ("NicClusterPolicy", "NicNodePolicy")
_LOOK: Final = (
    f"{MASK} stands for what looks like a secret, {LEFT_OUT} for what nobody can judge. Not every secret is known "
    "by its looks: look through the archive before you send it."
)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with sentences and a table; `left_out` rows had no room."""

    title: str
    sentences: tuple[str, ...] = ()
    columns: Row = ()
    rows: tuple[Row, ...] = ()
    left_out: int = 0


def sections(digest: Digest) -> tuple[Section, ...]:
    """In the order in which a person looks for a cause."""
    return (
        _overview(digest),
        *_policies(digest),
        _networks(digest),
        _findings(digest),
        _pods(digest),
        _components(digest),
        _nodes(digest),
        _diagnostics(digest),
        _events(digest),
        _failures(digest),
    )


def verdict(digest: Digest) -> str:
    """One sentence on the bundle itself."""
    if not digest.failures:
        return f"complete: {digest.done} things collected"
    return f"partial: {digest.done} things collected, {len(digest.failures)} not (see errors.txt)"


def grouped(digest: Digest) -> list[tuple[str, int, str]]:
    """Failures by reason, the most frequent first: the reason, how many, and the first thing that it kept away."""
    counts = Counter(failure.why for failure in digest.failures)
    first: dict[str, str] = {}
    for what, why in digest.failures:
        first.setdefault(why, what)
    return [(why, count, first[why]) for why, count in counts.most_common()]


def _overview(digest: Digest) -> Section:
    versions = ((f"version of {what}", version) for what, version in digest.versions.items())
    rows = (
        ("bundle", verdict(digest)),
        ("made", digest.started),
        ("API server", digest.server),
        ("namespace", digest.namespace),
        *versions,
        *((f"--{flag}", value) for flag, value in digest.asked.items() if value),
    )
    return Section("Overview", (_LOOK, *digest.notes), ("what", "value"), rows)


def _policies(digest: Digest) -> Iterator[Section]:
    policies = [each for each in digest.policies if each.kind in _POLICIES]
    if not policies:
        yield Section("Policies", ("There is no NicClusterPolicy and no NicNodePolicy.",))
    for policy in policies:
        told = (f"state: {policy.state or 'none yet'}", *([f"reason: {policy.reason}"] if policy.reason else []))
        states = [("state", name, state, "", message) for name, state, message in policy.states]
        conditions = [("condition", *condition) for condition in policy.conditions]
        yield _table(
            f"{policy.kind} {policy.name}", ("", "name", "status", "reason", "message"), (*conditions, *states), told
        )


def _networks(digest: Digest) -> Section:
    rows = [(each.kind, each.name, each.state, each.reason) for each in digest.policies if each.kind not in _POLICIES]
    return _table("Networks", ("kind", "name", "state", "reason"), sorted(rows))


def _findings(digest: Digest) -> Section:
    """By reason, with the nodes behind each."""
    nodes: dict[str, list[str]] = {}
    example: dict[str, str] = {}
    for agent in digest.agents.values():
        for reason, message in agent.findings:
            nodes.setdefault(reason, []).append(agent.name)
            example.setdefault(reason, message)
    rows = [(reason, str(len(names)), name_nodes(names), example[reason]) for reason, names in sorted(nodes.items())]
    connections = Counter(agent.connection.removeprefix("CONNECTION_").lower() for agent in digest.agents.values())
    told = [f"{count} nodes {connection}" for connection, count in sorted(connections.items())]
    behind = sorted(agent.name for agent in digest.agents.values() if agent.has_agent and not agent.in_step)
    if behind:
        told.append(f"labels not in step on {name_nodes(behind)}")
    if not digest.agents:
        told.append("The coordinator was not asked, or did not answer: give --coordinator.")
    return _table("Findings by node", ("reason", "nodes", "which", "for example"), rows, told)


def _pods(digest: Digest) -> Section:
    rows = [
        (pod.name, pod.node, pod.phase, str(pod.restarts), pod.why)
        for pod in sorted(digest.pods, key=lambda pod: (pod.component, pod.name))
        if not pod.well
    ]
    told = (f"{len(rows)} of {len(digest.pods)} pods are not ready",)
    return _table("Pods not ready", ("pod", "node", "phase", "restarts", "why"), rows, told)


def _components(digest: Digest) -> Section:
    pods, ready, restarts = Counter[str](), Counter[str](), Counter[str]()
    for pod in digest.pods:
        pods[pod.component] += 1
        ready[pod.component] += pod.well
        restarts[pod.component] += pod.restarts
    rows = [(name or "-", str(n), str(ready[name]), str(restarts[name])) for name, n in sorted(pods.items())]
    return _table("Components", ("component", "pods", "ready", "restarts"), rows)


def _nodes(digest: Digest) -> Section:
    nic = sum(node.nic for node in digest.nodes.values())
    down = sorted(node.name for node in digest.nodes.values() if not node.ready)
    told = [
        f"{digest.total_nodes} nodes, {nic} labelled with an NVIDIA NIC, {len(digest.nodes)} collected",
        f"logs, inventories and diagnostics of {len(digest.chosen)} nodes",
        *([f"not Ready in Kubernetes: {name_nodes(down)}"] if down else []),
    ]
    return Section("Nodes", tuple(told))


def _diagnostics(digest: Digest) -> Section:
    rows = [(node, *(str(counts[status]) for status in Status)) for node, counts in sorted(digest.diagnostics.items())]
    return _table("Driver diagnostics", ("node", *(status.lower() for status in Status)), rows)


def _events(digest: Digest) -> Section:
    rows = [(each.last, each.type, each.reason, each.about, str(each.count), each.message) for each in digest.events]
    return _table("Last events", ("last", "type", "reason", "about", "count", "message"), rows)


def _failures(digest: Digest) -> Section:
    rows = [(str(count), why, what) for why, count, what in grouped(digest)]
    return _table("Not collected", ("count", "why", "for example"), rows)


def _table(title: str, columns: Row, rows: Iterable[Row], sentences: Iterable[str] = ()) -> Section:
    found = tuple(rows)
    return Section(title, tuple(sentences), columns, found[:MOST_ROWS], max(0, len(found) - MOST_ROWS))
