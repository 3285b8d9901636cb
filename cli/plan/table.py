"""The report for people: what to do first comes first, empty parts are left out. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.plan.compare import Act
from cli.plan.documents import STDIN
from cli.plan.report import (
    Cause,
    Disturbance,
    DriverPlan,
    LabelPlan,
    ObjectChange,
    Report,
    ResourcePlan,
    Told,
    Verdict,
    WorkloadPlan,
)
from nicfleet.reasons import MOST_NODES_NAMED, Reason, name_nodes

_NOTHING: Final = "-"
_MARKS: Final[Mapping[Act, tuple[str, str, str]]] = {
    Act.CREATE: ("+", "green", "to create"),
    Act.CHANGE: ("~", "yellow", "to change"),
    Act.REPLACE: ("±", "yellow", "to delete and make anew"),
    Act.DELETE: ("-", "red", "to delete"),
    Act.REFUSED: ("!", "red", "not as asked"),
    Act.UNKNOWN: ("?", "yellow", "not to be read"),
    Act.NONE: (" ", "", "as they are"),
}
"""How an object is marked, and what is said of their number."""

_CAUSES: Final[Mapping[Cause, str]] = {
    Cause.ROLLOUT: "replaced: {subject} changes",
    Cause.REMOVED: "ended: {subject} goes",
    Cause.NODE_LEFT: "ended: {subject} leaves their nodes",
    Cause.OUTDATED: "of an earlier {subject} until you delete them",
    Cause.DRIVER: "hold NICs while the driver is loaded or unloaded ({subject})",
    Cause.RESOURCE: "request {subject}, which is offered no longer",
    Cause.NETWORK: "name {subject}, which changes",
}
_VERDICTS: Final[Mapping[Verdict, str]] = {
    Verdict.NOTHING: "Nothing would change.",
    Verdict.CHANGES: "Nothing has been written. To do this: kubectl apply -f",
    Verdict.PROBLEMS: "This would not be carried out as asked: see the problems above.",
}


def render(report: Report, *, diffs: bool) -> RenderableType:
    """The whole page; without `diffs` changed objects are named only."""
    parts: list[RenderableType] = list(_head(report))
    sections: list[tuple[str, list[RenderableType]]] = [
        ("Problems", [Text(f"{each.kind} {each.name}: {each.message}", style="red") for each in report.problems]),
        (f"Objects: {_counts(report.objects)}", list(_objects(report.objects, diffs=diffs))),
        ("Labels of nodes", list(_labels(report.labels))),
        ("Drivers", list(_drivers(report.drivers))),
        ("Workloads", list(_workloads(report.workloads))),
        ("Resources", list(_resources(report.resources))),
        ("Pods that notice", list(_pods(report.disturbed))),
        ("Worth knowing", [*_findings(report.findings), *_cautions(report)]),
        ("Not known", [Text(note) for note in report.notes]),
    ]
    for title, lines in sections:
        if lines:
            parts += [Text(), Text(title, style="bold"), *(Padding(line, (0, 0, 0, 2), expand=False) for line in lines)]
    return Group(*parts, Text(), Text(_verdict(report), style="bold"))


def _head(report: Report) -> Iterator[Text]:
    for document in report.documents:
        what = {"create": "new", "change": "changed"}.get(document.change, "as it is in the cluster")
        yield Text(f"{document.kind} {document.name} of {document.file}: {what}", style="bold")
    fleet = report.fleet
    where = report.server or "offline, for a cluster in which nothing is applied"
    nodes = f"{fleet.nodes} node{'' if fleet.nodes == 1 else 's'}"
    inventories = f"{fleet.reported} inventor{'y' if fleet.reported == 1 else 'ies'}"
    yield Text(f"{where}: {nodes}, {fleet.with_nic} with a NIC, {inventories}")


def _verdict(report: Report) -> str:
    if report.verdict is Verdict.CHANGES:
        files = dict.fromkeys("-" if each.file == STDIN else each.file for each in report.documents)
        return f"{_VERDICTS[report.verdict]} {' -f '.join(files)}"
    return _VERDICTS[report.verdict]


def _counts(objects: Sequence[ObjectChange]) -> str:
    counts = Counter(each.change for each in objects)
    return ", ".join(f"{counts[act]} {words}" for act, (_, _, words) in _MARKS.items() if counts[act])


def _objects(objects: Iterable[ObjectChange], *, diffs: bool) -> Iterator[RenderableType]:
    for each in objects:
        mark, style, _ = _MARKS[each.change]
        if each.change is Act.NONE:
            continue
        where = f"{each.namespace}/{each.name}" if each.namespace else each.name
        taken = f", taken over from {', '.join(each.taken_from)}" if each.taken_from else ""
        yield Text(f"{mark} {each.kind} {where}{taken}", style=style)
        for line in each.diff.splitlines() if diffs else ():
            yield Text(f"    {line}", style={"+": "green", "-": "red", "@": "cyan"}.get(line[:1], ""))


def _labels(labels: Iterable[LabelPlan]) -> Iterator[RenderableType]:
    labels = tuple(labels)
    if labels:
        columns: Mapping[str, Callable[[LabelPlan], str]] = {
            "LABEL": lambda each: each.key,
            "NOW": lambda each: each.value_now or _NOTHING,
            "THEN": lambda each: (each.value or _NOTHING) if each.moves else "the same, and nicfleet's",
            "NODES": lambda each: _named(each.nodes),
            "HELD BY": lambda each: ", ".join(each.held_by) or _NOTHING,
        }
        yield _table(labels, columns, always=("LABEL", "NOW", "THEN", "NODES"))


def _drivers(drivers: Iterable[DriverPlan]) -> Iterator[RenderableType]:
    drivers = tuple(drivers)
    if not drivers:
        return
    columns: Mapping[str, Callable[[DriverPlan], str]] = {
        "IMAGE": _image,
        "OS": lambda each: f"{each.os} {each.os_version}",
        "KERNEL": lambda each: each.kernel,
        "ARCH": lambda each: each.architecture,
        "NODES": lambda each: _named(each.nodes),
        "LOADED AT ONCE": lambda each: _named(each.loads),
        "WHEN DRIVER PODS ARE DELETED": lambda each: _named(each.outdated),
        "UNLOADED": lambda each: _named(each.unloads),
    }
    yield _table(drivers, columns, always=("IMAGE", "OS", "KERNEL", "ARCH", "NODES"))
    through = [f"{each.node} through {', '.join(each.interfaces)}" for one in drivers for each in one.management]
    if through:
        rest = len(through) - MOST_NODES_NAMED
        more = f" and {rest} more" if rest > 0 else ""
        shown = "; ".join(through[:MOST_NODES_NAMED])
        yield Text(f"Loading or unloading it cuts the management network of {shown}{more}", style="red")


def _image(driver: DriverPlan) -> str:
    if driver.image and driver.image_now and driver.image != driver.image_now:
        return f"{driver.image} (now {driver.image_now})"
    return driver.image or f"none (now {driver.image_now})"


def _workloads(workloads: Iterable[WorkloadPlan]) -> Iterator[RenderableType]:
    workloads = tuple(each for each in workloads if each.change is not Act.DELETE or each.left)
    if workloads:
        columns: Mapping[str, Callable[[WorkloadPlan], str]] = {
            "WORKLOAD": lambda each: f"{each.kind} {each.name}",
            "NODES": _placed,
            "AFTER THE DRIVER": lambda each: _named(each.waiting),
            "KEPT OUT BY TAINTS": lambda each: _tainted(each.tainted),
            "LEAVES": lambda each: _named(each.left),
        }
        yield _table(workloads, columns, always=("WORKLOAD", "NODES"))


def _placed(workload: WorkloadPlan) -> str:
    if workload.kind == "DaemonSet":
        return _named(workload.nodes)
    return f"any of {len(workload.nodes)}" if workload.nodes else _NOTHING


def _tainted(nodes: Mapping[str, str]) -> str:
    taints: dict[str, list[str]] = {}
    for node, taint in nodes.items():
        taints.setdefault(taint, []).append(node)
    return "; ".join(f"{taint} on {_named(names)}" for taint, names in sorted(taints.items())) or _NOTHING


def _resources(resources: Iterable[ResourcePlan]) -> Iterator[RenderableType]:
    resources = tuple(resources)
    if resources:
        columns: Mapping[str, Callable[[ResourcePlan], str]] = {
            "RESOURCE": lambda each: each.resource,
            "NODES": lambda each: _named(each.nodes),
            "FUNCTIONS": _functions,
            "UNITS": lambda each: _NOTHING if each.functions is None else str(each.units),
            "NOW": lambda each: str(each.units_now),
            "": lambda each: each.why_none or ("once the driver is loaded" if each.once_loaded else ""),
        }
        yield _table(resources, columns, always=("RESOURCE", "NODES", "FUNCTIONS", "UNITS", "NOW"))


def _functions(resource: ResourcePlan) -> str:
    if resource.functions is None:
        return "not to be told"
    return f"{resource.functions}, perhaps {resource.uncertain} more" if resource.uncertain else str(resource.functions)


def _pods(disturbed: Iterable[Disturbance]) -> Iterator[RenderableType]:
    disturbed = tuple(disturbed)
    if disturbed:
        columns: Mapping[str, Callable[[Disturbance], str]] = {
            "PODS": _pod_names,
            "WHY": lambda each: _CAUSES[each.cause].format(subject=_subject(each)),
            "WHEN": lambda each: str(each.when),
        }
        yield _table(disturbed, columns, always=tuple(columns))


def _namespace(disturbance: Disturbance) -> str:
    """That of a workload whose own pods notice; empty when they are anybody's."""
    namespaces = {pod.namespace for pod in disturbance.pods}
    own = disturbance.cause in (Cause.ROLLOUT, Cause.REMOVED, Cause.NODE_LEFT, Cause.OUTDATED)
    return namespaces.pop() if own and len(namespaces) == 1 else ""


