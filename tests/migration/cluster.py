"""nicfleet in a cluster that it is moved to: its own coordinator with the chart's account, and what can be seen."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from coordinator.kube.objects import ref_of
from tests.chart.helm import NAMESPACE
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

    def start(self) -> None:
        """With an agent on every node."""
        self.coordinator.start()
        for node in WITH_NIC:
            self.agents.report(node, WITH_DRIVER)
        self.agents.report(WITHOUT, NO_NIC)

    def stop(self) -> None:
        self.agents.close()
        self.coordinator.kill()


def live(api: Api, objects: list[dict[str, Any]]) -> Objects:
    """These objects as they are in the cluster, by kind and name."""
    found = {}
    for each in objects:
        ref = ref_of(each)
        found[f"{ref.kind} {ref.name}"] = api.get(ref.resource.path(ref.namespace, ref.name))
    return found
