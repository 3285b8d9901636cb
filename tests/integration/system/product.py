"""The whole product on a control plane: installed, with a coordinator and agents to start, and removed again."""

from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import yaml

from nicfleet import names
from nicfleet.v1 import view_pb2, view_pb2_grpc
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.nodes import fake_node
from tests.integration.system.api import NODE_POLICIES, NODES, POLICIES, Api
from tests.integration.system.audit import Audit
from tests.integration.system.processes import Agent, Coordinator, HostBuilder
from tests.integration.system.simulated import SimulatedAgents
from tests.integration.system.waiting import eventually

DEPLOY = Path(__file__).parents[3] / "deploy"
EXAMPLES = DEPLOY / "examples"
DRIVER_VERSION = "23.04-0.5.3.3.1"
"""What the example asks for; a loaded driver calls it 23.04-0.5.3."""
OFFERED = {"rdma/rdma_shared_device_a": 63}

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_NAMESPACED = f"namespaces/{names.DEFAULT_NAMESPACE}"
_MADE = (
    *(f"/apis/apps/v1/{_NAMESPACED}/{kind}" for kind in ("daemonsets", "deployments")),
    *(f"/api/v1/{_NAMESPACED}/{kind}" for kind in ("configmaps", "serviceaccounts")),
    *(f"{_RBAC}/{kind}" for kind in ("clusterroles", "clusterrolebindings")),
)
"""Collections that hold what a policy makes, but for CRDs."""


def install(plane: ControlPlane) -> None:
    """CRDs, namespace and rights, as a user installs them."""
    plane.install(DEPLOY / "manifests/namespace.yaml", DEPLOY / "manifests", DEPLOY / "crds")


def account(plane: ControlPlane) -> Path:
    """A kubeconfig of the coordinator's own ServiceAccount."""
    return plane.service_account_kubeconfig(names.DEFAULT_NAMESPACE, "nicfleet-coordinator")


class Product:
    """One coordinator, its agents, and looks at what they do. `stop` or `remove` it in the end."""

    def __init__(self, plane: ControlPlane, folder: Path, *flags: str, kubeconfig: Path | None = None) -> None:
        """`flags` are the coordinator's; `kubeconfig` as well, if it shall not be that of its own account."""
        self.plane = plane
        self.folder = folder
        self.api = Api(plane)
        self.audit = Audit(plane)
        self.coordinator = Coordinator(kubeconfig or account(plane), folder, *flags)
        self.simulated = SimulatedAgents(lambda: self.coordinator.address)
        self._agents: list[Agent] = []
        self._channel = grpc.insecure_channel(self.coordinator.address)
        self.view = view_pb2_grpc.FleetViewStub(self._channel)

    def register(self, *nodes: str, **details: Any) -> None:
        """Nodes whose kubelets run whatever is scheduled on them, and to which the example's device plugin has
        registered; details as for `fake_node`."""
        self.plane.apply(*(fake_node(node, **({"resources": OFFERED} | details)) for node in nodes))

    def agent(self, node: str, build: HostBuilder) -> Agent:
        """A Node, its host and an agent on it, which runs."""
        root = self.folder / node
        build(root)
        self.register(node)
        agent = Agent(node, root, self.coordinator.address, self.folder)
        self._agents.append(agent)
        agent.start()
        return agent

    def apply(self, **sections: Any) -> None:
        """Apply the policy with these sections and no other."""
        self.apply_named(names.POLICY_NAME, **sections)

    def apply_named(self, name: str, **sections: Any) -> None:
        self.plane.apply(policy(name, sections))

    def apply_for_nodes(self, name: str, selector: Mapping[str, str], **sections: Any) -> None:
        """Apply a NicNodePolicy."""
        self.plane.apply(policy(name, {"nodeSelector": dict(selector)} | sections, "NicNodePolicy"))

    def wait_ready(self, policy: str = f"nicclusterpolicy/{names.POLICY_NAME}", seconds: int = 120) -> None:
        """As a user waits."""
        self.plane.kubectl("wait", "--for=condition=Ready", policy, f"--timeout={seconds}s")

    def node(self, name: str) -> view_pb2.NodeSummary:
        """What the coordinator says of a node."""
        return self.view.GetNode(view_pb2.GetNodeRequest(name=name), wait_for_ready=True, timeout=30).summary

    def judged(self, kind: str = "NicClusterPolicy", name: str = names.POLICY_NAME) -> str:
        """The state of a policy in the verdict of the coordinator's latest pass; empty before the first one."""
        request = view_pb2.GetPolicyStatusRequest(name=name, kind=kind)
        try:
            return self.view.GetPolicyStatus(request, wait_for_ready=True, timeout=30).state
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return ""

    def stop(self) -> None:
        """Kill all processes and close all connections."""
        self._channel.close()
        self.simulated.close()
        for program in (*self._agents, self.coordinator):
            program.kill()
        self.api.close()

    def remove(self) -> None:
        """Stop, and delete everything but what `install` made."""
        self.stop()
        with closing(Api(self.plane)) as api:
            delete_all(api)


def delete_all(api: Api) -> None:
    """Policies, nodes and all that became of them, while no coordinator runs."""
    for policies in (POLICIES, NODE_POLICIES):
        api.delete(policies)
    for collection in _MADE:
        api.delete(f"{collection}?labelSelector={names.STATE_LABEL}")
    eventually(lambda: _no_pods(api))
    api.delete(NODES)


def _no_pods(api: Api) -> bool:
    """Whether the last one is gone; nobody ends those on a Node that is gone, so it is done here."""
    pods = f"/api/v1/{_NAMESPACED}/pods"
    api.delete(f"{pods}?gracePeriodSeconds=0")
    return not api.items(pods)


def policy(name: str, sections: Mapping[str, Any], kind: str = "NicClusterPolicy") -> dict[str, Any]:
    return {
        "apiVersion": f"{names.API_GROUP}/{names.API_VERSION}",
        "kind": kind,
        "metadata": {"name": name},
        "spec": dict(sections),
    }


def example(name: str = "whereabouts") -> dict[str, Any]:
    """The sections of an example policy; the usual one is upstream's first."""
    spec: dict[str, Any] = yaml.safe_load((EXAMPLES / f"nicclusterpolicy-{name}.yaml").read_text())["spec"]
    return spec


def sections(*wanted: str) -> dict[str, Any]:
    """Some of the example's sections."""
    return {name: example()[name] for name in wanted}


def own(labels: Mapping[str, str]) -> dict[str, str]:
    """Those labels of a Node that nicfleet may write."""
    return {key: value for key, value in labels.items() if key in names.LABEL_KEYS or _has_prefix(key)}


def _has_prefix(key: str, prefixes: Iterable[str] = names.LABEL_PREFIXES) -> bool:
    return any(key.startswith(prefix) for prefix in prefixes)
