"""What the agents see of the driver, held against what the policy asks for.

Only the state that asks for a driver has a `DriverRequest`; for every other state these checks find nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from coordinator.fleet.driver import Holder, HolderKind
from coordinator.fleet.facts import Facts
from coordinator.fleet.management import management_nics
from coordinator.labels import wait
from coordinator.verdicts.view import LiveWorkload, NodeView, StateView
from nicfleet.reasons import MOST_NODES_NAMED, Finding, Reason

_CONTAINER: Final = "mofed-container"
_UNLOAD: Final = {
    HolderKind.STORAGE: "UNLOAD_STORAGE_MODULES",
    HolderKind.THIRD_PARTY: "UNLOAD_THIRD_PARTY_RDMA_MODULES",
}
"""The driver container's variables that let it unload such modules."""

_REGISTRATION: Final = frozenset({"/var/lib/kubelet/device-plugins", "/var/lib/kubelet/plugins_registry"})
"""What agents tell of the kubelet's directories. Of others, such as pod-resources, nothing is known."""


def operating_system_unsupported(view: StateView) -> Finding | None:
    if not view.unsupported_systems:
        return None
    systems = ", ".join(sorted(set(view.unsupported_systems.values())))
    return Finding.about(
        Reason.UnsupportedOperatingSystem,
        f"no driver image is built for {systems} ({{nodes}}), only for {', '.join(view.supported_systems)}: "
        "these nodes keep the inbox driver; leave them out with spec.nodeAffinity",
        view.unsupported_systems,
    )


def labels_incomplete(view: StateView) -> Finding | None:
    """A node in no pool gets no driver, and upstream says nothing of it."""
    if not view.unlabelled:
        return None
    labels = ", ".join(sorted(set(view.unlabelled.values())))
    sentence = f"there is a NIC and no label {labels} on {{nodes}}, so it is not known which driver image fits"
    return Finding.about(Reason.NodeLabelsIncomplete, sentence, view.unlabelled)


def driver_held(view: StateView) -> Finding | None:
    """The driver container refuses to start, or fails, because something uses the modules it must replace."""
    return held(_failing(view))


def held(places: Iterable[tuple[LiveWorkload, str, Facts]]) -> Finding | None:
    """What keeps the driver of these nodes, each with the driver's DaemonSet there, from being replaced.

    Use counts move all the time, and the sentence shall not: nodes go together by the modules in use, and of each
    module it tells all users on these nodes and the magnitude of the highest count.
    """
    found_on: defaultdict[tuple[tuple[str, ...], str], dict[str, list[Holder]]] = defaultdict(dict)
    for workload, name, facts in places:
        found = (holder for holder in facts.driver.holders if _holds(holder, workload))
        if holders := sorted(found, key=lambda holder: holder.module):
            settings = ", ".join(f"{key} is {_env(workload, key) or 'not set'}" for key in _UNLOAD.values())
            found_on[tuple(holder.module for holder in holders), settings][name] = holders
    if not found_on:
        return None
    first = min(found_on)
    modules = ", ".join(map(_in_use, zip(*found_on[first].values(), strict=True)))
    return Finding.about(
        Reason.DriverHeld,
        f"the driver cannot be reloaded: {modules} in use on {{nodes}} ({first[1]}); stop what uses it",
        found_on[first],
    )


def build_outdated(view: StateView) -> Finding | None:
    """The container reuses a build kept on the host, which was made for another kernel."""
    return _grouped((name, wait.build_outdated(facts.driver)) for _, name, facts in _failing(view))


def evidence_contradicts(view: StateView) -> Finding | None:
    """The workload is rolled out, and an agent sees no such driver."""
    return _grouped((name, _contrary(view, node)) for name, node in _admitted(view) if node.live)


def registration_directory_missing(view: StateView) -> Finding | None:
    """A device plugin in a directory where no kubelet looks seems healthy and offers nothing."""
    nodes: defaultdict[str, set[str]] = defaultdict(set)
    for workload in view.workloads:
        wanted = _REGISTRATION & set(_host_paths(workload))
        for name in workload.placement.admitted:
            node = view.nodes[name]
            if node.live and node.facts is not None:
                for path in wanted - {f"/{present.strip('/')}" for present in node.facts.plugin_directories}:
                    nodes[path].add(name)
    for path in sorted(nodes):
        text = f"no kubelet looks into {path}, where the plugin registers, on {{nodes}}; restart the kubelet"
        return Finding.about(Reason.RegistrationDirectoryMissing, text, nodes[path])
    return None


def management_on_nic(view: StateView) -> Finding | None:
    """Said before the driver is replaced on a node, which takes its interfaces away for a while."""
    through: dict[str, str] = {}
    for name, node in _admitted(view):
        if node.facts is None or _contrary(view, node) is None:
            continue
        interfaces = management_nics(node.facts.interfaces, node.kube.internal_ips)
        if interfaces:
            through[name] = f"{name} through {', '.join(map(str, interfaces))}"
    if not through:
        return None
    shown = list(through.values())[:MOST_NODES_NAMED]
    more = f" and {len(through) - len(shown)} more nodes" if len(through) > len(shown) else ""
    return Finding(
        Reason.ManagementOnNic,
        f"loading the driver cuts the management network of {'; '.join(shown)}{more}",
        tuple(sorted(through)),
    )


