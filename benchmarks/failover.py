"""How long a fleet is without a leader, held against what the lease costs at least.

    python -m benchmarks.failover [--agents 200] [--rounds 3]

Real kube-apiserver and etcd, two coordinators as processes, and simulated agents that speak real gRPC. Each round ends
the leader twice: told to stop (SIGTERM), as in a rolling update, and killed (SIGKILL). It prints the seconds until the
other one holds the Lease, until every agent speaks to it, and until it has written the label of something new; the
writes that the change of the leader itself caused, of which there should be none; and the standby's memory with and
without Nodes in the cluster.
"""

import argparse
import logging
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import grpc

from coordinator.leadership.lease import TIMES
from nicfleet import names
from nicfleet.v1 import view_pb2, view_pb2_grpc
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.components import APISERVER, ETCD
from tests.controlplane.nodes import fake_node
from tests.integration.system.audit import Audit
from tests.integration.system.fleet import INBOX, WITH_DRIVER
from tests.integration.system.pair import One, Pair, own_account
from tests.integration.system.product import install
from tests.integration.system.waiting import eventually

PATIENCE: Final = 120.0
SETTLED: Final = 12.0
"""Seconds in which a new leader would have written whatever it wrongly thinks it has to, and after which agents take
the change before for over: until then they go on with its longer pauses."""


class Round(NamedTuple):
    """Seconds since the leader's end, and the writes that nothing but it caused."""

    held: float
    in_step: float
    written: float
    writes: int


def main() -> None:
    """Run the rounds and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    logging.getLogger("agent").setLevel(logging.CRITICAL)  # hundreds of them tell that the leader is gone
    nodes = [f"worker-{number:04}" for number in range(given.agents)]
    with (
        tempfile.TemporaryDirectory() as folder,
        ControlPlane(components=(ETCD, APISERVER)) as plane,
        _pair(plane, Path(folder)) as pair,
    ):
        print(f"standby: {_memory(pair.second):.0f} MiB resident, no node", flush=True)
        plane.create("/api/v1/nodes", map(fake_node, nodes))
        _report_all(pair, nodes)
        print(
            f"standby: {_memory(pair.second):.0f} MiB resident, {len(nodes)} nodes and agents at the leader", flush=True
        )
        leader, standby = pair.first, pair.second
        for number in range(1, given.rounds + 1):
            for how in (signal.SIGTERM, signal.SIGKILL):
                took = _fail_over(pair, leader, standby, nodes, how)
                floor = 0.0 if how is signal.SIGTERM else TIMES.held
                print(
                    f"round {number}, {how.name}: lease {took.held:.2f} s (floor {floor:g} s), "
                    f"all {len(nodes)} agents {took.in_step:.2f} s, a label {took.written:.2f} s, "
                    f"{took.writes} writes without a cause",
                    flush=True,
                )
                leader, standby = standby, leader


@contextmanager
def _pair(plane: ControlPlane, folder: Path) -> Iterator[Pair]:
    install(plane)
    pair = Pair(plane, folder, own_account(plane, folder, "1"), own_account(plane, folder, "2"))
    try:
        pair.start()
        yield pair
    finally:
        pair.remove()


def _report_all(pair: Pair, nodes: list[str]) -> None:
    for node in nodes:
        pair.agents.report(node, WITH_DRIVER)
    eventually(lambda: all(names.NIC_LABEL in _labels(node) for node in pair.api.items("/api/v1/nodes")), PATIENCE)


def _fail_over(pair: Pair, leader: One, standby: One, nodes: list[str], how: signal.Signals) -> Round:
    """End the leader and start it again as the standby."""
    audit = Audit(pair.plane)
    began = time.monotonic()
    leader.process.send(how)
    held = _seconds(began, lambda: pair.holder() == standby.name)
    in_step = _seconds(began, lambda: _in_step(standby) == len(nodes))
    flavour = _labels(pair.api.get(f"/api/v1/nodes/{nodes[0]}"))[names.DRIVER_FLAVOUR_LABEL]
    pair.agents.report(nodes[0], WITH_DRIVER if flavour == "inbox" else INBOX)
    written = _seconds(
        began,
        lambda: _labels(pair.api.get(f"/api/v1/nodes/{nodes[0]}"))[names.DRIVER_FLAVOUR_LABEL] != flavour,
    )
    time.sleep(SETTLED)
    eventually(lambda: leader.process.pid is None, PATIENCE)
    writes = len(audit.writes()) - 1
    leader.process.kill()
    leader.start()
    return Round(held, in_step, written, writes)


def _seconds(began: float, done: Callable[[], bool]) -> float:
    eventually(done, PATIENCE)
    return time.monotonic() - began


def _in_step(one: One) -> int:
    """The nodes whose agents speak to this coordinator and whose labels it holds to be right."""
    request, found = view_pb2.ListNodesRequest(page_size=1000), 0
    with grpc.insecure_channel(one.address) as channel:
        view = view_pb2_grpc.FleetViewStub(channel)
        try:
            while True:
                page = view.ListNodes(request, timeout=10)
                found += sum(n.connection == view_pb2.CONNECTION_CONNECTED and n.labels_in_step for n in page.nodes)
                if not page.next_page_token:
                    return found
                request.page_token = page.next_page_token
        except grpc.RpcError:
            return 0


def _labels(node: dict[str, dict[str, dict[str, str]]]) -> dict[str, str]:
    return node["metadata"]["labels"]


def _memory(one: One) -> float:
    """MiB resident."""
    lines = Path(f"/proc/{one.process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


if __name__ == "__main__":
    main()
