"""The images run, as containers that may do nothing: read-only root, no capability, the image's own user."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest

from nicfleet.v1 import view_pb2, view_pb2_grpc
from tests import hosts
from tests.images.conftest import Built
from tests.images.container import SECONDS, run, started
from tests.images.store import SIDES

PYTHON = "/opt/nicfleet/bin/python"
IMPORTS = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
names = [module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""
AGENT = ("--node-name=worker-1", "--coordinator=127.0.0.1:9", "--insecure", "--grpc-listen=127.0.0.1:0")


@pytest.mark.parametrize("side", SIDES)
def test_help(built: Built, tmp_path: Path, side: str) -> None:
    done = run(built.images[side], tmp_path, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: nicfleet-{side}")


@pytest.mark.parametrize("side", SIDES)
def test_every_module_can_be_imported(built: Built, tmp_path: Path, side: str) -> None:
    done = run(built.images[side], tmp_path, "-W", "error", "-c", IMPORTS, side, entrypoint=PYTHON)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 20


@pytest.mark.parametrize("side", SIDES)
def test_the_installed_version_is_known(built: Built, tmp_path: Path, side: str) -> None:
    code = "from importlib.metadata import version; print(version('nicfleet'))"
    done = run(built.images[side], tmp_path, "-c", code, entrypoint=PYTHON)
    assert done.stdout.strip() == "0.1.0"


@pytest.mark.parametrize(
    ("side", "arguments", "sentence"),
    [
        pytest.param(
            "coordinator",
            ["--insecure", "--grpc-listen=nonsense"],
            "nicfleet-coordinator: --grpc-listen is 'nonsense': give HOST:PORT, for example 0.0.0.0:7444\n",
            id="the-coordinator-refuses-an-address",
        ),
        pytest.param(
            "coordinator",
            ["--insecure", "--templates=/nowhere"],
            "nicfleet-coordinator: --templates is '/nowhere': there is no such folder\n",
            id="the-coordinator-refuses-a-folder",
        ),
        pytest.param(
            "agent",
            ["--insecure", "--node-name=Worker"],
            "nicfleet-agent: --node-name is 'Worker': give the name of this machine's Kubernetes Node, "
            "for example worker-1\n",
            id="the-agent-refuses-a-name",
        ),
    ],
)
def test_wrong_settings_are_refused_in_a_sentence(
    built: Built, tmp_path: Path, side: str, arguments: list[str], sentence: str
) -> None:
    done = run(built.images[side], tmp_path, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", sentence)


@pytest.mark.parametrize("place", ["/opt/nicfleet/x", "/etc/x", "/x"])
def test_the_root_file_system_is_read_only_here(built: Built, tmp_path: Path, place: str) -> None:
    """Else the other tests would not show that it may be."""
    done = run(built.images["agent"], tmp_path, "-c", f"open({place!r}, 'w')", entrypoint=PYTHON)
    assert "Read-only file system" in done.stderr


def test_the_agent_serves_a_recorded_host(built: Built, tmp_path: Path) -> None:
    host = tmp_path / "host"
    host.mkdir()
    hosts.connectx5(host)
    with started(built.images["agent"], tmp_path, *AGENT, "--host-root=/host", mounts={host: "/host"}) as process:
        begun = _line(process, "agent started")
        assert (begun["node"], begun["version"], begun["live"]) == ("worker-1", "0.1.0", False)
        with grpc.insecure_channel(f"127.0.0.1:{begun['port']}") as channel:
            view: Any = view_pb2_grpc.NodeViewStub(channel)
            stream = view.WatchInventory(view_pb2.WatchInventoryRequest(), wait_for_ready=True, timeout=SECONDS)
            first = next(stream)
            stream.cancel()
    assert [function.address for function in first.inventory.functions] == ["0000:3b:00.0", "0000:3b:00.1"]


def test_the_agent_hears_this_machine(built: Built, tmp_path: Path) -> None:
    """Its libraries find the system's: udev's is loaded at run time."""
    with started(built.images["agent"], tmp_path, *AGENT) as process:
        lines = _until(process, "agent started")
        lines += [_next(process)]  # the first look's line, or the first failed dial
    assert [line["message"] for line in lines if "cannot" in line["message"]] == []


def test_the_coordinator_asks_the_api_server_with_the_token_of_a_plugin(built: Built, tmp_path: Path) -> None:
    """The Kubernetes library without its generated classes: configuration, credentials and HTTP are its part."""
    with _api_server() as (address, seen):
        credential = {"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1"}
        printed = json.dumps({**credential, "status": {"token": "from-the-plugin"}})
        plugin = {"apiVersion": credential["apiVersion"], "command": "/bin/echo", "args": [printed]}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": address}}],
            "users": [{"name": "it", "user": {"exec": {**plugin, "interactiveMode": "Never"}}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }
        place = tmp_path / "kubeconfig"
        place.write_text(json.dumps(config))
        arguments = ("--insecure", "--kubeconfig=/kubeconfig", "--grpc-listen=127.0.0.1:0", "--http-listen=127.0.0.1:0")
        with started(built.images["coordinator"], tmp_path, *arguments, mounts={place: "/kubeconfig"}) as process:
            deadline = time.monotonic() + SECONDS
            while not seen and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            if process.poll() is not None:
                assert seen, process.stderr and process.stderr.read()
    assert seen[0] == "Bearer from-the-plugin"


@contextmanager
def _api_server() -> Iterator[tuple[str, list[str | None]]]:
    """Answers all with 503, and remembers with which credentials it was asked."""
    seen: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers["Authorization"])
            self.send_error(503)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the overridden one
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _line(process: "subprocess.Popen[str]", message: str) -> dict[str, Any]:
    return _until(process, message)[-1]


def _until(process: "subprocess.Popen[str]", message: str) -> list[dict[str, Any]]:
    lines = [_next(process)]
    while lines[-1]["message"] != message:
        lines.append(_next(process))
    return lines


def _next(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """The next line of the log. A container that ends has no more, and says why on the other stream."""
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    assert line, process.stderr.read()
    found: dict[str, Any] = json.loads(line)
    return found