def _subject(disturbance: Disturbance) -> str:
    own = _namespace(disturbance)
    return disturbance.subject.replace(f"{own}/", "") if own else disturbance.subject


def _pod_names(disturbance: Disturbance) -> str:
    own = _namespace(disturbance)
    return _named([pod.name if own else f"{pod.namespace}/{pod.name}" for pod in disturbance.pods])


def _findings(findings: Iterable[Told]) -> Iterator[RenderableType]:
    for each in findings:
        if each.reason == Reason.ResourceUnmatched:
            continue  # the table of resources says it
        about = each.state if each.of_kind == "NicClusterPolicy" else f"{each.of_kind} {each.of_name}".strip()
        yield Text(f"{each.reason}{f' ({about})' if about else ''}: {each.message}")


def _cautions(report: Report) -> Iterator[RenderableType]:
    for document in report.documents:
        yield from (Text(f"{document.kind} {document.name}: {caution}") for caution in document.cautions)


def _table(rows: Sequence[object], columns: Mapping[str, Callable[..., str]], always: Sequence[str]) -> Table:
    """Columns in which no row says anything are left out."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    cells = {title: [cell(row) for row in rows] for title, cell in columns.items()}
    shown = [title for title, told in cells.items() if title in always or set(told) - {_NOTHING, ""}]
    for title in shown:
        table.add_column(title, overflow="fold")
    for row in zip(*(cells[title] for title in shown), strict=True):
        table.add_row(*row)
    return table


def _named(names: Sequence[str]) -> str:
    """Their number, and some of them."""
    return f"{len(names)}: {name_nodes(names)}" if names else _NOTHING
