"""Everything that runs in the demo: a control plane, the coordinator, four agents, and who plays the driver pods."""

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from demo.driver_container import DriverContainer
from demo.hosts import DemoHost, build_hosts
from demo.observed import Observed
from demo.watch import Watch
from nicfleet import names
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.loopback import answers_ok, free_ports
from tests.controlplane.nodes import fake_node
from tests.controlplane.process import Process

REPOSITORY: Final = Path(__file__).parent.parent
ACCOUNT: Final = "nicfleet-coordinator"
START_SECONDS: Final = 30.0
NO_REGISTRY: Final = "--driver-image-poll-minutes=0"
"""There may be no internet here, and no image is pulled."""
OFFERED: Final = {"rdma/rdma_shared_device_a": 63}
"""What the policies' device plugin would register with a kubelet; no plugin runs here."""

_DRIVER_PODS: Final = f"/api/v1/namespaces/{names.DEFAULT_NAMESPACE}/pods?labelSelector={names.OFED_DRIVER_LABEL}"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Site:
    """The running demo. Addresses are HOST:PORT of gRPC servers, the agents' by node name."""

    cluster: ControlPlane
    hosts: tuple[DemoHost, ...]
    coordinator: str
    agents: Mapping[str, str]
    processes: tuple[Process, ...]
    observed: Observed


@contextmanager
def running_site(say: Say) -> Iterator[Site]:
    """Bring everything up, and down again at the end. Raises ControlPlaneError."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nicfleet-demo-")))
        say("starting etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok")
        cluster = stack.enter_context(ControlPlane(say=say))
        hosts = build_hosts(folder / "hosts")
        say("installing CRDs, RBAC and four Nodes")
        _install(cluster, hosts)
        observed = Observed()
        stack.enter_context(observed.following(cluster))
        stack.enter_context(_driver_containers(cluster, hosts))
        say("starting the coordinator, under its own ServiceAccount, and four agents")
        ports = iter(free_ports(len(hosts) + 2))
        coordinator, http = _loopback(next(ports)), _loopback(next(ports))
        agents = {host.name: _loopback(next(ports)) for host in hosts}
        processes = [_coordinator(cluster, coordinator, http, folder)]
        processes += [_agent(host, coordinator, agents[host.name], folder) for host in hosts]
        for process in processes:
            stack.callback(process.kill)
            process.start()
        processes[0].wait_until(lambda: answers_ok(f"http://{http}/readyz"), START_SECONDS)
        yield Site(cluster, hosts, coordinator, agents, tuple(processes), observed)


def _install(cluster: ControlPlane, hosts: tuple[DemoHost, ...]) -> None:
    deploy = REPOSITORY / "deploy"
    cluster.install(deploy / "manifests/namespace.yaml", deploy / "manifests", deploy / "crds")
    cluster.apply(*(fake_node(host.name, taints=host.taints, resources=OFFERED) for host in hosts))


@contextmanager
def _driver_containers(cluster: ControlPlane, hosts: tuple[DemoHost, ...]) -> Iterator[None]:
    """On each host tree, the driver container runs while its pod does."""
    containers = {host.name: DriverContainer(host.root) for host in hosts if host.is_tree}

    def on_pod(kind: str, pod: Mapping[str, Any]) -> None:
        container, uid = containers.get(pod["spec"].get("nodeName")), pod["metadata"]["uid"]
        if container is None:
            return
        if kind == "DELETED":
            container.pod_is_gone(uid)
        elif pod["status"].get("phase") == "Running":
            container.pod_runs(uid, pod["spec"]["containers"][0]["image"])

    with ExitStack() as stack:
        for container in containers.values():
            stack.callback(container.close)
        stack.enter_context(Watch(cluster, _DRIVER_PODS, on_pod))
        yield


def _coordinator(cluster: ControlPlane, grpc: str, http: str, folder: Path) -> Process:
    kubeconfig = cluster.service_account_kubeconfig(names.DEFAULT_NAMESPACE, ACCOUNT)
    command = [sys.executable, "-m", "coordinator", "--insecure", f"--kubeconfig={kubeconfig}", NO_REGISTRY]
    command += [f"--namespace={names.DEFAULT_NAMESPACE}", f"--grpc-listen={grpc}", f"--http-listen={http}"]
    return Process("coordinator", command, folder / "coordinator.log")


def _agent(host: DemoHost, coordinator: str, grpc: str, folder: Path) -> Process:
    command = [sys.executable, "-m", "agent", "--insecure", f"--node-name={host.name}", f"--host-root={host.root}"]
    command += [f"--coordinator={coordinator}", f"--grpc-listen={grpc}"]
    return Process(f"agent on {host.name}", command, folder / f"agent-{host.name}.log")


def _loopback(port: int) -> str:
    return f"127.0.0.1:{port}"
