"""Nodes to driver pools: which nodes can run one driver image, and what the pool is called. Pure.

The architecture is part of a pool. Upstream leaves it out, so that a cluster of two architectures with one kernel
name flips between their images.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from coordinator.nodes import KubeNode
from coordinator.objects.scheduling import Placement, keeps, place
from coordinator.policy import NicClusterPolicySpec
from coordinator.states import common, ofed_images
from coordinator.states.cluster import NodePool, Scope
from coordinator.workloads import Workload
from nicfleet import names

POOL_LABELS: Final = (names.OS_ID_LABEL, names.OS_VERSION_LABEL, names.ARCH_LABEL, names.KERNEL_LABEL)

OWN_VOLUME: Final = "host-modprobe-d"
"""Of the driver's pods that we make, and not of upstream's."""

_DIGITS: Final = str.maketrans("0123456789", "456789bcdf")


@dataclass(frozen=True, slots=True)
class UnlabelledNode:
    """A NIC node that is in no pool because it lacks the named label."""

    node: str
    label: str


@dataclass(frozen=True, slots=True)
class LivePool:
    """A pool as the driver's DaemonSet in the cluster serves it.

    arch       the architecture that it asks for, or else the one that ends its image's tag
    images     by container
    upstreams  its template is of upstream's making, but for where its pods may run
    any_arch   it asks for no architecture
    """

    arch: str
    images: Mapping[str, str]
    upstreams: bool = False
    any_arch: bool = False


def live_pools(workloads: Iterable[Workload], scope: Scope) -> dict[str, LivePool]:
    """The pools that the policy of this scope has in the cluster, by name."""
    start, end = "mofed-", f"{scope.hash_suffix}-ds"
    found = {}
    for workload in workloads:
        if workload.kind == "DaemonSet" and workload.name.startswith(start) and workload.name.endswith(end):
            found[workload.name.removeprefix(start).removesuffix(end)] = _live_pool(workload.template.get("spec") or {})
    return found


def _live_pool(pod_spec: Mapping[str, Any]) -> LivePool:
    images = {container["name"]: container.get("image", "") for container in pod_spec.get("containers") or ()}
    asked = (pod_spec.get("nodeSelector") or {}).get(names.ARCH_LABEL)
    volumes = {volume["name"] for volume in pod_spec.get("volumes") or ()}
    return LivePool(
        arch=asked or images.get(ofed_images.CONTAINER, "").rpartition("-")[2],
        images=images,
        upstreams=OWN_VOLUME not in volumes,
        any_arch=asked is None,
    )


def pools_of(
    spec: NicClusterPolicySpec, scope: Scope, nodes: Iterable[KubeNode], live: Mapping[str, LivePool]
) -> tuple[tuple[NodePool, ...], tuple[UnlabelledNode, ...]]:
    """The driver pools, sorted by name, and the NIC nodes that are in none for want of a label, sorted by node.

    Only nodes with a NIC count, and of them those on which a driver pod may be. A node that takes no new pods, because
    it is in maintenance or not ready for a moment, stays in its pool: without it the pool might be empty, its DaemonSet
    go, and the running driver with it. `live` has the pools that exist in the cluster by name: a name must not change
    hands, and drivers reload, when nodes come and go. Nor may other nodes change what a pool's pods run: when a second
    architecture comes, of a pool of upstream's making only the choice of nodes changes.
    """
    members: dict[tuple[str, str, str], dict[str, list[KubeNode]]] = defaultdict(lambda: defaultdict(list))
    unlabelled = []
    pod_spec = driver_pod(spec, scope)
    for node in sorted((node for node in nodes if keeps(pod_spec, node)), key=lambda node: node.name):
        if lacking := next((label for label in POOL_LABELS if not node.labels.get(label)), None):
            unlabelled.append(UnlabelledNode(node.name, lacking))
            continue
        os_id, os_version, arch, kernel = (node.labels[label] for label in POOL_LABELS)
        members[os_id, os_version, kernel][arch].append(node)
    pools = [
        NodePool(
            name=name,
            os_id=os_id,
            os_version=os_version,
            kernel=kernel,
            arch=arch,
            nodes=tuple(node.name for node in by_arch[arch]),
            runtimes=_each_once(node.runtime for node in by_arch[arch]),
            ostree_versions=_each_once(node.labels.get(names.OSTREE_LABEL, "") for node in by_arch[arch]),
            live_images=live[name].images if name in live else {},
            upstreams=name in live and live[name].upstreams,
            any_arch=name in live and live[name].any_arch and len(by_arch) == 1,
        )
        for (os_id, os_version, kernel), by_arch in members.items()
        for arch, name in _pool_names(os_id, os_version, kernel, by_arch, live).items()
    ]
    return tuple(sorted(pools, key=lambda pool: pool.name)), tuple(unlabelled)


def driver_placement(spec: NicClusterPolicySpec, scope: Scope, nodes: Iterable[KubeNode]) -> Placement:
    """The NIC nodes that driver pods may run on, whichever pool they are in, and those that a taint keeps out."""
    return place(driver_pod(spec, scope), nodes)


def driver_pod(spec: NicClusterPolicySpec, scope: Scope) -> dict[str, Any]:
    """The part of a driver pod's spec that decides where it runs."""
    return {
        "hostNetwork": True,
        "nodeSelector": {names.NIC_LABEL: "true", **scope.node_selector},
        "tolerations": common.daemonset_tolerations(spec),
        "affinity": common.daemonset_affinity(spec),
    }


def _pool_names(
    os_id: str, os_version: str, kernel: str, by_arch: Mapping[str, Sequence[KubeNode]], live: Mapping[str, LivePool]
) -> dict[str, str]:
    """Architecture to name. Upstream's name goes to the architecture that has it, else to the most common, else to
    the first in the alphabet; the others get their own as suffix."""
    # Object names allow fewer characters than the label values these come from.
    base = re.sub(r"[^a-z0-9.-]", "-", f"{os_id}{os_version}".lower()) + f"-{fnv1a_digits(kernel)}"
    plain = live[base].arch if base in live else ""
    if plain not in by_arch:
        plain = min(by_arch, key=lambda arch: (-len(by_arch[arch]), arch))
    return {arch: base if arch == plain else f"{base}-{arch}" for arch in by_arch}


def _each_once(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value}))


def fnv1a_digits(text: str) -> str:
    """Upstream's hash for names: 32-bit FNV-1a in decimal, with its own ten characters as digits."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return str(value).translate(_DIGITS)
