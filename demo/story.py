"""What happens in the demo, in order: two policies become ready, then a card is pulled out and put back."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import grpc

from demo.board import Board, board, is_ready
from demo.display import Display
from demo.hosts import SPARE_NODE, SpareCard
from demo.latency import ROUNDS, measure, percentile
from demo.site import REPOSITORY, Site
from nicfleet.v1 import view_pb2, view_pb2_grpc

READY_SECONDS: Final = 120.0
_REFRESH_SECONDS: Final = 0.25
_ANSWER_SECONDS: Final = 5.0
_LOG_LINES: Final = 10

EXAMPLES: Final = tuple(
    REPOSITORY / "deploy/examples" / name
    for name in ("nicclusterpolicy-whereabouts.yaml", "nicclusterpolicy-nv-ipam.yaml")
)


class NotReady(Exception):
    """The policy did not become ready in time; the text gives the reasons, one a line."""


class Story:
    """Tells `display` what happens on `site`."""

    def __init__(self, site: Site, display: Display, fleet: view_pb2_grpc.FleetViewStub) -> None:
        self._site = site
        self._display = display
        self._fleet = fleet

    def tell(self) -> None:
        """Raises NotReady, and NotSeen when a change of hardware does not reach its label."""
        for example in EXAMPLES:
            seconds = self._apply(str(example.relative_to(REPOSITORY)))
            self._display.say(f"Ready {seconds:.1f} s after kubectl apply")
        self._replug()

    def go_on(self) -> None:
        """Show how things are until Ctrl-C."""
        while True:
            self._display.show(self._board())
            time.sleep(_REFRESH_SECONDS)

    def _apply(self, example: str) -> float:
        self._display.say(f"kubectl apply -f {example}")
        began = time.monotonic()
        path = str(REPOSITORY / example)
        generation = int(self._site.cluster.kubectl("apply", "-f", path, "-o", "jsonpath={.metadata.generation}"))
        observed = self._site.observed
        while not observed.wait_until(lambda: is_ready(observed.policy, generation), _REFRESH_SECONDS):
            self._display.show(self._board())
            if time.monotonic() - began > READY_SECONDS or self._dead():
                raise NotReady("\n".join(self._reasons()))
        took = time.monotonic() - began
        self._display.show(self._board())
        return took

    def _replug(self) -> None:
        card = SpareCard(next(host.root for host in self._site.hosts if host.name == SPARE_NODE))
        self._display.say(f"{ROUNDS} times: a ConnectX-7 of node {SPARE_NODE} is pulled out and put back")
        measured = measure(card, self._site.observed)
        for what, seconds in (("put back", measured.additions), ("pulled out", measured.removals)):
            p50, p99 = percentile(seconds, 50) * 1000, percentile(seconds, 99) * 1000
            self._display.say(f"{what} on the host -> label on the API server: p50 {p50:.0f} ms, p99 {p99:.0f} ms")
        self._display.show(self._board())

    def _board(self) -> Board:
        try:
            answer = self._fleet.ListNodes(view_pb2.ListNodesRequest(), timeout=_ANSWER_SECONDS)
        except grpc.RpcError:
            answer = view_pb2.ListNodesResponse()
        return board(answer.nodes, self._site.observed.labels, self._site.observed.policy)

    def _dead(self) -> list[str]:
        return [process.name for process in self._site.processes if process.pid is None]

    def _reasons(self) -> Iterator[str]:
        for name in self._dead():
            yield f"{name} has ended"
        for state in self._board().states:
            if state.state not in ("ready", "ignore"):
                yield f"{state.name}: {state.state}: {state.message}"
        for process in self._site.processes:
            yield f"the end of the log of {process.name}:"
            yield from process.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]


@contextmanager
def fleet_view(address: str) -> Iterator[view_pb2_grpc.FleetViewStub]:
    """The coordinator's view of the fleet."""
    with grpc.insecure_channel(address) as channel:
        yield view_pb2_grpc.FleetViewStub(channel)


def what_to_try(site: Site, grpcurl: str) -> tuple[str, ...]:
    """Commands for another terminal."""
    host = next(host for host in site.hosts if host.name == SPARE_NODE)
    kubectl = site.cluster.kubectl_path
    return (
        "Everything keeps running. In another terminal:",
        f"  export KUBECONFIG={site.cluster.kubeconfig}",
        f"  {kubectl} get nicclusterpolicy",
        f"  {kubectl} describe nicclusterpolicy nic-cluster-policy",
        f"  {kubectl} get nodes --label-columns=network.nvidia.com/operator.mofed.wait,nicfleet.io/driver.version",
        f"  {grpcurl} -plaintext {site.coordinator} list",
        f"  {grpcurl} -plaintext {site.coordinator} nicfleet.v1.FleetView/ListNodes",
        f"  {grpcurl} -plaintext {site.agents[host.name]} nicfleet.v1.NodeView/GetInventory",
        f"  {REPOSITORY / '.venv/bin/nicfleet'} inspect --host-root {host.root}",
        f"  rm {host.root}/sys/bus/pci/devices/0000:3b:00.1    # pull out a port, and see what is said about it",
        "Ctrl-C ends all of it.",
    )
