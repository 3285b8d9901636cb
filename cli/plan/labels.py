"""Labels of Nodes: which ones nicfleet would write, remove, or take over as they are. Pure."""

from collections import defaultdict
from collections.abc import Iterator

from cli.plan.outlook import Outlook
from cli.plan.report import LabelPlan
from cli.plan.seen import Seen
from coordinator.labels.rules import Mode
from coordinator.nodes import KubeNode
from nicfleet import names

_Kind = tuple[str, str, str, tuple[str, ...]]
"""Key, value now, value then, and who holds it: nodes go together by these."""


def label_plans(seen: Seen, outlook: Outlook) -> tuple[LabelPlan, ...]:
    """What becomes of the labels on nicfleet's list, by key. Without a cluster there are none yet to speak of.

    Of a Node whose agent has not reported nothing is said but its wait labels: nicfleet leaves it as it is.
    """
    found: defaultdict[_Kind, list[str]] = defaultdict(list)
    for node in seen.nodes if seen.live else ():
        view = outlook.world.nodes[node.name]
        for kind in _of_node(node, view.kube, seen.mode, reported=view.facts is not None):
            found[kind].append(node.name)
    plans = (LabelPlan(key, now, then, tuple(sorted(nodes)), held) for (key, now, then, held), nodes in found.items())
    return tuple(sorted(plans, key=lambda each: (each.key, each.value_now, each.value, each.nodes)))


def _of_node(now: KubeNode, then: KubeNode, mode: Mode, *, reported: bool) -> Iterator[_Kind]:
    for key in sorted(filter(names.may_be_written, {*now.labels, *then.labels})):
        held, values = now.others.get(key, ()), (now.labels.get(key, ""), then.labels.get(key, ""))
        # Beside NFD what others have written stays theirs. A wait label is nicfleet's where it says so at all.
        taken = reported and mode is Mode.REPLACE and bool(held) and key not in now.owned
        if values[0] != values[1] or taken:
            yield (key, *values, held)
