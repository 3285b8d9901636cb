"""What happens in the demo, in order: Nodes get labels, two policies become ready, a card is pulled and put back."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from demo.board import Board, board, is_labelled, is_ready
from demo.display import Display
from demo.fleet import FleetClient
from demo.hosts import SPARE_NODE, SpareCard
from demo.latency import ROUNDS, measure, percentile
from demo.site import REPOSITORY, Site
from nicfleet import names
from tests.controlplane.process import Process

LABELLED_SECONDS: Final = 60.0
READY_SECONDS: Final = 120.0
EXAMPLES: Final = (
    "deploy/examples/nicclusterpolicy-whereabouts.yaml",
    "deploy/examples/nicclusterpolicy-nv-ipam.yaml",
)

_REFRESH_SECONDS: Final = 0.25
_LOG_LINES: Final = 10


class NotReady(Exception):
    """Something was not ready in time; the text gives the reasons, one a line."""


class Story:
    """Tells `display` what happens on `site`."""

    def __init__(self, site: Site, fleet: FleetClient, display: Display) -> None:
        self._site = site
        self._fleet = fleet
        self._display = display

    def tell(self) -> None:
        """Raises NotReady, and NotSeen when a change of hardware does not reach its label."""
        self._display.say("four agents report, the coordinator labels their Nodes")
        self._wait_until(lambda: is_labelled(self._fleet.nodes()), LABELLED_SECONDS)
        for example in EXAMPLES:
            self._display.say(f"kubectl apply -f {example}")
            self._display.say(f"Ready {self._apply(example):.1f} s after kubectl apply")
        self._replug()

    def go_on(self) -> None:
        """Show how things are until Ctrl-C."""
        while True:
            self._display.show(self._board())
            time.sleep(_REFRESH_SECONDS)

    def _apply(self, example: str) -> float:
        """Seconds until this very policy is Ready. Raises NotReady."""
        began = time.monotonic()
        applied = self._site.cluster.kubectl(
            "apply", f"--filename={REPOSITORY / example}", "--output=jsonpath={.metadata.generation}"
        )
        self._wait_until(lambda: is_ready(self._site.observed.policy, int(applied)), READY_SECONDS)
        return time.monotonic() - began

    def _replug(self) -> None:
        card = SpareCard(next(host.root for host in self._site.hosts if host.name == SPARE_NODE))
        self._display.say(f"{ROUNDS} times, a ConnectX-7 of node {SPARE_NODE} is pulled out and put back")
        measured = measure(card, self._site.observed)
        for what, seconds in (("put back", measured.additions), ("pulled out", measured.removals)):
            p50, p99 = percentile(seconds, 50) * 1000, percentile(seconds, 99) * 1000
            self._display.say(f"{what} on the host -> label on the API server: p50 {p50:.0f} ms, p99 {p99:.0f} ms")
        self._display.show(self._board())

    def _wait_until(self, holds: Callable[[], bool], seconds: float) -> None:
        """Show how things are until it holds. Raises NotReady after that time, or when a process has ended."""
        deadline = time.monotonic() + seconds
        while not self._site.observed.wait_until(holds, _REFRESH_SECONDS):
            self._display.show(self._board())
            if time.monotonic() > deadline or self._ended():
                raise NotReady("\n".join(self._reasons()))
        self._display.show(self._board())

    def _board(self) -> Board:
        return board(self._fleet.nodes(), self._site.observed.labels, self._site.observed.policy)

    def _ended(self) -> list[Process]:
        return [process for process in self._site.processes if process.pid is None]

    def _reasons(self) -> Iterator[str]:
        yield "not ready in time"
        for node in self._fleet.nodes():
            if not is_labelled([node]):
                yield f"{node.name}: its agent has not reported, or the Node lacks labels that follow from the report"
        for state in self._board().states:
            if state.state not in ("ready", "ignore"):
                yield f"{state.name}: {state.state}: {state.message}"
        for process in self._ended():
            yield f"{process.name} has ended; its last lines:"
            yield from process.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]


def what_to_try(site: Site, grpcurl: Path) -> str:
    """Commands for another terminal."""
    host = next(host for host in site.hosts if host.name == SPARE_NODE)
    kubectl = site.cluster.kubectl_path
    return f"""
Everything keeps running. In another terminal:

  export KUBECONFIG={site.cluster.kubeconfig}
  {kubectl} get nicclusterpolicy
  {kubectl} describe nicclusterpolicy {names.POLICY_NAME}
  {kubectl} get nodes --label-columns={names.WAIT_LABEL},{names.DRIVER_VERSION_LABEL}
  {grpcurl} -plaintext {site.coordinator} list
  {grpcurl} -plaintext {site.coordinator} nicfleet.v1.FleetView/ListNodes
  {grpcurl} -plaintext {site.agents[host.name]} nicfleet.v1.NodeView/GetInventory
  {REPOSITORY}/.venv/bin/nicfleet inspect --host-root {host.root}

Take a kernel module away from a host, and see here what is said about it:

  mv {host.root}/sys/module/mlx5_ib {host.root}/mlx5_ib

Ctrl-C ends all of it.
"""
