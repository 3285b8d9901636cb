"""The driver of each pool of nodes: which image, and where it is loaded, replaced or unloaded. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from cli.plan.compare import Act, Change
from cli.plan.outlook import Outlook, Wanted
from cli.plan.report import DriverPlan, ManagedThrough
from cli.plan.seen import Seen, live_objects, workloads
from coordinator.fleet.management import management_nics
from coordinator.kube.objects import Obj, Ref
from coordinator.labels.wait import DriverPod, DriverRequest, driver_evidence
from coordinator.objects.pools import POOL_LABELS
from coordinator.objects.scheduling import keeps, place
from coordinator.states.ofed_images import CONTAINER
from coordinator.verdicts.checks.driver import held
from coordinator.verdicts.view import NodeView
from coordinator.workloads import Workload
from coordinator.world import DRIVER_STATE
from nicfleet.reasons import Finding

_DAEMONSET: Final = "DaemonSet"


def driver_plans(outlook: Outlook, seen: Seen, changes: Iterable[Change]) -> tuple[DriverPlan, ...]:
    """One for each driver DaemonSet that is there now or will be."""
    now = workloads(live_objects(seen.objects))
    by_ref = {
        change.ref: change for change in changes if change.state == DRIVER_STATE and change.ref.kind == _DAEMONSET
    }
    wanted = {each.ref: each for each in outlook.wanted() if each.ref in by_ref}
    return tuple(
        _kept(wanted[ref], change, now.get(ref), outlook, seen)
        if ref in wanted
        else _removed(change, now.get(ref), outlook, seen)
        for ref, change in by_ref.items()
    )


def loading(outlook: Outlook, drivers: Iterable[DriverPlan]) -> frozenset[str]:
    """The nodes of which an agent says that the driver asked for is not there yet, and where it will be."""
    requests = _requests(outlook)
    return frozenset(
        name
        for driver in drivers
        for name in driver.loads
        if _loaded(outlook.world.nodes[name], requests[name]) is False
    )


def would_be_held(outlook: Outlook, drivers: Iterable[DriverPlan]) -> Finding | None:
    """What keeps a driver from being replaced where that is due."""
    due = {driver.daemonset: {*driver.loads, *driver.outdated} for driver in drivers}
    return held(
        (workload, name, facts)
        for each in outlook.plans
        for view in outlook.views(each)
        for workload in view.workloads
        for name in sorted(due.get(workload.name, ()))
        if view.name == DRIVER_STATE and (facts := outlook.world.nodes[name].facts) is not None
    )


def _kept(wanted: Wanted, change: Change, now: Workload | None, outlook: Outlook, seen: Seen) -> DriverPlan:
    pod_spec = wanted.obj["spec"]["template"]["spec"]
    chosen = outlook.places.of(pod_spec).chosen
    pods = _pods_of(now, seen)
    stay = {node for node in pods if node in outlook.world.nodes and keeps(pod_spec, outlook.world.nodes[node].kube)}
    requests = _requests(outlook)
    loads = [
        name
        for name in chosen
        if name not in stay and _loaded(outlook.world.nodes[name], requests.get(name)) is not True
    ]
    replaced = change.rolls or change.act is Act.REPLACE
    return _plan(wanted.ref, wanted.obj, now, outlook, chosen, loads, stay if replaced else (), pods - stay)


def _removed(change: Change, now: Workload | None, outlook: Outlook, seen: Seen) -> DriverPlan:
    return _plan(change.ref, change.before or {}, now, outlook, (), (), (), _pods_of(now, seen), gone=True)


def _plan(
    ref: Ref,
    obj: Obj,
    now: Workload | None,
    outlook: Outlook,
    nodes: Iterable[str],
    loads: Iterable[str],
    outdated: Iterable[str],
    unloads: Iterable[str],
    *,
    gone: bool = False,
) -> DriverPlan:
    pod_spec = obj.get("spec", {}).get("template", {}).get("spec", {})
    # A DaemonSet of upstream's template says of its architecture only what its own labels say.
    selector = {**(obj.get("metadata", {}).get("labels") or {}), **(pod_spec.get("nodeSelector") or {})}
    os_id, os_version, architecture, kernel = (selector.get(label, "") for label in POOL_LABELS)
    touched = sorted({*loads, *outdated, *unloads})
    return DriverPlan(
        daemonset=ref.name,
        os=os_id,
        os_version=os_version,
        kernel=kernel,
        architecture=architecture,
        image="" if gone else _image(pod_spec),
        image_now=_image(now.template.get("spec") or {}) if now is not None else "",
        nodes=tuple(sorted(nodes)),
        loads=tuple(sorted(loads)),
        outdated=tuple(sorted(outdated)),
        unloads=tuple(sorted(unloads)),
        management=tuple(_managed(touched, outlook.world.nodes)),
    )


def _managed(names: Iterable[str], nodes: Mapping[str, NodeView]) -> Iterator[ManagedThrough]:
    for name in names:
        node = nodes.get(name)
        if node is None or node.facts is None:
            continue
        if interfaces := management_nics(node.facts.interfaces, node.kube.internal_ips):
            yield ManagedThrough(name, tuple(map(str, interfaces)))


def _requests(outlook: Outlook) -> dict[str, DriverRequest]:
    """By node, the driver that a policy asks for there."""
    wishes = ((name, outlook.wishes.on(node.kube, DriverPod.UNKNOWN)) for name, node in outlook.world.nodes.items())
    return {name: asked for name, asked in wishes if isinstance(asked, DriverRequest)}


def _loaded(node: NodeView, request: DriverRequest | None) -> bool | None:
    """Whether the node has the driver that is asked for; None when nobody says."""
    if request is None or node.facts is None or not node.live or not node.facts.driver.judged:
        return None
    return driver_evidence(request, node.facts.driver) is None


def _pods_of(workload: Workload | None, seen: Seen) -> set[str]:
    """The nodes on which a DaemonSet has a pod; where it belongs, when pods may not be listed."""
    if workload is None:
        return set()
    if seen.driver_pods is None:
        return set(place(workload.template.get("spec") or {}, seen.nodes).chosen)
    wanted = workload.selector.items()
    return {pod.node for pod in seen.driver_pods if pod.node and not pod.deleting and wanted <= pod.labels.items()}


def _image(pod_spec: Mapping[str, Any]) -> str:
    return next((str(c.get("image", "")) for c in pod_spec.get("containers") or () if c["name"] == CONTAINER), "")
