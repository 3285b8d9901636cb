"""`nicfleet must-gather` on a real API server with pods that kwok plays: what is in the archive, and what is never."""

import asyncio
import base64
import gzip
import hashlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from typer.testing import CliRunner, Result

from cli.__main__ import app
from cli.access import ToCoordinator
from cli.must_gather.api import Api
from cli.must_gather.fleet import Unheard, connected
from cli.must_gather.redaction import redact
from nicfleet import names, wire
from nicfleet.inventory import NodeName
from nicfleet.v1 import view_pb2
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.nodes import fake_node
from tests.integration.coordinator.proxy import redirected
from tests.integration.coordinator_grpc.conftest import running
from tests.integration.must_gather_kubelet import Kubelet, serving
from tests.integration.system.waiting import eventually
from tests.unit.coordinator.inventories import connectx6dx, inventory, kube_node
from tests.unit.coordinator.reports import identity

DEPLOY = Path(__file__).parents[2] / "deploy"
NAMESPACE = "bundle"
NODES = ("bundle-a", "bundle-b", "bundle-c")
IMAGE = {"image": "doca-driver", "repository": "nvcr.io/nvidia/mellanox", "version": "24.10"}
SECRET = "Q7x" + "VerySecretValue0123456789"
"""In many places of the cluster, and never in the archive."""


@pytest.fixture(scope="module")
def trouble(cluster: ControlPlane) -> Iterator[ControlPlane]:
    """A namespace with a policy, workloads on three nodes, and secrets wherever people put them."""
    cluster.install(DEPLOY / "crds")
    labels = {names.NIC_LABEL: "true"}
    cluster.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        *(fake_node(name, labels=labels) for name in NODES),
        {
            "apiVersion": f"{names.API_GROUP}/{names.API_VERSION}",
            "kind": "NicClusterPolicy",
            "metadata": {"name": names.POLICY_NAME},
            "spec": {"ofedDriver": {**IMAGE, "repoConfig": {"name": "repos"}}},
        },
        _in_namespace("v1", "Secret", "ngc", stringData={"password": SECRET}),
        _in_namespace("v1", "ConfigMap", "ufm", data={"ufm.yaml": f"password: {SECRET}\n", "key.pem": SECRET}),
        _in_namespace("v1", "ConfigMap", "release", data={"release": _packed(SECRET), "note": f"it is {SECRET}"}),
        _in_namespace("v1", "ConfigMap", "repos", data={"a.repo": f"baseurl=http://me:{SECRET}@repo/a\nenabled=1\n"}),
        _daemonset("driver"),
    )
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "bundle-role"}
    cluster.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "bundle-role"},
            "rules": [],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "bundle-role"},
            "roleRef": role,
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": NAMESPACE}],
        },
    )
    eventually(lambda: _running(cluster) == len(NODES))
    yield cluster
    cluster.kubectl("delete", "clusterrole,clusterrolebinding", "bundle-role")
    cluster.kubectl("delete", "daemonset", "driver", "-n", NAMESPACE)
    cluster.kubectl("delete", "pods", "-n", NAMESPACE, "--all", "--force", "--grace-period=0")
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    cluster.kubectl("delete", "nicclusterpolicy", names.POLICY_NAME)
    cluster.kubectl("delete", "node", *NODES)
    cluster.remove("-f", str(DEPLOY / "crds"))


def _running(cluster: ControlPlane) -> int:
    pods = cluster.get("pods", "-n", NAMESPACE)["items"]
    return sum(pod["status"].get("phase") == "Running" for pod in pods)


def _in_namespace(version: str, kind: str, name: str, **rest: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, **rest}


def _packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode())).decode()


