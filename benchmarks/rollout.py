"""How long from a policy to `Ready` on many nodes, held against kubectl applying the same objects in the same run.

    python -m benchmarks.rollout [--nodes 100] [--rounds 3]

Real kube-apiserver, etcd and controllers; kwok's nodes; agents that are simulated above the wire and speak real gRPC.
Each round does both, one after the other, so that what slows the machine slows both. Besides the ratio it prints what
the coordinator asked of the API server (from the audit log), and its CPU time and memory (from /proc).
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from agent import inventory
from agent.host import Host
from agent.links import Links
from coordinator.objects.desired import desired
from coordinator.objects.pools import fnv1a_digits
from coordinator.objects.render import Renderer
from coordinator.policy import NicClusterPolicy
from coordinator.states.cluster import Cluster, NodePool
from nicfleet import names
from nicfleet.inventory import Flavour, Inventory, NodeName
from tests import host_driver, hosts
from tests.controlplane.cluster import ControlPlane
from tests.integration.system.api import Api
from tests.integration.system.audit import COORDINATOR
from tests.integration.system.product import DEPLOY, Product, example, install, policy
from tests.integration.system.waiting import eventually

VERSION: Final = "23.04-0.5.3"
PATIENCE: Final = 300.0
_WORKLOADS: Final = f"/apis/apps/v1/namespaces/{names.DEFAULT_NAMESPACE}"


def main() -> None:
    """Run the rounds and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ControlPlane() as plane, _product(plane, Path(folder)) as product:
        host = _host_with_driver(Path(folder) / "host")
        workers = [f"worker-{number:04}" for number in range(given.nodes)]
        _label_all(product, workers, host)
        pairs = [_round(product, workers, host) for _ in range(given.rounds)]
        for number, (ours, theirs) in enumerate(pairs, 1):
            print(f"round {number}: nicfleet {ours:.2f} s, kubectl {theirs:.2f} s, ratio {ours / theirs:.2f}")
        ratio = statistics.median(ours / theirs for ours, theirs in pairs)
        print(f"apply to Ready on {given.nodes} nodes: median ratio nicfleet / kubectl {ratio:.2f}")
        _print_requests(plane)
        _print_process(product.coordinator.process.pid)


@contextmanager
def _product(plane: ControlPlane, folder: Path) -> Iterator[Product]:
    install(plane)
    product = Product(plane, folder)
    try:
        product.coordinator.start()
        yield product
    finally:
        product.remove()


def _host_with_driver(root: Path) -> Inventory:
    """A real reading of a recorded host on which the driver that the policy asks for is loaded."""
    hosts.connectx5(root)
    host_driver.load_driver(root, Flavour.OFED, VERSION)
    return inventory.read(Host.at(root), Links(), NodeName("any"))


def _label_all(product: Product, workers: list[str], host: Inventory) -> None:
    product.register(*workers)
    for worker in workers:
        product.simulated.report(worker, host)
    eventually(lambda: all(names.NIC_LABEL in labels for labels in _labels(product)), within=PATIENCE)


def _round(product: Product, workers: list[str], host: Inventory) -> tuple[float, float]:
    """Seconds of nicfleet and of kubectl, from the command to every workload rolled out."""
    wanted = policy(names.POLICY_NAME, example())
    objects = _same_objects(wanted, workers, host)

    def ready() -> bool:
        return any(c["type"] == "Ready" and c["status"] == "True" for c in _conditions(product))

    ours = _timed(lambda: product.plane.apply(wanted), ready)
    product.plane.kubectl("delete", "nicclusterpolicy", names.POLICY_NAME)
    _wait_until_gone(product)
    theirs = _timed(lambda: product.plane.apply(*objects), lambda: _rolled_out(product.api, len(workers)))
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [o for o in objects if not _is_crd(o)]})
    product.plane.kubectl("delete", "--filename=-", input=text)
    _wait_until_gone(product)
    return ours, theirs


def _same_objects(wanted: Mapping[str, Any], workers: list[str], host: Inventory) -> list[dict[str, Any]]:
    """What the coordinator makes of the policy, without what would tell the coordinator that it is its own."""
    system = host.node
    pool = NodePool(
        f"{system.os_id}{system.os_version_id}-{fnv1a_digits(system.kernel_release or '')}",
        system.os_id or "",
        system.os_version_id or "",
        system.kernel_release or "",
        "amd64",
        tuple(workers),
    )
    cluster = Cluster(names.DEFAULT_NAMESPACE, "/opt/cni/bin", "/etc/cni/net.d", None, (pool,))
    states = desired(NicClusterPolicy.model_validate(wanted), cluster, Renderer(DEPLOY.parent / "templates"))
    objects = [dict(obj) for state in states.values() for obj in state.objects]
    for obj in objects:
        metadata = {key: value for key, value in obj["metadata"].items() if key != "ownerReferences"}
        labels = {key: value for key, value in metadata["labels"].items() if key != names.STATE_LABEL}
        obj["metadata"] = {**metadata, "labels": labels}
    return objects


def _timed(act: Callable[[], object], done: Callable[[], bool]) -> float:
    began = time.monotonic()
    act()
    eventually(done, within=PATIENCE)
    return time.monotonic() - began


def _rolled_out(api: Api, nodes: int) -> bool:
    sets = [item.get("status", {}) for item in api.items(f"{_WORKLOADS}/daemonsets")]
    return bool(sets) and all(s.get("numberReady") == s.get("desiredNumberScheduled") == nodes for s in sets)


def _wait_until_gone(product: Product) -> None:
    pods = f"/api/v1/namespaces/{names.DEFAULT_NAMESPACE}/pods"
    for collection in (f"{_WORKLOADS}/daemonsets", f"{_WORKLOADS}/deployments", pods):
        eventually(partial(_is_empty, product.api, collection), within=PATIENCE)


def _is_empty(api: Api, collection: str) -> bool:
    return not api.items(collection)


def _labels(product: Product) -> Iterable[Mapping[str, str]]:
    return [node["metadata"]["labels"] for node in product.api.items("/api/v1/nodes")]


def _conditions(product: Product) -> list[dict[str, Any]]:
    policies = product.api.items("/apis/mellanox.com/v1alpha1/nicclusterpolicies")
    return [condition for policy in policies for condition in policy.get("status", {}).get("conditions", [])]


def _is_crd(obj: Mapping[str, Any]) -> bool:
    return bool(obj["kind"] == "CustomResourceDefinition")


def _print_requests(plane: ControlPlane) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for event in plane.audit():
        if event["user"]["username"] == COORDINATOR and event["stage"] == "ResponseComplete":
            target = event.get("objectRef", {})
            kind = "/".join(filter(None, (target.get("resource", "?"), target.get("subresource"))))
            counts[event["verb"], kind] += 1
    print("the coordinator's requests, all rounds, by verb and resource:")
    for (verb, kind), count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        print(f"  {count:6} {verb:8} {kind}")


def _print_process(pid: int | None) -> None:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    cpu = (int(fields[11]) + int(fields[12])) / ticks
    memory = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(f"coordinator: {cpu:.1f} s CPU, peak resident {int(memory.split()[1]) / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
