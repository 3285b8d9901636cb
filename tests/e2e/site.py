"""The cluster of the story: a control plane, its Services' addresses, and two real nodes."""

import json
import logging
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.controlplane.cluster import ControlPlane
from tests.controlplane.components import COMPONENTS, KWOK
from tests.controlplane.process import Process
from tests.controlplane.tools import ensure_tools
from tests.e2e import cgroups, network, stopping
from tests.e2e.folder import of_a_run
from tests.e2e.images import Images
from tests.e2e.network import Place
from tests.e2e.node import RealNode, eventually
from tests.e2e.recorded import RecordedHost

REAL: Final = "real"
"""The node that is this machine: its /sys, its network."""
RECORDED: Final = "recorded"
"""The node that has the files of a recorded host."""
NAMESPACE: Final = "nvidia-network-operator"
RELEASE: Final = "nicfleet"
READY_SECONDS: Final = 120.0

_HELM_SECONDS: Final = 400.0
_IMAGES: Final = (
    "custom-columns=NODE:.spec.nodeName,POD:.metadata.name,IMAGE:.spec.containers[*].image,"
    "RUNS:.status.containerStatuses[*].imageID"
)
_KEPT: Final = ("*.log", "*/*.log", "*/*.json", "*/*.toml", "*/log/pods/*/*/*.log")

log = logging.getLogger("e2e")