def _daemonset(name: str) -> dict[str, Any]:
    env = [
        {"name": "HTTPS_PROXY", "value": f"http://user:{SECRET}@proxy.example.com:3128"},
        {"name": "NGC_API_KEY", "value": SECRET},
        {"name": "NOTE", "value": f"it is {SECRET}"},
        {"name": "ENABLE_NFSRDMA", "value": "true"},
    ]
    arguments = ["--token", SECRET, f"login -u me:{SECRET} --password '{SECRET}'"]
    container = {"name": "mofed-container", "image": "driver:1", "env": env, "args": arguments}
    template = {
        "metadata": {"labels": {"app": name, names.OFED_DRIVER_LABEL: ""}},
        "spec": {
            "containers": [container],
            "nodeSelector": {names.NIC_LABEL: "true"},
            "tolerations": [{"operator": "Exists"}],
        },
    }
    return _in_namespace(
        "apps/v1", "DaemonSet", name, spec={"selector": {"matchLabels": {"app": name}}, "template": template}
    )


def gather(folder: Path, kubeconfig: Path, *flags: str) -> Result:
    arguments = [f"--output-dir={folder}", f"--kubeconfig={kubeconfig}", f"--namespace={NAMESPACE}", *flags]
    return CliRunner().invoke(app, ["must-gather", *arguments], env={"NICFLEET_COORDINATOR": ""})


def unpacked(folder: Path) -> dict[str, str]:
    """Contents of the one archive, by path below its folder."""
    (path,) = folder.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return {
            member.name.partition("/")[2]: content.read().decode()
            for member in archive
            if (content := archive.extractfile(member)) is not None
        }


def test_the_archive_has_what_explains_and_no_secret(trouble: ControlPlane, tmp_path: Path) -> None:
    result = gather(tmp_path, trouble.kubeconfig)

    files = unpacked(tmp_path)
    assert result.exit_code == 2, result.output  # kwok's kubelets have no logs
    path, digest = result.stdout.split()
    assert digest == f"sha256:{hashlib.sha256(Path(path).read_bytes()).hexdigest()}"
    assert not [name for name, content in files.items() if SECRET in content]
    pods = [pod["metadata"]["name"] for pod in trouble.get("pods", "-n", NAMESPACE)["items"]]
    assert files.keys() >= {
        "index.html",
        "summary.md",
        "errors.txt",
        "manifest.json",
        f"policies/nicclusterpolicies/{names.POLICY_NAME}.yaml",
        "crds/nicclusterpolicies.mellanox.com.yaml",
        f"objects/{NAMESPACE}/namespace.yaml",
        f"objects/{NAMESPACE}/daemonsets/driver.yaml",
        f"objects/{NAMESPACE}/configmaps/ufm.yaml",
        f"objects/{NAMESPACE}/secrets.txt",
        "objects/_cluster/clusterroles/bundle-role.yaml",
        f"events/{NAMESPACE}-001.jsonl",
        "pods/list-001.jsonl",
        *(f"pods/{pod}/pod.yaml" for pod in pods),
        *(f"nodes/{node}.yaml" for node in NODES),
        *(f"driver/{node}/status.txt" for node in NODES),
    }
    assert "proxy.example.com:3128" in files[f"objects/{NAMESPACE}/daemonsets/driver.yaml"]
    assert "enabled=1" in files[f"objects/{NAMESPACE}/configmaps/repos.yaml"], "the policy's own"
    assert "note: '[" in files[f"objects/{NAMESPACE}/configmaps/release.yaml"], "somebody else's"
    driver = yaml.safe_load(files[f"objects/{NAMESPACE}/daemonsets/driver.yaml"])["spec"]["template"]["spec"][
        "containers"
    ]
    assert {"name": "ENABLE_NFSRDMA", "value": "true"} in driver[0]["env"]
    assert "Opaque" in files[f"objects/{NAMESPACE}/secrets.txt"]
    assert "ngc" in files[f"objects/{NAMESPACE}/secrets.txt"]


def test_what_could_not_be_had_is_named(trouble: ControlPlane, tmp_path: Path) -> None:
    gather(tmp_path, trouble.kubeconfig)

    files = unpacked(tmp_path)
    manifest = json.loads(files["manifest.json"])
    failed = {failure["what"] for failure in manifest["failures"]}
    pods = [pod["metadata"]["name"] for pod in trouble.get("pods", "-n", NAMESPACE)["items"]]
    assert failed == {
        *(f"log of mofed-container of Pod {pod}" for pod in pods),
        *(f"driver diagnostics of {node}" for node in NODES),
    }
    assert all(f"{what}: " in files["errors.txt"] for what in failed)
    assert manifest["result"] == "partial"
    assert {entry["path"] for entry in manifest["files"]} == files.keys() - {"manifest.json"}


