"""nicfleet in a cluster that it is moved to: its own coordinator with the chart's account, and what can be seen."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from coordinator.kube.objects import ref_of
from tests.chart.helm import NAMESPACE, ROOT
from tests.controlplane.cluster import ControlPlane
from tests.integration.system.api import Api
from tests.integration.system.fleet import NO_NIC, WITH_DRIVER
from tests.integration.system.processes import Coordinator
from tests.integration.system.simulated import SimulatedAgents
from tests.migration.upstream import WITH_NIC, WITHOUT

INIT_IMAGE: Final = "nvcr.io/nvidia/mellanox/network-operator-init-container:network-operator-v26.4.0"
"""The chart's, as in the recorded state."""

Objects = Mapping[str, dict[str, Any]]


class Nicfleet:
    """kwok ends the pods of our chart without running them, so the coordinator runs here, as its ServiceAccount."""

    def __init__(self, plane: ControlPlane, folder: Path, mode: str) -> None:
        kubeconfig = plane.service_account_kubeconfig(NAMESPACE, "nicfleet-coordinator")
        self.coordinator = Coordinator(
            kubeconfig, folder, f"--namespace={NAMESPACE}", f"--ofed-init-image={INIT_IMAGE}", f"--labels={mode}"
        )
        self.agents = SimulatedAgents(lambda: self.coordinator.address)

    def __enter__(self) -> Self:
        """Start it, with an agent on every node."""
        self.coordinator.start()
        for node in WITH_NIC:
            self.agents.report(node, WITH_DRIVER)
        self.agents.report(WITHOUT, NO_NIC)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.agents.close()
        self.coordinator.kill()


def install_crds(plane: ControlPlane) -> str:
    """What the chart's hook does, and what it says: kwok only plays its pod."""
    command = [sys.executable, "-m", "coordinator.install_crds", f"--kubeconfig={plane.kubeconfig}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def live(api: Api, objects: list[dict[str, Any]]) -> Objects:
    """These objects as they are in the cluster, by kind and name."""
    found = {}
    for each in objects:
        ref = ref_of(each)
        found[f"{ref.kind} {ref.name}"] = api.get(ref.resource.path(ref.namespace, ref.name))
    return found