class Site:
    """A context manager: when it ends nothing of it is left on this machine, but for what `keep_logs` copied."""

    def __enter__(self) -> Self:
        self._ending = ExitStack()
        self.folder = self._ending.enter_context(of_a_run())
        try:
            self._build()
        except BaseException as error:
            self._end(keep_logs=isinstance(error, Exception))
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(keep_logs=False)

    def _end(self, *, keep_logs: bool) -> None:
        """All of it is taken down, whatever fails before or meanwhile."""
        with stopping.undisturbed(), self._ending:
            if keep_logs:
                self.keep_logs()

    def _build(self) -> None:
        self._tools = ensure_tools(["kubelet", "coredns", "helm"], log.info)
        self._ending.callback(cgroups.remove)
        self._ending.callback(network.remove)
        network.add_bridge()
        self.plane = self._ending.enter_context(ControlPlane([name for name in COMPONENTS if name != KWOK], log.info))
        self._serve()
        images = Images(self.folder / "images", log.info)
        stand_ins, ours = images.stand_ins(), images.ours()
        self.host = RecordedHost(self.folder / "recorded-host")
        self._ending.callback(self.host.close)
        nodes = {
            REAL: RealNode(REAL, Place(1), self.folder / REAL),
            RECORDED: RealNode(RECORDED, Place(2), self.folder / RECORDED, own_network=True, mounts=self.host.mounts),
        }
        self.nodes = nodes
        for node in nodes.values():
            self._ending.enter_context(node)
            node.start_containerd()
            log.info("node %s: containerd runs; loading images", node.name)
            for archive in (*stand_ins, *ours):
                node.load(archive)
            node.start_kubelet(self._tools["kubelet"], self.plane.kubeconfig, partial(self._has, node.name))
        for port in self.host.ports:
            nodes[RECORDED].run("ip", "link", "add", port, "type", "veth", "peer", "name", f"{port}-far")
            for end in (port, f"{port}-far"):
                nodes[RECORDED].run("ip", "link", "set", end, "up")
        self.plane.kubectl("wait", "--for=condition=Ready", "nodes", "--all", f"--timeout={READY_SECONDS:.0f}s")
        log.info("two real nodes:\n%s", self.plane.kubectl("get", "nodes", "-o", "wide"))

    def _serve(self) -> None:
        """What kube-proxy and the cluster's DNS would be."""
        forwarder = network.forwarder(self.plane.url.removeprefix("https://"), self.folder / "forwarder.log")
        self._ending.callback(forwarder.kill)
        forwarder.start()
        (self.folder / "Corefile").write_text(network.corefile(self.plane.kubeconfig))
        dns = Process(
            "coredns", [self._tools["coredns"], "-conf", self.folder / "Corefile"], self.folder / "coredns.log"
        )
        self._ending.callback(dns.kill)
        dns.start()
        known = f"kubernetes.default.svc.{network.DOMAIN}"
        dns.wait_until(lambda: network.dns_answers(known), READY_SECONDS)

    def _has(self, name: str) -> bool:
        return bool(self.plane.kubectl("get", "node", name, "--ignore-not-found", "-o", "name"))

    def helm(self, *arguments: str, code: int = 0) -> str:
        """Run helm, which is to end with this exit code; gives what it says, all of it."""
        command: list[str | Path] = [
            self._tools["helm"],
            f"--kubeconfig={self.plane.kubeconfig}",
            "--namespace",
            NAMESPACE,
            *arguments,
        ]
        home = self.folder / "helm"
        done = subprocess.run(
            command,
            env={"PATH": "/usr/bin:/bin", "HOME": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=_HELM_SECONDS,
        )
        assert done.returncode == code, f"helm {' '.join(arguments)}:\n{done.stdout}\n{self.pods()}"
        return done.stdout

    def pods(self) -> str:
        """All pods, as a person lists them, and the images that they run."""
        every = ("get", "pods", "--all-namespaces")
        return "\n".join((self.plane.kubectl(*every, "-o", "wide"), self.plane.kubectl(*every, "-o", _IMAGES)))

    def labels(self, node: str) -> dict[str, str]:
        """All that the Node carries."""
        found: dict[str, str] = self.plane.get("node", node)["metadata"]["labels"]
        return found

    def pods_of(self, component: str, node: str = "") -> list[dict[str, Any]]:
        """Pods of ours, on that node, but for those that are about to go."""
        selector = f"app.kubernetes.io/name=nicfleet-{component}"
        return [
            pod
            for pod in self.plane.get("pods", f"--namespace={NAMESPACE}", f"--selector={selector}")["items"]
            if (not node or pod["spec"].get("nodeName") == node) and "deletionTimestamp" not in pod["metadata"]
        ]

    def agent(self, node: str) -> dict[str, Any]:
        """The agent's pod on a node, {} without any."""
        return next(iter(self.pods_of("agent", node)), {})

    def leader(self) -> dict[str, Any]:
        """The pod of the coordinator that leads; of one that is alone, it; {} when nobody leads."""
        pods = self.pods_of("coordinator")
        leases = self.plane.get("leases", f"--namespace={NAMESPACE}")["items"]
        holders = " ".join(lease["spec"].get("holderIdentity") or "" for lease in leases)
        leading = [pod for pod in pods if pod["metadata"]["name"] in holders]
        return next(iter(leading if leases else pods), {})

    def wait_replaced(self, old: dict[str, Any], component: str, node: str = "", count: int = 1) -> None:
        """Until this pod is gone and `count` others are there, all ready."""

        def replaced() -> bool:
            pods = self.pods_of(component, node)
            return len(pods) == count and all(map(is_ready, pods)) and uid(old) not in map(uid, pods)

        eventually(replaced, READY_SECONDS, lambda: f"another {component} pod, ready\n{self.pods()}")

    @contextmanager
    def forwarded(self, pod: dict[str, Any], port: int) -> Iterator[int]:
        """`kubectl port-forward`: the port of this machine that leads to the pod's."""
        command: list[str | Path] = [self.plane.kubectl_path, f"--kubeconfig={self.plane.kubeconfig}"]
        command += [f"--namespace={NAMESPACE}", "port-forward", f"pod/{pod['metadata']['name']}", f":{port}"]
        forward = Process("port-forward", command, self.folder / f"port-forward-{pod['metadata']['name']}.log")
        told = re.compile(r"Forwarding from 127\.0\.0\.1:([0-9]+) ")
        try:
            forward.start()
            forward.wait_until(lambda: told.search(forward.log.read_text()) is not None, READY_SECONDS)
            found = told.search(forward.log.read_text())
            assert found is not None
            yield int(found[1])
        finally:
            forward.kill()

    def log_of(self, pod: dict[str, Any]) -> str:
        """`kubectl logs`."""
        return self.plane.kubectl("logs", pod["metadata"]["name"], f"--namespace={NAMESPACE}")

    def keep_logs(self) -> Path:
        """Copy what is to be read after a failure to a folder that stays."""
        kept = Path(tempfile.mkdtemp(prefix="nicfleet-e2e-logs-", dir=self.folder.parent))
        for pattern in _KEPT:
            for path in self.folder.glob(pattern):
                target = kept / path.relative_to(self.folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        if hasattr(self, "plane"):
            for path in self.plane.logs.values():
                shutil.copyfile(path, kept / path.name)
            for name, arguments in {
                "pods.txt": ["describe", "pods", "-A"],
                "nodes.txt": ["describe", "nodes"],
                "events.txt": ["get", "events", "-A", "--sort-by=.lastTimestamp"],
                "policies.yaml": ["get", "nicclusterpolicies", "-o", "yaml"],
            }.items():
                (kept / name).write_text(self.plane.kubectl(*arguments, check=False))
        log.info("logs of the nodes, the control plane and all pods are in %s", kept)
        return kept


def uid(pod: dict[str, Any]) -> str:
    return str(pod["metadata"]["uid"])


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def records(text: str) -> list[dict[str, Any]]:
    """The lines of one of our logs."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]
