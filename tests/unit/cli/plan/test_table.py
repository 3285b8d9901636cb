"""The page for people, to the letter, for a change of everything at once; and its form for programs.

`pytest --update-golden` rewrites the page; the review is the diff.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from rich.console import Console

from cli.plan.as_json import as_json
from cli.plan.compare import Act, to_ask
from cli.plan.pods import RunningPod
from cli.plan.report import Cause, PodName, Report, Verdict, When
from cli.plan.seen import Seen
from cli.plan.table import render
from cli.plan.told import report
from coordinator.kube.objects import Ref, ref_of
from coordinator.nodes import Taint
from nicfleet import names
from tests.unit.cli.plan.clusters import (
    NAMESPACE,
    applied,
    called,
    document,
    drafted,
    driver,
    of_nodes,
    outlooks,
    plugin,
    stored,
)
from tests.unit.cli.plan.test_told import INBOX, LOADED, NEWER
from tests.unit.coordinator.inventories import connectx6dx, connectx6lx, inventory, port
from tests.unit.coordinator.policies import ROOT

GOLDEN = Path(__file__).parent / "everything.output.txt"
REFERENCE = ROOT / "docs/reference/plan-json.md"


def everything() -> Report:
    """A newer driver with a node more, a renamed resource, a section that goes, a network, and mistakes."""
    through = inventory(connectx6dx(netdevs=(port("ens1f0np0", default_route=True),)), driver=LOADED.driver)
    seen = of_nodes(
        *(called(f"gpu-{number}", through) for number in range(1, 8)),
        called("new", INBOX),
        called("old", inventory(connectx6lx())),
        taints={"gpu-7": Taint("dedicated", "db", "NoSchedule")},
    )
    before = document(
        ofedDriver=driver(),
        rdmaSharedDevicePlugin=plugin(),
        secondaryNetwork={"multus": plugin() | {"image": "multus-cni", "config": None}},
    )
    there = applied(replace(seen, nodes=seen.nodes[:7]), before)
    after = document(
        ofedDriver=driver(version=NEWER),
        rdmaSharedDevicePlugin=plugin("renamed"),
        secondaryNetwork={"cniPlugins": plugin() | {"image": "plugins", "config": None}},
    )
    wanted = [
        after,
        document("MacvlanNetwork", "storage", master="ens9", ipam='{"type": "whereabouts"}'),
        document("HostDeviceNetwork", "broken", resourceName="a b"),
    ]
    new, old = seen.nodes[7:]
    labelled = replace(new, labels={**new.labels, names.NIC_LABEL: "true"}, others={names.NIC_LABEL: ("nfd-master",)})
    now = _edited(replace(there, nodes=(*there.nodes, labelled, old)), "rdma-devices")
    asked = to_ask(outlooks(now, *wanted)[1], now)
    made = drafted(now, *wanted, answers={ref_of(obj): stored(obj) for obj in asked})
    made = replace(made, given=replace(made.given, left_out=("IPPool pool",)))
    pods = [
        *(_own(now.objects, name, f"gpu-{n}") for name in _daemonsets(now.objects) for n in range(1, 4)),
        _pod("train", "gpu-1", "apps", {}, "rdma/shared"),
        _pod("serve", "new", "apps", {}, "rdma/shared"),
    ]
    return report(made, pods, {})


def _edited(seen: Seen, name: str) -> Seen:
    """Somebody has a field of this object."""
    (ref,) = (ref for ref in seen.objects if ref.name == name)
    body = json.loads(seen.objects[ref])
    body["metadata"]["managedFields"].append({"manager": "kubectl-edit", "fieldsV1": {"f:data": {"f:more": {}}}})
    body["data"]["more"] = "1"
    return replace(seen, objects={**seen.objects, ref: json.dumps(body).encode()})


def test_the_page_for_people(request: pytest.FixtureRequest) -> None:
    page = io.StringIO()
    Console(file=page, width=160, markup=False, emoji=False, highlight=False).print(render(everything(), diffs=True))
    lines = "".join(f"{line.rstrip()}\n" for line in page.getvalue().splitlines())
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(lines)
    assert lines == GOLDEN.read_text()


def test_the_rich_case_has_everything_in_it() -> None:
    """So that the page above and the types below leave nothing out."""
    found = everything()
    assert all(getattr(found, part.name) for part in fields(found))


def test_the_json_has_the_documented_fields_and_no_other() -> None:
    documented: dict[str, set[str]] = {}
    for part in REFERENCE.read_text().split("\n## ")[1:]:
        title, _, body = part.partition("\n")
        rows = (line for line in body.splitlines() if line.startswith("| `"))
        documented[title] = {row.split("`")[1] for row in rows}
    made: dict[str, Any] = json.loads(as_json(everything()))

    assert made.keys() == documented["The whole"]
    found = set(_objects(made))
    assert {name for name, _ in found} == documented.keys() - {"The whole", "Words"}
    for name, keys in found:
        assert keys == documented[name], name


def test_every_word_of_the_json_is_documented() -> None:
    text = REFERENCE.read_text()
    for words in (Act, Cause, When, Verdict):
        assert [word for word in words if f"`{word}`" not in text] == []


def test_every_type_of_the_report_is_plain() -> None:
    """asdict makes JSON of them without a rule for any."""
    seen: set[type] = set()
    waiting: list[Any] = [Report]
    while waiting:
        kind = waiting.pop()
        if is_dataclass(kind) and isinstance(kind, type) and kind not in seen:
            seen.add(kind)
            waiting += get_type_hints(kind).values()
        waiting += [each for each in get_args(kind) if each is not Ellipsis]
    assert {kind.__name__ for kind in seen} > {"Report", "ObjectChange", "PodName"}


def _objects(value: Any, name: str = "") -> Iterator[tuple[str, frozenset[str]]]:
    """Every object of the JSON, under the name of what it stands in, but for maps whose keys are nodes."""
    if isinstance(value, dict) and name and name != "tainted":
        yield name, frozenset(value)
    for key, child in value.items() if isinstance(value, dict) else [(name, each) for each in value]:
        if isinstance(child, dict | list):
            yield from _objects(child, key)


def _pod(name: str, node: str, namespace: str, labels: dict[str, str], *resources: str) -> RunningPod:
    return RunningPod(PodName(namespace, f"{name}-{node}", node), labels, frozenset(resources), frozenset())


def _daemonsets(objects: Any) -> list[str]:
    return [ref.name for ref in objects if ref.kind == "DaemonSet"]


def _own(objects: Any, name: str, node: str) -> RunningPod:
    labels = json.loads(objects[Ref("DaemonSet", NAMESPACE, name)])["spec"]["template"]["metadata"]["labels"]
    return _pod(name, node, NAMESPACE, labels)