def nfs_rdma_on_nvme(view: StateView) -> Finding | None:
    asked = any(_env(workload, "ENABLE_NFSRDMA").lower() == "true" for workload in view.workloads)
    nodes = [name for name, node in _admitted(view) if asked and node.facts and node.facts.root_on_nvme]
    if not nodes:
        return None
    text = "ENABLE_NFSRDMA reloads the NVMe driver, and the root file system of {nodes} is on NVMe: set it to false"
    return Finding.about(Reason.NfsRdmaOnNvme, text, nodes)


def devices_unfit(view: StateView) -> Finding | None:
    """Cards in recovery, unsupported cards and a stale GPUDirect: found by the agents, said where the driver is."""
    reasons = (Reason.DeviceInRecovery, Reason.GpuDirectStale, Reason.UnsupportedDevice)
    nodes: defaultdict[tuple[int, str], set[str]] = defaultdict(set)
    for name, node in _admitted(view):
        for found in node.facts.findings if node.facts and view.driver else ():
            if found.reason in reasons:
                nodes[reasons.index(found.reason), found.message].add(name)
    if not nodes:
        return None
    everyone = tuple(sorted(set().union(*nodes.values())))
    sentences = [Finding.about(reasons[rank], f"{{nodes}}: {text}", nodes[rank, text]) for rank, text in sorted(nodes)]
    message = ". ".join(sentence.message for sentence in sentences[:MOST_NODES_NAMED])
    return Finding(sentences[0].reason, message, everyone)


def version_unchecked(view: StateView) -> Finding | None:
    return wait.version_unchecked(view.driver) if view.driver and view.workloads else None


def _contrary(view: StateView, node: NodeView) -> Finding | None:
    if view.driver is None or node.facts is None:
        return None
    return wait.driver_evidence(view.driver, node.facts.driver)


def _grouped(findings: Iterable[tuple[str, Finding | None]]) -> Finding | None:
    """Findings about single nodes as one: nodes with the same share a sentence, the first in order gives the reason."""
    nodes: defaultdict[tuple[Reason, str], set[str]] = defaultdict(set)
    for name, found in findings:
        if found is not None:
            nodes[found.reason, found.message].add(name)
    if not nodes:
        return None
    groups = [Finding.about(reason, f"{{nodes}}: {text}", nodes[reason, text]) for reason, text in sorted(nodes)]
    shown, rest = groups[:MOST_NODES_NAMED], len(groups) - MOST_NODES_NAMED
    message = "; ".join(group.message for group in shown) + (f"; and {rest} more findings" if rest > 0 else "")
    return Finding(groups[0].reason, message, tuple(sorted(set().union(*nodes.values()))))


def _admitted(view: StateView) -> Iterator[tuple[str, NodeView]]:
    names = {name for workload in view.workloads if view.driver for name in workload.placement.admitted}
    for name in sorted(names):
        yield name, view.nodes[name]


def _failing(view: StateView) -> Iterator[tuple[LiveWorkload, str, Facts]]:
    """Nodes on which the driver container failed, with what their live agents say."""
    for workload in view.workloads if view.driver else ():
        for pod in workload.pods:
            failed = any(c.failed and c.name == _CONTAINER for c in pod.containers)
            node = view.nodes.get(pod.node)
            if failed and node is not None and node.live and node.facts is not None:
                yield workload, pod.node, node.facts


def _holds(holder: Holder, workload: LiveWorkload) -> bool:
    if holder.kind is HolderKind.PEERMEM:
        return holder.references is None or holder.references > 0
    return _env(workload, _UNLOAD[holder.kind]).lower() != "true"


def _in_use(same: Sequence[Holder]) -> str:
    """One module as several nodes have it: "rpcrdma (10 to 99 references by nfs, nfsd)"."""
    counts = [holder.references for holder in same if holder.references is not None]
    if not counts:
        return same[0].module
    users = ", ".join(sorted({user for holder in same for user in holder.users}))
    return f"{same[0].module} ({_magnitude(max(counts))} references{f' by {users}' if users else ''})"


def _magnitude(count: int) -> str:
    if count < 1:
        return "no"
    least = 10 ** (len(str(count)) - 1)
    return f"{least} to {10 * least - 1}"


def _env(workload: LiveWorkload, name: str) -> str:
    for container in workload.pod_spec.get("containers") or ():
        for variable in container.get("env") or ():
            if variable["name"] == name:
                return str(variable.get("value") or "")
    return ""


def _host_paths(workload: LiveWorkload) -> Iterator[str]:
    for volume in workload.pod_spec.get("volumes") or ():
        if "hostPath" in volume:
            yield volume["hostPath"]["path"].rstrip("/")
