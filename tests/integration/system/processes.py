"""The product's two programs as they are run in a cluster: started, killed, asked for their logs."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

from nicfleet.inventory import Flavour
from tests import host_driver
from tests.controlplane.loopback import answers_ok, free_ports
from tests.controlplane.process import Process
from tests.host_tree import HostTree

START_SECONDS = 60.0

NO_REGISTRY = "--driver-image-poll-minutes=0"
"""The registries of the examples cannot be asked here; of two flags the last counts."""


_DIRECT = build_opener(ProxyHandler({}))


class Program:
    """One process and its log of JSON lines. What it said in earlier lives is in the log too."""

    def __init__(self, name: str, arguments: list[str], log: Path) -> None:
        self.process = Process(name, [sys.executable, "-m", *arguments], log)

    def kill(self) -> None:
        """SIGKILL: nothing can be tidied up."""
        self.process.kill()

    def logged(self, message: str) -> list[dict[str, Any]]:
        """The lines with this message."""
        return [line for line in self.log() if line["message"] == message]

    def log(self) -> list[dict[str, Any]]:
        """Every whole line so far; one that is not JSON is a message of its own: what a dying process says."""
        *lines, _ = self.process.log.read_text().split("\n") if self.process.log.exists() else [""]
        return [json.loads(line) if line.startswith("{") else {"message": line} for line in lines]


class Coordinator(Program):
    """The coordinator, on the same two ports in every life."""

    def __init__(self, kubeconfig: Path, folder: Path, *flags: str, insecure: bool = True) -> None:
        grpc, http = free_ports(2)
        self.address = f"127.0.0.1:{grpc}"
        self._http = f"http://127.0.0.1:{http}"
        arguments = ["coordinator", f"--kubeconfig={kubeconfig}", NO_REGISTRY, *flags]
        arguments += ["--insecure"] if insecure else []
        arguments += [f"--grpc-listen={self.address}", f"--http-listen=127.0.0.1:{http}"]
        super().__init__("coordinator", arguments, folder / "coordinator.log")

    @property
    def ready(self) -> bool:
        return answers_ok(f"{self._http}/readyz")

    @property
    def role(self) -> str:
        """What it says of itself when it is ready; else empty."""
        try:
            with _DIRECT.open(f"{self._http}/readyz", timeout=2) as answer:
                return str(answer.read().decode().strip())
        except OSError:
            return ""

    def metrics(self) -> str:
        """What Prometheus would read."""
        with _DIRECT.open(f"{self._http}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        self.process.start()
        self.process.wait_until(lambda: self.ready, START_SECONDS)

    def restart(self) -> None:
        self.kill()
        self.start()


class Agent(Program):
    """An agent on a host tree."""

    def __init__(
        self, node: str, root: Path, coordinator: str, folder: Path, *flags: str, insecure: bool = True
    ) -> None:
        self.node = node
        self.root = root
        self.tree = HostTree(root)
        arguments = ["agent", f"--node-name={node}", f"--coordinator={coordinator}", *flags]
        arguments += ["--insecure"] if insecure else []
        arguments += [f"--host-root={root}", "--grpc-listen=127.0.0.1:0"]
        super().__init__(f"agent on {node}", arguments, folder / f"agent-{node}.log")

    def start(self) -> None:
        self.process.start()

    def load_driver(self, version: str = "23.04-0.5.3") -> None:
        """What a driver container does on its host: replace the stack, then say that it is ready."""
        host_driver.set_running(self.root, True)
        host_driver.load_driver(self.root, Flavour.OFED, version)
        host_driver.set_ready(self.root, True)

    def unload_driver(self) -> None:
        host_driver.set_ready(self.root, False)
        host_driver.set_running(self.root, False)
        host_driver.unload_driver(self.root)


HostBuilder = Callable[[Path], None]
"""Writes a host tree, e.g. `tests.hosts.connectx5`."""
