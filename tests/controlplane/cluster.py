"""ControlPlane: starts, breaks and stops a real control plane, and is its administrator."""

import contextlib
import http.client
import json
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.controlplane.components import ADMIN, APISERVER, COMPONENTS, Site, arguments, health_url
from tests.controlplane.credentials import write_credentials, write_kubeconfig
from tests.controlplane.errors import ControlPlaneError
from tests.controlplane.loopback import answers_ok, free_ports
from tests.controlplane.process import POLL_SECONDS, Process
from tests.controlplane.tools import ensure_tools

START_SECONDS = 120.0
SERVED_SECONDS = 60.0
KUBECTL_SECONDS = 180.0
"""`kubectl delete` waits for ever for an object whose finalizer nobody takes away."""
REMOVED_SECONDS = 60.0
CRD = "CustomResourceDefinition"
WITHOUT_FINALIZERS = '-p={"metadata": {"finalizers": null}}'


class ControlPlane:
    """etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok, on free loopback ports.

    A context manager; `components` names those wanted. kwok plays the kubelet of every node with the annotation that
    `fake_node` sets. All state is in a temporary folder. Every method that fails raises ControlPlaneError.
    """

    def __init__(self, components: Sequence[str] = COMPONENTS, say: Callable[[str], None] = print) -> None:
        """Find the programs, building them when this machine has none yet; `say` gets the progress of that."""
        tools = ensure_tools([*components, "kubectl"], say)
        ports = free_ports(len(COMPONENTS) + 1)
        self._kubectl = tools["kubectl"]
        self._site = Site(
            folder=Path(tempfile.mkdtemp(prefix="nicfleet-controlplane-")),
            ports=dict(zip(COMPONENTS, ports, strict=False)),
            etcd_peer_port=ports[-1],
        )
        self._processes = {
            name: Process(name, [tools[name], *arguments(name, self._site)], self._site.log(name))
            for name in COMPONENTS
            if name in components
        }

    def __enter__(self) -> Self:
        try:
            write_credentials(self._site)
            self._start_all()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Kill all and remove the data. The API server goes before etcd: without etcd it would hang for minutes."""
        for process in reversed(self._processes.values()):
            process.kill()
        shutil.rmtree(self._site.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """The address of the API server."""
        return self._site.url

    @property
    def ca(self) -> Path:
        """The certificates that the API server is verified with."""
        return self._site.ca

    @property
    def service_account_key(self) -> Path:
        """The private key that ServiceAccounts' tokens are signed with, as PEM: for forged ones."""
        return self._site.service_account_key

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of an administrator."""
        return self._site.kubeconfig(ADMIN)

    @property
    def environment(self) -> dict[str, str]:
        """What makes kubectl and helm those of an administrator, whoever runs them."""
        return {"KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(self._cache)}

    @property
    def _cache(self) -> Path:
        """The default is ~/.kube, by port: an earlier cluster may have left its own answers there."""
        return self._site.folder / "kubectl-cache"

    @property
    def kubectl_path(self) -> Path:
        """The kubectl of this control plane's version."""
        return self._kubectl

    @property
    def logs(self) -> Mapping[str, Path]:
        """The log file of every component."""
        return {name: process.log for name, process in self._processes.items()}

    @property
    def pids(self) -> Mapping[str, int]:
        """The process id of every component that runs."""
        return {name: process.pid for name, process in self._processes.items() if process.pid is not None}

    def kubectl(self, *arguments: str, input: str | None = None, check: bool = True) -> str:  # noqa: A002  subprocess's name
        """Run kubectl as administrator and return its output; its error sentences too, without `check`."""
        cache = f"--cache-dir={self._cache}"
        command: list[str | Path] = [self._kubectl, f"--kubeconfig={self.kubeconfig}", cache, *arguments]
        try:
            done = subprocess.run(
                command, input=input, capture_output=True, text=True, check=False, timeout=KUBECTL_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise ControlPlaneError(f"kubectl {' '.join(arguments)}: no end after {KUBECTL_SECONDS:.0f} s") from error
        if not check:
            return done.stdout + done.stderr
        if done.returncode:
            raise ControlPlaneError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Apply manifests with `kubectl apply`, as a person would; a new Node keeps its status."""
        self.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def install(self, *files: Path) -> None:
        """Apply files and folders in order, and wait until every CRD is served. Raises ControlPlaneError."""
        for file in files:
            self.kubectl("apply", "--server-side", f"--filename={file}")
        self._wait_until_served()

    def serve(self, *crds: Mapping[str, Any]) -> None:
        """Apply CRDs, and wait until they are served. Raises ControlPlaneError."""
        self.apply(*crds)
        self._wait_until_served()

    def _wait_until_served(self) -> None:
        """`kubectl wait` fails on a CRD that has no condition yet; and one that is established is found a moment later
        only."""
        deadline = time.monotonic() + SERVED_SECONDS
        while said := self._not_served():
            if time.monotonic() > deadline:
                raise ControlPlaneError(f"not served after {SERVED_SECONDS:.0f} s: {said}")
            time.sleep(POLL_SECONDS)

    def _not_served(self) -> str:
        """What kubectl says of CRDs that are there to stay; empty when it finds them all."""
        crds = [crd for crd in self.get("crd")["items"] if "deletionTimestamp" not in crd["metadata"]]
        if young := [crd["metadata"]["name"] for crd in crds if not _is_established(crd)]:
            return ", ".join(young)
        names = ",".join(crd["metadata"]["name"] for crd in crds)
        said = self.kubectl("get", names, "--all-namespaces", "--output=name", check=False) if crds else ""
        return "\n".join(line for line in said.splitlines() if line.lower().startswith("error"))

    def remove(self, *what: str) -> None:
        """`kubectl delete` of names or files, with the finalizers taken off, and gone at the end.

        Left to itself the API server takes minutes to end a CRD that is seconds old, and a namespace ends with the
        last of its pods only, which no kubelet may confirm. Raises ControlPlaneError with what is left.
        """
        for crd in filter(_is_established, self._found(what, CRD)):
            self._empty(crd)
        self.kubectl("delete", "--ignore-not-found", "--wait=false", *what)
        for crd in self._found(what, CRD):
            self.kubectl("patch", "crd", crd["metadata"]["name"], WITHOUT_FINALIZERS, check=False)
        for namespace in self._found(what, "Namespace"):
            inside = f"--namespace={namespace['metadata']['name']}"
            self.kubectl("delete", "pods", "--all", "--force", "--wait=false", inside)
        deadline = time.monotonic() + REMOVED_SECONDS
        while left := self._found(what):
            if time.monotonic() > deadline:
                names = (f"{each['kind']} {each['metadata']['name']} {each.get('status', '')}" for each in left)
                raise ControlPlaneError(f"not gone after {REMOVED_SECONDS:.0f} s: {'; '.join(names)}")
            time.sleep(POLL_SECONDS)

    def _found(self, what: Sequence[str], kind: str = "") -> list[dict[str, Any]]:
        answer = self.kubectl("get", "--ignore-not-found", "--output=json", *what)
        found: dict[str, Any] = json.loads(answer or "{}")
        items = found.get("items", [found] if found else [])
        return [item for item in items if kind in ("", item["kind"])]

    def _empty(self, crd: Mapping[str, Any]) -> None:
        """Remove its objects: as its finalizer is not waited for, the next CRD of the name would bring them back."""
        plural = crd["metadata"]["name"]
        self.kubectl("delete", plural, "--all", "--all-namespaces", "--wait=false")
        for item in self.get(plural, "--all-namespaces")["items"]:
            meta = item["metadata"]
            inside = [f"--namespace={meta['namespace']}"] if "namespace" in meta else []
            self.kubectl("patch", plural, meta["name"], "--type=merge", WITHOUT_FINALIZERS, *inside, check=False)

    def get(self, *arguments: str) -> Any:
        """Return what `kubectl get … -o json` prints, decoded."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def create(self, collection: str, objects: Iterable[Mapping[str, Any]]) -> None:
        """POST objects to a collection such as "/api/v1/nodes", one after the other over one connection.

        For thousands of them: kubectl sends two requests for each, and holds itself to 50 a second.
        """
        trust = ssl.create_default_context(cafile=self.ca)
        connection = http.client.HTTPSConnection(self.url.removeprefix("https://"), timeout=30, context=trust)
        headers = {"Authorization": f"Bearer {self._site.tokens[ADMIN]}", "Content-Type": "application/json"}
        with contextlib.closing(connection):
            for item in objects:
                connection.request("POST", collection, json.dumps(item), headers)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != http.HTTPStatus.CREATED:
                    raise ControlPlaneError(f"POST {collection}: {answer.status} {body.decode(errors='replace')}")

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """Return a kubeconfig that acts as an existing ServiceAccount, valid for a day."""
        token = self.kubectl("create", "token", name, f"--namespace={namespace}", "--duration=24h").strip()
        return write_kubeconfig(self._site, f"system:serviceaccount:{namespace}:{name}", token, namespace)

    def audit(self) -> Iterator[dict[str, Any]]:
        """Yield the audit events so far, with user, verb, objectRef and responseStatus of each request that has ended.

        An event can come a moment after its answer; a watch gives one when it begins and one when it ends. Only
        requests in kube-node-lease are left out.
        """
        with self._site.audit_log.open() as log:
            for line in log:
                if line.endswith("\n"):  # the last one may be half written
                    yield json.loads(line)

    def start(self, component: str) -> None:
        """Start a component, again after `kill`, and wait until it is ready."""
        self._process(component).start()
        self._wait_until_ready(component)

    def restart_apiserver(self) -> None:
        """Kill the API server, start it on the same port, and wait until it is ready: about 3 s without it."""
        self.kill(APISERVER)
        self.start(APISERVER)

    def kill(self, component: str) -> None:
        """Kill a component (SIGKILL) and wait for its end; `start` brings it back."""
        self._process(component).kill()

    def pause(self, component: str) -> None:
        """Freeze a component (SIGSTOP): its sockets stay open and nothing answers."""
        self._process(component).send(signal.SIGSTOP)

    def resume(self, component: str) -> None:
        """Let a paused component go on (SIGCONT)."""
        self._process(component).send(signal.SIGCONT)

    def _process(self, component: str) -> Process:
        if component not in self._processes:
            raise ControlPlaneError(f"{component} is not part of this control plane: {', '.join(self._processes)}")
        return self._processes[component]

    def _start_all(self) -> None:
        for name, process in self._processes.items():
            process.start()
            if name == APISERVER:
                self._wait_until_ready(name)  # it waits for etcd itself; the others give up without it
        for name in self._processes:
            self._wait_until_ready(name)

    def _wait_until_ready(self, component: str) -> None:
        self._process(component).wait_until(lambda: self._is_ready(component), START_SECONDS)

    def _is_ready(self, component: str) -> bool:
        url = health_url(component, self._site)
        if component != APISERVER:
            return answers_ok(url)
        return self.ca.exists() and answers_ok(url, self.ca)


def _is_established(crd: Mapping[str, Any]) -> bool:
    conditions = crd.get("status", {}).get("conditions") or ()
    return any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions)
