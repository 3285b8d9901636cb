"""A real node on this machine: containerd and kubelet in namespaces of their own."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.controlplane.errors import ControlPlaneError
from tests.controlplane.process import POLL_SECONDS, Process
from tests.e2e import cgroups, network
from tests.e2e.network import Place

PAUSE: Final = "localhost/pause:e2e"
START_SECONDS: Final = 60.0
COMMAND_SECONDS: Final = 300.0

ENCLOSED: Final = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
"""With this before it a command takes all it started and mounted with it when it ends, also when it is killed."""

_SOCKET: Final = "/run/containerd/containerd.sock"
_SCRIPT: Final = Path(__file__).with_name("node.sh")


class RealNode:
    """One of them. A context manager; when it ends, all that ran on it has ended.

    With `own_network` it is in a network namespace of its own, else in this machine's. `mounts` is what is bound over
    the machine's own files, (source, target), in this order.
    """

    def __init__(
        self,
        name: str,
        place: Place,
        folder: Path,
        *,
        own_network: bool = False,
        mounts: Sequence[tuple[Path, str]] = (),
    ) -> None:
        self.name = name
        self.place = place
        self.folder = folder
        self._own_network = own_network
        self._mounts = mounts
        self._first = Process(f"{name}", self._first_command(), folder / "node.log")
        self._containerd: Process | None = None
        self._kubelet: Process | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._first.start()
            self._first.wait_until((self.folder / "up").exists, START_SECONDS)
            if self._own_network:
                network.join(self.place, self.process)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Its process 1 ends, and the kernel ends all others before it tells so."""
        for process in (self._kubelet, self._containerd):
            if process is not None:
                process.kill()
        if self._first.pid is not None:
            with suppress(IndexError, ProcessLookupError):  # it has not begun, or has ended
                os.kill(_child_of(self._first.pid), signal.SIGKILL)
                eventually(lambda: self._first.pid is None, START_SECONDS, f"the end of node {self.name}")
        self._first.kill()

    @property
    def process(self) -> int:
        """The id, on this machine, of its process 1."""
        if self._first.pid is None:
            raise ControlPlaneError(f"{self.name} has ended: {self._first.log.read_text()}")
        return _child_of(self._first.pid)

    def start_containerd(self) -> None:
        """Without anything from a registry: images come by `load`."""
        cni = self.folder / "cni"
        cni.mkdir()
        (cni / "10-pods.conflist").write_text(json.dumps(self.place.cni(self.folder / "ipam"), indent=2))
        settings = self.folder / "containerd.toml"
        settings.write_text(_containerd_settings(self.folder, cni))
        self._containerd = self._program("containerd", ["containerd", f"--config={settings}"])
        self._containerd.wait_until(lambda: self._succeeds("ctr", "version"), START_SECONDS)

    def load(self, archive: Path) -> None:
        """Give it the images of an archive, as `docker save` makes it."""
        self.run("ctr", "--namespace=k8s.io", "images", "import", str(archive))

    def tag(self, image: str, *names: str) -> None:
        """Let an image be known by more names."""
        for name in names:
            self.run("ctr", "--namespace=k8s.io", "images", "tag", "--force", image, name)

    def start_kubelet(self, kubelet: Path, kubeconfig: Path, registered: Callable[[], bool]) -> None:
        """Until its Node is there, as `registered` says."""
        own = self.folder / "kubeconfig"
        content = json.loads(kubeconfig.read_text())
        content["clusters"][0]["cluster"]["server"] = f"https://{network.API_ADDRESS}"
        own.write_text(json.dumps(content))
        settings = self.folder / "kubelet.json"
        resolv = self.folder / "resolv.conf"
        resolv.write_text("")
        settings.write_text(json.dumps(_kubelet_settings(self.place, cgroups.add(self.name), resolv), indent=2))
        command: list[str | Path] = [
            kubelet,
            f"--config={settings}",
            f"--kubeconfig={own}",
            f"--hostname-override={self.name}",
        ]
        command += [f"--node-ip={self.place.address}", "--v=2"]
        self._kubelet = self._program("kubelet", command)
        self._kubelet.wait_until(registered, START_SECONDS)

    def restart_kubelet(self) -> None:
        """As after a reboot: what it knows of the machine it reads when it starts."""
        kubelet = self._kubelet
        if kubelet is None or kubelet.pid is None:
            raise ControlPlaneError(f"{self.name} has no kubelet that runs")
        os.kill(_child_of(kubelet.pid), signal.SIGKILL)  # and nsenter, which waits for it, ends as well
        kubelet.kill()
        kubelet.start()

    def run(self, *command: str) -> str:
        """Run a program on the node. Raises ControlPlaneError with what it said."""
        done = self._ran(*command)
        if done.returncode:
            raise ControlPlaneError(f"{self.name}: {' '.join(command)}: {done.stdout}{done.stderr}".strip())
        return done.stdout

    @property
    def logs(self) -> Sequence[Path]:
        """Of its programs."""
        return [process.log for process in (self._first, self._containerd, self._kubelet) if process is not None]

    def _succeeds(self, *command: str) -> bool:
        return self._ran(*command).returncode == 0

    def _ran(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self._inside(), *command], capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS
        )

    def _program(self, name: str, command: Sequence[str | Path]) -> Process:
        process = Process(name, [*self._inside(), *command], self.folder / f"{name}.log")
        process.start()
        return process

    def _inside(self) -> list[str]:
        return ["nsenter", f"--target={self.process}", "--mount", "--pid", "--net", "--"]

    def _first_command(self) -> list[str | Path]:
        own = ["--net"] if self._own_network else []
        mounts = (str(part) for mount in self._mounts for part in mount)
        return [*ENCLOSED, *own, "sh", _SCRIPT, self.folder, *mounts]


def eventually(holds: Callable[[], bool], seconds: float, what: str | Callable[[], str]) -> None:
    """Wait until it holds. Raises ControlPlaneError that says what did not come; a function is asked for that then."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise ControlPlaneError(f"not after {seconds:.0f} s: {what if isinstance(what, str) else what()}")
        time.sleep(POLL_SECONDS)


def _child_of(process: int) -> int:
    """The only one: what unshare and nsenter start in another namespace of processes."""
    return int(Path(f"/proc/{process}/task/{process}/children").read_text().split()[0])


def _containerd_settings(folder: Path, cni: Path) -> str:
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""\
version = 2
root = "{folder / "containerd"}"
state = "/run/containerd"

[grpc]
  address = "{_SOCKET}"

[{cri}]
  sandbox_image = "{PAUSE}"
  # What runs this may itself not lower it.
  restrict_oom_score_adj = true
  [{cri}.cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{cni}"
"""


def _kubelet_settings(place: Place, cgroup_root: str, resolv: Path) -> Mapping[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": place.address,
        "healthzPort": 0,
        # The API server has no certificate here that a kubelet could know it by.
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": f"unix://{_SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup_root,
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "clusterDNS": [network.DNS_ADDRESS],
        "clusterDomain": network.DOMAIN,
        "resolvConf": str(resolv),
        # The machine's disk is not the node's to tidy up.
        "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "makeIPTablesUtilChains": False,
        "nodeStatusUpdateFrequency": "5s",
    }