def test_a_namespace_that_is_not_there_is_told(trouble: ControlPlane, tmp_path: Path) -> None:
    result = gather(tmp_path, trouble.kubeconfig, "--namespace=nowhere")

    files = unpacked(tmp_path)
    assert result.exit_code == 2
    assert "namespace nowhere: " in files["errors.txt"]
    assert "no Pod of the coordinator is in namespace nowhere" in files["summary.md"]


def test_without_a_place_for_the_archive_the_flag_is_named(trouble: ControlPlane, tmp_path: Path) -> None:
    result = gather(tmp_path / "nowhere", trouble.kubeconfig)

    assert result.exit_code == 2
    assert result.stderr.startswith("nicfleet: --output-dir: ")


def test_secrets_are_never_read(trouble: ControlPlane, tmp_path: Path) -> None:
    """The server is asked for a table, in which there are no values."""
    gather(tmp_path, trouble.kubeconfig)
    asked = [
        event["requestURI"]
        for event in trouble.audit()
        if event.get("userAgent") == "nicfleet" and event.get("objectRef", {}).get("resource") == "secrets"
    ]
    assert asked
    assert all("includeObject=None" in uri for uri in asked)


def test_a_limit_of_nodes_is_kept_and_told(trouble: ControlPlane, tmp_path: Path) -> None:
    gather(tmp_path, trouble.kubeconfig, "--max-nodes=1", f"--nodes={names.NIC_LABEL}=true")

    files = unpacked(tmp_path)
    assert len([name for name in files if name.endswith("/pod.yaml")]) == 1
    assert len([name for name in files if name.startswith("nodes/")]) == len(NODES)
    assert "1 of 3 nodes are told in full" in files["summary.md"]


def test_an_account_without_rights_gets_what_it_may_read(trouble: ControlPlane, tmp_path: Path) -> None:
    result = gather(tmp_path, trouble.service_account_kubeconfig("default", "default"))

    assert result.exit_code in (1, 2)
    assert "forbidden" in unpacked(tmp_path)["errors.txt"]


def test_without_an_answer_there_is_no_archive(tmp_path: Path, cluster: ControlPlane) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        result = gather(tmp_path, redirected(cluster.kubeconfig, tmp_path, taken.getsockname()[1]))

    assert result.exit_code == 1
    assert "nothing was collected" in result.stderr
    assert not list(tmp_path.glob("nicfleet-*"))


async def test_an_api_that_stops_answering_ends_at_the_limit(tmp_path: Path, cluster: ControlPlane) -> None:
    """A server that tells its version and then says nothing more: the archive is finished all the same."""
    async with _tells_its_version_only(cluster, tmp_path) as (kubeconfig, _):
        result = await asyncio.to_thread(_in_process, tmp_path, kubeconfig, "--timeout=2s")

    assert result == 1  # the version alone is nothing
    errors = unpacked(tmp_path)["errors.txt"]
    assert "the time was over" in errors
    assert "nodes: not reached before the end" in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
async def test_who_interrupts_it_gets_what_there_is(
    tmp_path: Path, cluster: ControlPlane, number: signal.Signals
) -> None:
    async with _tells_its_version_only(cluster, tmp_path) as (kubeconfig, asked):
        process = await asyncio.create_subprocess_exec(*_command(tmp_path, kubeconfig))
        await asyncio.wait_for(asked.wait(), 60)
        process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), 60) == 1

    assert "the rest: interrupted" in unpacked(tmp_path)["errors.txt"]


