"""What is shown: one row for each node and each state. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from nicfleet import names
from nicfleet.v1 import inventory_pb2, view_pb2

_SHORTENED: Final = (names.NFD, names.OWN, "network.nvidia.com/operator.")
_OF_THE_SYSTEM: Final = frozenset(
    {
        *(names.OS_ID_LABEL, names.OS_VERSION_LABEL, names.KERNEL_LABEL),
        *(names.DRIVER_FLAVOUR_LABEL, names.DRIVER_VERSION_LABEL),
    }
)
"""Left out: they are the same on every node here, or have a column of their own."""

_COLOURS: Final = {"ready": "green", "notReady": "yellow", "error": "red", "ignore": "dim"}


@dataclass(frozen=True, slots=True)
class NodeRow:
    name: str
    connection: str
    cards: str
    driver: str
    labels: str
    """As `short` gives them."""
    label_count: int
    """Of all that nicfleet may write."""


@dataclass(frozen=True, slots=True)
class StateRow:
    name: str
    state: str
    message: str


@dataclass(frozen=True, slots=True)
class Board:
    nodes: tuple[NodeRow, ...] = ()
    states: tuple[StateRow, ...] = ()


def board(
    summaries: Iterable[view_pb2.NodeSummary], labels: Mapping[str, Mapping[str, str]], policy: Mapping[str, Any]
) -> Board:
    """The coordinator's view of the nodes, the labels that the API server has, and the policy's status."""
    nodes = tuple(_node(summary, labels.get(summary.name, {})) for summary in summaries)
    applied = policy.get("status", {}).get("appliedStates", ())
    states = tuple(StateRow(state["name"], state["state"], state.get("message", "")) for state in applied)
    return Board(nodes, states)


def is_labelled(summaries: Sequence[view_pb2.NodeSummary]) -> bool:
    """Whether every node's agent is connected, and the Node carries the labels that follow from its report."""
    return bool(summaries) and all(
        node.connection == view_pb2.CONNECTION_CONNECTED and node.labels_in_step for node in summaries
    )


def is_ready(policy: Mapping[str, Any], generation: int) -> bool:
    """Whether this generation of the policy, and not only an older one, is Ready."""
    return any(
        condition["type"] == "Ready"
        and condition["status"] == "True"
        and condition.get("observedGeneration", 0) >= generation
        for condition in policy.get("status", {}).get("conditions", ())
    )


def short(labels: Mapping[str, str]) -> str:
    """nicfleet's labels as one line: prefixes and `=true` left out."""
    return " ".join(_short(key, value) for key, value in sorted(labels.items()) if _is_shown(key))


@dataclass(frozen=True, slots=True)
class Tables:
    """For a terminal whose console takes no markup: reasons may hold brackets.

    States come first, for they are what one waits for. What the screen cannot hold in whole is cut to one line a row:
    reasons first, then nodes.
    """

    board: Board

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        whole = Group(_states(self.board, cut=False), "", _nodes(self.board, cut=False))
        shorter = Group(_states(self.board, cut=True), "", _nodes(self.board, cut=False))
        shortest = Group(_states(self.board, cut=True), "", _nodes(self.board, cut=True))
        fitting = (group for group in (whole, shorter) if len(console.render_lines(group, options)) <= console.height)
        yield next(fitting, shortest)


def _states(shown: Board, *, cut: bool) -> Table:
    table = _table(whole=("State", ""), shrinking=("Why",))
    for state in shown.states:
        if state.state != "ignore":
            table.add_row(state.name, Text(state.state, style=_COLOURS[state.state]), _cell(state.message, cut=cut))
    return table


def _nodes(shown: Board, *, cut: bool) -> Table:
    table = _table(whole=("Node", "Agent", "Labels"), shrinking=("Cards", "Driver"))
    for node in shown.nodes:
        cells = (_cell(text, cut=cut) for text in (node.cards, node.driver))
        table.add_row(node.name, node.connection, _summed(node), *cells)
    return table


def _summed(node: NodeRow) -> str:
    """The number of labels, and the one that driver and plugins wait for; driver and NICs have columns of their own."""
    waits = (label.removeprefix("mofed.") for label in node.labels.split() if label.startswith("mofed.wait"))
    return " ".join((str(node.label_count), *waits))


def _table(*, whole: Iterable[str], shrinking: Iterable[str]) -> Table:
    """Columns whose cells stay as they are, then those that share the room that is left."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in whole:
        table.add_column(header, no_wrap=True)
    for header in shrinking:
        table.add_column(header)
    return table


def _cell(text: str, *, cut: bool) -> Text:
    """Wrapped, or cut to one line. Not by the column's own no_wrap: then rich would shrink the others as well."""
    return Text(text, no_wrap=cut, overflow="ellipsis" if cut else "fold")


def changes(before: Board, after: Board) -> Iterator[str]:
    """For a log: one line for each node and state, with what is new of it."""
    nodes = {node.name: node for node in before.nodes}
    for node in after.nodes:
        if news := "; ".join(_node_news(nodes.get(node.name), node)):
            yield f"{node.name}: {news}"
    known = {state.name: state for state in before.states}
    for state in after.states:
        if state != known.get(state.name) and (state.state != "ignore" or state.name in known):
            yield ": ".join(part for part in (state.name, state.state, state.message) if part)


def _node_news(before: NodeRow | None, node: NodeRow) -> Iterator[str]:
    if before is None or before.connection != node.connection:
        yield node.connection
    if before is None or before.cards != node.cards:
        yield node.cards
    if before is None or before.driver != node.driver:
        yield f"driver {node.driver}"
    old, new = set(before.labels.split() if before else ()), set(node.labels.split())
    if old != new:
        added, removed = (f"+{label}" for label in sorted(new - old)), (f"-{label}" for label in sorted(old - new))
        yield " ".join(("labels", *added, *removed))


def _node(summary: view_pb2.NodeSummary, labels: Mapping[str, str]) -> NodeRow:
    flavour = inventory_pb2.Flavour.Name(summary.driver_flavour).removeprefix("FLAVOUR_").lower()
    connection = view_pb2.Connection.Name(summary.connection).removeprefix("CONNECTION_").lower().replace("_", " ")
    return NodeRow(
        name=summary.name,
        connection=connection,
        cards=", ".join(summary.models) or "no NIC",
        driver=f"{flavour} {summary.driver_version}".strip(),
        labels=short(labels),
        label_count=sum(map(names.may_be_written, labels)),
    )


def _is_shown(key: str) -> bool:
    return (key in names.LABEL_KEYS and key not in _OF_THE_SYSTEM) or key.startswith(names.LABEL_PREFIXES)


def _short(key: str, value: str) -> str:
    for prefix in _SHORTENED:
        key = key.removeprefix(prefix)
    return key.removesuffix(".present") if value == "true" else f"{key}={value}"