@asynccontextmanager
async def _tells_its_version_only(cluster: ControlPlane, folder: Path) -> AsyncIterator[tuple[Path, asyncio.Event]]:
    """The kubeconfig of such a server, and what is set when it was asked for more."""
    held, asked = [], asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        while (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET /version"):
            body = b'{"gitVersion": "v1.99.0"}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        asked.set()
        await asyncio.Event().wait()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield redirected(cluster.kubeconfig, folder, server.sockets[0].getsockname()[1]), asked
    finally:
        for writer in held:
            writer.close()
        server.close()


def _command(folder: Path, kubeconfig: Path, namespace: str = NAMESPACE) -> list[str]:
    command = [sys.executable, "-m", "cli", "must-gather", f"--output-dir={folder}", f"--kubeconfig={kubeconfig}"]
    return [*command, f"--namespace={namespace}"]


def _in_process(folder: Path, kubeconfig: Path, *flags: str, namespace: str = NAMESPACE) -> int:
    """As a user runs it: signal handlers need a main thread."""
    command = [*_command(folder, kubeconfig, namespace), *flags]
    return subprocess.run(command, check=False, timeout=120, stdout=subprocess.DEVNULL).returncode


def test_hundreds_of_nodes_take_little_more_memory_than_three(trouble: ControlPlane, tmp_path: Path) -> None:
    """Each weighs 8 KB in the archive, and far more as an object."""
    few = _peak_kb(tmp_path / "few", trouble.kubeconfig, f"{names.NIC_LABEL}=true")
    crowd = [f"crowd-{at:04}" for at in range(600)]
    weight = {"weight": "x" * 8192}
    labels = {"crowd": "yes"}  # not the NIC's: the DaemonSet's pods would come, and not go, as no kubelet ends them
    try:
        trouble.create(
            "/api/v1/nodes",
            ({"metadata": {"name": name, "labels": labels, "annotations": weight}, "spec": {}} for name in crowd),
        )
        many = _peak_kb(tmp_path / "many", trouble.kubeconfig, "crowd=yes")
    finally:
        trouble.kubectl("delete", "nodes", "-l", "crowd=yes", "--wait=false")
    files = unpacked(tmp_path / "many")
    assert len([name for name in files if name.startswith("nodes/crowd")]) == len(crowd)
    assert many < 1.4 * few


MEASURED = """
import os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""
"""Between the test and the command: what the kernel tells of a process counts the memory of whoever started it."""


def _peak_kb(folder: Path, kubeconfig: Path, nodes: str) -> int:
    """Resident memory of the command, at most."""
    folder.mkdir()
    command = [*_command(folder, kubeconfig), "--max-nodes=5", f"--nodes={nodes}"]
    done = subprocess.run([sys.executable, "-c", MEASURED, *command], capture_output=True, text=True, check=True)
    code, peak = map(int, done.stdout.splitlines()[-1].split())
    assert code in (0, 2)
    return peak


async def test_an_answer_without_an_end_is_read_as_far_as_it_is_kept(cluster: ControlPlane, tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"metric 1\n" * 100)
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        kubeconfig = redirected(cluster.kubeconfig, tmp_path, server.sockets[0].getsockname()[1])
        api = await Api.connect(kubeconfig, None, 60)
        async with asyncio.timeout(60):
            body = await api.through(NAMESPACE, "coordinator", 8080, "/metrics", most_bytes=9000)
        await api.close()

    assert body == "metric 1\n" * 1000


NODE = "bundle-spoken"
"""A node with a kubelet of ours, and a namespace with one pod there."""


async def test_logs_and_diagnostics_come_through_the_api_server(cluster: ControlPlane, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "cat", "timeout", "uname"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    _tool(tools / "ofed_info", "echo OFED-internal-24.10-0.7.0")
    _tool(tools / "ibstat", f"echo CA mlx5_0 {'x' * 5000}; echo --token {SECRET}; exit 3")
    log = f"mlx5_core 24.10-0.7.0 loaded\nAuthorization: Token {SECRET}\npassword: |\n  {SECRET}\nready\n"
    stamped = "".join(f"2026-11-27T08:47:00.123456789Z {line}\n" for line in log.splitlines())
    kubelet = Kubelet({"mofed-container": stamped}, {"PATH": str(tools)})
    async with serving(kubelet, tmp_path):
        await asyncio.to_thread(_make_node_and_pod, cluster, kubelet.port)
        try:
            result = await asyncio.to_thread(_in_process, tmp_path, cluster.kubeconfig, "--log-lines=7", namespace=NODE)
        finally:
            await asyncio.to_thread(cluster.remove, f"namespace/{NODE}", f"node/{NODE}")

    files = unpacked(tmp_path)
    assert not [name for name, content in files.items() if SECRET in content]
    assert result in (0, 2)
    assert f"driver diagnostics of {NODE}" not in files["errors.txt"]
    written = files["pods/driver/mofed-container.log"]
    assert "mlx5_core 24.10-0.7.0 loaded\n" in written
    assert written.endswith("Z ready\n")
    statuses = [line.split()[:2] for line in files[f"driver/{NODE}/status.txt"].splitlines()]
    expected = [["SUCCESS", "uname"], ["SUCCESS", "ofed_info"], ["FAILED", "ibstat"]]
    assert [each for each in statuses if each[0] != "SKIPPED"] == expected
    assert files[f"driver/{NODE}/ofed_info.txt"] == "OFED-internal-24.10-0.7.0\n"
    assert len(files[f"driver/{NODE}/ibstat.txt"]) > 5000
    (query,) = (query for path, query in kubelet.asked if path.startswith("/containerLogs/"))
    assert query["tailLines"] == "7"
    assert query["sinceSeconds"] == "21600"


def _tool(path: Path, script: str) -> None:
    path.write_text(f"#!{shutil.which('sh')}\n{script}\n")
    path.chmod(0o755)


def _make_node_and_pod(cluster: ControlPlane, port: int) -> None:
    """kwok does not play this node, so what a kubelet would write is written here."""
    cluster.create("/api/v1/namespaces", [{"metadata": {"name": NODE}}])
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE, "labels": {names.NIC_LABEL: "true"}},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        },
    }
    cluster.create("/api/v1/nodes", [node])
    eventually(lambda: "default" in cluster.kubectl("get", "serviceaccounts", "-n", NODE, "-o", "name"))
    pod = {
        "metadata": {"name": "driver", "labels": {names.OFED_DRIVER_LABEL: ""}},
        "spec": {
            "nodeName": NODE,
            "containers": [{"name": "mofed-container", "image": "driver:1"}],
            "tolerations": [{"operator": "Exists"}],
        },
    }
    cluster.create(f"/api/v1/namespaces/{NODE}/pods", [pod])
    started = {"name": "mofed-container", "image": "i", "imageID": "", "ready": True, "restartCount": 0}
    status = {"phase": "Running", "containerStatuses": [{**started, "state": {"running": {}}}]}
    patch = json.dumps({"status": status})
    cluster.kubectl("patch", "pod", "driver", "-n", NODE, "--subresource=status", "--type=merge", f"--patch={patch}")


async def test_the_fleet_is_read_over_a_real_socket() -> None:
    """More nodes than one page has, one that has reported, and a coordinator that goes away."""
    name, crowd, value = NodeName("worker-1"), 700, inventory(connectx6dx())
    async with running() as coordinator:
        for at in range(crowd):
            coordinator.fleet.node_seen(kube_node(NodeName(f"crowd-{at}")))
        coordinator.fleet.node_seen(kube_node(name))
        await coordinator.connected(value, identity())
        async with connected(ToCoordinator(f"127.0.0.1:{coordinator.server.port}", None)) as fleet:
            pages = [page async for page in fleet.pages()]
            found = await fleet.inventory(name)
            missing = await fleet.inventory("crowd-1")
            with pytest.raises(Unheard, match="NicClusterPolicy"):
                await fleet.policy("NicClusterPolicy", "absent")
            await coordinator.server.stop(grace=0)
            with pytest.raises(Unheard):
                await fleet.inventory(name)

    nodes = {node["name"]: node for page in pages for node in page}
    assert len(pages) == 2
    assert len(nodes) == crowd + 1
    assert nodes[name]["connection"] == "CONNECTION_CONNECTED"
    assert found is not None
    assert wire.from_wire(json_format.ParseDict(redact(found), view_pb2.Inventory())) == value, (
        "whole, and a host of plan's"
    )
    assert missing is None
