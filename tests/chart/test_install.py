"""The chart on a real API server: installed, upgraded and uninstalled by helm; kwok plays the pods."""

import contextlib
import json
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from coordinator.objects.desired import desired
from coordinator.objects.render import Renderer
from coordinator.policy import NicClusterPolicy
from coordinator.states.cluster import Cluster
from nicfleet import names
from nicfleet.channel import Tls
from tests.chart.helm import CHART, NAMESPACE, ROOT, Helm
from tests.chart.variants import COMPONENTS, OLD, PLATFORMS, VARIANTS
from tests.controlplane.cluster import ControlPlane
from tests.integration.coordinator.certificates import write_certificate
from tests.integration.system.fleet import NO_NIC
from tests.integration.system.processes import Coordinator
from tests.integration.system.simulated import SimulatedAgents
from tests.integration.system.waiting import eventually
from tests.rbac.documented import CHECK
from tests.rbac.used import events_of, refused

WAIT = ("--wait", "--timeout=150s")
ACCOUNT = "nicfleet-coordinator"
FOREIGN = (
    ("certificates", "Certificate", "cert-manager.io", "v1"),
    ("issuers", "Issuer", "cert-manager.io", "v1"),
    ("servicemonitors", "ServiceMonitor", "monitoring.coreos.com", "v1"),
)
"""Kinds of other products that the chart makes objects of when it is asked to."""
OPENSHIFT = (
    ("securitycontextconstraints", "SecurityContextConstraints", "security.openshift.io", "v1"),
    ("clusterversions", "ClusterVersion", "config.openshift.io", "v1"),
)
"""Kinds by which the chart knows it."""


def foreign_crd(plural: str, kind: str, group: str, version: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [{"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }


@pytest.fixture(scope="module")
def served(plane: ControlPlane) -> ControlPlane:
    """With the kinds of the other products, without what is behind them."""
    plane.serve(*(foreign_crd(*each) for each in FOREIGN))
    return plane


@pytest.fixture
def installed(installer: Helm, plane: ControlPlane) -> Iterator[str]:
    """A release with the CRDs, as the hook installs them: kwok ends the hook's pod without running it."""
    installer.run("install", "nicfleet", CHART, f"--namespace={NAMESPACE}", *WAIT, values={})
    plane.install(ROOT / "deploy/crds")
    yield "nicfleet"
    if "nicfleet" in installer.run("list", "--short", f"--namespace={NAMESPACE}").split():
        installer.run("uninstall", "nicfleet", f"--namespace={NAMESPACE}", "--wait")


def policy(plane: ControlPlane) -> dict[str, Any]:
    found: dict[str, Any] = plane.get("nicclusterpolicy", names.POLICY_NAME)
    return found


def apply_policy(plane: ControlPlane, **spec: Any) -> dict[str, Any]:
    body = {"apiVersion": f"{names.API_GROUP}/v1alpha1", "kind": "NicClusterPolicy", "spec": spec}
    plane.apply(body | {"metadata": {"name": names.POLICY_NAME}})
    return policy(plane)


def deleted(plane: ControlPlane) -> set[tuple[str, str]]:
    """Resource and name of every CRD and object of ours that anybody asked to delete, so far."""
    asked = (event["objectRef"] for event in plane.audit() if event["verb"].startswith("delete"))
    ours = (ref for ref in asked if ref.get("apiGroup") in (names.API_GROUP, "apiextensions.k8s.io"))
    return {(ref["resource"], ref.get("name", "")) for ref in ours}


def workloads(plane: ControlPlane) -> dict[str, str]:
    """The uid of each workload of the release."""
    found = plane.get("deployments,daemonsets,services,serviceaccounts", f"--namespace={NAMESPACE}", "-l", OURS)
    return {f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["uid"] for each in found["items"]}


OURS = "app.kubernetes.io/instance=nicfleet"


def test_the_api_server_accepts_every_object_of_every_variant(helm: Helm, served: ControlPlane) -> None:
    """Fields that it does not know are refused too. Most objects are the same in many variants: each is asked once."""
    renderings = (helm.template(values, *apis) for values in VARIANTS.values() for apis in PLATFORMS.values())
    objects = {json.dumps(each) for rendering in renderings for each in rendering}
    pods = {each for each in objects if json.loads(each)["kind"] == "Pod"}
    accounts = {json.loads(pod)["spec"].get("serviceAccountName", "default") for pod in pods} - {"default"}

    answered = would_create(served, objects - pods)
    for account in accounts:  # a Pod's must be there
        served.kubectl("create", "serviceaccount", account, f"--namespace={NAMESPACE}")
    answered += would_create(served, pods)
    for account in accounts:
        served.kubectl("delete", "serviceaccount", account, f"--namespace={NAMESPACE}")

    assert answered.count("(server dry run)") == len(objects) > 2 * len(VARIANTS)


def would_create(plane: ControlPlane, objects: Iterable[str]) -> str:
    return plane.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", input="\n---\n".join(objects))


def test_on_openshift_an_install_is_one_that_it_admits(installer: Helm, plane: ControlPlane) -> None:
    """helm asks the API server itself which cluster it is."""
    plane.serve(*(foreign_crd(*each) for each in OPENSHIFT))
    try:
        installer.run("install", "nicfleet", CHART, f"--namespace={NAMESPACE}", *WAIT, values={})

        (rule,) = plane.get("role", "nicfleet-agent", f"--namespace={NAMESPACE}")["rules"]
        assert (rule["resources"], rule["verbs"]) == (["securitycontextconstraints"], ["use"])
        coordinator = plane.get("deployment", "nicfleet-coordinator", f"--namespace={NAMESPACE}")
        security = coordinator["spec"]["template"]["spec"]["securityContext"]
        assert security == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        agent = plane.get("daemonset", "nicfleet-agent", f"--namespace={NAMESPACE}")
        (container,) = agent["spec"]["template"]["spec"]["containers"]
        assert {"name": "CNI_BIN_DIR", "value": "/var/lib/cni/bin"} in container["env"]
        installer.run("uninstall", "nicfleet", f"--namespace={NAMESPACE}", "--wait")
    finally:
        plane.remove("crd", *(f"{plural}.{group}" for plural, _, group, _ in OPENSHIFT))


def test_an_upgrade_deletes_nothing_and_an_uninstall_leaves_only_what_is_the_users(
    installer: Helm, plane: ControlPlane, installed: str
) -> None:
    before, mine = workloads(plane), apply_policy(plane)
    assert before.keys() == {
        "DaemonSet/nicfleet-agent",
        "Deployment/nicfleet-coordinator",
        "Service/nicfleet-coordinator",
        "ServiceAccount/nicfleet-agent",
        "ServiceAccount/nicfleet-coordinator",
    }
    kept = deleted(plane)

    changed = {"operator": {"logLevel": "debug"}, "agent": {"tag": "0.1.1"}}
    installer.run("upgrade", installed, CHART, f"--namespace={NAMESPACE}", *WAIT, values=changed)
    assert workloads(plane) == before

    installer.run("uninstall", installed, f"--namespace={NAMESPACE}", "--wait")
    assert deleted(plane) == kept
    assert policy(plane)["metadata"]["uid"] == mine["metadata"]["uid"]
    kinds = "deployments,daemonsets,services,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings"
    kinds += ",networkpolicies,poddisruptionbudgets,secrets,configmaps,jobs,validatingwebhookconfigurations"
    assert eventually(lambda: plane.kubectl("get", kinds, "-A", "-l", OURS, "-o", "name").split() == [])


def test_a_policy_that_an_old_release_owned_is_kept(installer: Helm, plane: ControlPlane, tmp_path: Path) -> None:
    """What charts up to 24.7 made with deployCR, upgraded to ours under the same name."""
    plane.install(ROOT / "deploy/crds")
    plane.kubectl("delete", "nicclusterpolicy", names.POLICY_NAME, "--ignore-not-found")
    old = tmp_path / "network-operator"
    (old / "templates").mkdir(parents=True)
    (old / "Chart.yaml").write_text("apiVersion: v2\nname: network-operator\nversion: 24.7.0\n")
    spec = {"nvIpam": {"image": "nvidia-k8s-ipam", "repository": "example.com/a", "version": "v1"}}
    body = {"apiVersion": f"{names.API_GROUP}/v1alpha1", "kind": "NicClusterPolicy", "spec": spec}
    (old / "templates/policy.yaml").write_text(yaml.safe_dump(body | {"metadata": {"name": names.POLICY_NAME}}))
    release, namespace = "network-operator", f"--namespace={NAMESPACE}"
    installer.run("install", release, old, namespace)
    before = policy(plane)
    assert before["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    kept = deleted(plane)

    installer.run("upgrade", release, CHART, namespace, values=OLD | {"upgradeCRDs": False})
    once = policy(plane)
    installer.run("upgrade", release, CHART, namespace, values=OLD | {"upgradeCRDs": False})
    installer.run("uninstall", release, namespace, "--wait")

    assert (once["metadata"]["uid"], once["spec"], once["metadata"]["generation"]) == (
        before["metadata"]["uid"], before["spec"], before["metadata"]["generation"],
    )  # fmt: skip
    assert policy(plane)["metadata"]["uid"] == before["metadata"]["uid"]
    assert deleted(plane) == kept
    plane.kubectl("delete", "nicclusterpolicy", names.POLICY_NAME)


def test_the_policy_that_old_values_meant_is_one_that_the_api_server_takes_and_states_render(
    installer: Helm, plane: ControlPlane
) -> None:
    plane.install(ROOT / "deploy/crds")
    notes = installer.run("install", "old", CHART, f"--namespace={NAMESPACE}", "--dry-run=server", values=OLD)
    notes = notes.partition("\nNOTES:\n")[2]
    meant = notes.split("\n---\n")[1]

    plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=meant)

    spec = yaml.safe_load(meant)["spec"]
    assert spec.keys() == {
        "global", "ofedDriver", "rdmaSharedDevicePlugin", "secondaryNetwork", "sriovDevicePlugin", "tolerations",
    }  # fmt: skip
    assert spec["secondaryNetwork"].keys() == {"multus", "ipoib"}
    assert spec["ofedDriver"].keys() == {
        "image", "repository", "version", "certConfig", "env", "upgradePolicy",
    }  # fmt: skip
    cluster = Cluster(NAMESPACE, "/opt/cni/bin", "/etc/cni/net.d", None, ())
    states = desired(NicClusterPolicy.model_validate(yaml.safe_load(meant)), cluster, Renderer(ROOT / "templates"))
    asked = {name for name, state in states.items() if state.objects}
    assert {"state-RDMA-device-plugin", "state-SRIOV-device-plugin", "state-multus-cni", "state-ipoib-cni"} <= asked
    for line in ("operator.image: ", "operator.maintenanceOperator: ", "test: "):
        assert f"\n  {line}" in notes
    for off in ("psp", "sriovNetworkOperator", "operator.coverage"):
        assert off not in notes


def test_what_was_switched_on_and_is_not_here_is_told(installer: Helm, plane: ControlPlane) -> None:
    plane.install(ROOT / "deploy/crds")
    values = COMPONENTS | {"keepNCP": False, "operator": {"coverage": {"enabled": True}}, "maintenanceOperator": None}
    notes = installer.run("install", "old", CHART, f"--namespace={NAMESPACE}", "--dry-run=server", values=values)
    told = notes.partition("what they did:\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split(":")[0].strip() for line in told] == [
        "nvPeerDriver", "proxy", "psp", "sriovNetworkOperator", "test", "keepNCP", "operator.coverage",
    ]  # fmt: skip
    meant = notes.split("\n---\n")[-2]
    plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=meant)


def test_without_old_values_nothing_is_said_of_them(installer: Helm) -> None:
    notes = installer.run("install", "new", CHART, f"--namespace={NAMESPACE}", "--dry-run=server", values={})
    assert "24.7" not in notes
    assert "mean nothing here" not in notes


def test_the_hooks_account_installs_the_crds_and_deletes_none(helm: Helm, plane: ControlPlane, tmp_path: Path) -> None:
    hook = [each for each in helm.template() if each["metadata"]["name"] == "nicfleet-install-crds"]
    plane.apply(*(each for each in hook if each["kind"] != "Job"))
    kubeconfig = plane.service_account_kubeconfig(NAMESPACE, "nicfleet-install-crds")
    (job,) = (each for each in hook if each["kind"] == "Job")
    command = job["spec"]["template"]["spec"]["containers"][0]["command"]
    assert command[0] == "python"

    done = subprocess.run(
        [sys.executable, *command[1:], f"--kubeconfig={kubeconfig}"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 6
    as_hook = f"--kubeconfig={kubeconfig}"
    refused = plane.kubectl("delete", as_hook, "crd", "nicclusterpolicies.mellanox.com", check=False)
    assert "cannot delete resource" in refused
    plane.kubectl("delete", "-f", "-", input=yaml.safe_dump_all(each for each in hook if each["kind"] != "Job"))


def authority(plane: ControlPlane) -> bytes:
    """Whom agents are told to trust."""
    return str(plane.get("configmap", names.CA_CONFIG_MAP, f"--namespace={NAMESPACE}")["data"]["ca.crt"]).encode()


def token_of_the_agent(plane: ControlPlane, node: str) -> str:
    """As the kubelet mounts it: bound to the agent's pod on this node."""
    pods = plane.get("pods", f"--namespace={NAMESPACE}", "-l", f"app.kubernetes.io/name=nicfleet-agent,{OURS}")["items"]
    (pod,) = (each["metadata"]["name"] for each in pods if each["spec"].get("nodeName") == node)
    audience = f"--audience={names.TOKEN_AUDIENCE}"
    bound = ("--bound-object-kind=Pod", f"--bound-object-name={pod}")
    return plane.kubectl("create", "token", "nicfleet-agent", f"--namespace={NAMESPACE}", audience, *bound).strip()


class Check:
    """The script of `helm test`, with what its pod would have, against a coordinator on this machine."""

    def __init__(self, plane: ControlPlane, helm: Helm, folder: Path, coordinator: Coordinator, ca_file: Path) -> None:
        hook = [each for each in helm.template() if each["metadata"]["name"] == CHECK]
        plane.apply(*(each for each in hook if each["kind"] != "Pod"))
        (folder / "token").write_text(plane.kubectl("create", "token", CHECK, f"--namespace={NAMESPACE}"))
        shutil.copy(plane.ca, folder / "ca.crt")
        server = urlsplit(plane.url)
        self._environment = {
            "PYTHONPATH": str(ROOT),
            "KUBERNETES_SERVICE_HOST": str(server.hostname),
            "KUBERNETES_SERVICE_PORT": str(server.port),
        }
        agents = f"{NAMESPACE}/nicfleet-agent"
        program = [sys.executable, str(CHART / "files/check.py")]
        self._command = [*program, coordinator.address, coordinator._http, "0", agents, str(folder), str(ca_file)]

    def __call__(self) -> tuple[int, str]:
        """Its exit code, and its last line."""
        done = subprocess.run(self._command, capture_output=True, text=True, check=False, env=self._environment)
        assert done.stderr == ""
        return done.returncode, done.stdout.splitlines()[-1]


def test_the_charts_accounts_are_enough_over_tls_and_the_check_tells_the_truth(
    installer: Helm, plane: ControlPlane, installed: str, tmp_path: Path
) -> None:
    """Against a coordinator and agents with what the chart gives them."""
    coordinator = Coordinator(plane.service_account_kubeconfig(NAMESPACE, ACCOUNT), tmp_path, insecure=False)
    ca_file, account = tmp_path / "authority.crt", tmp_path / "account"
    ca_file.write_text("not yet\n")
    account.mkdir()
    check = Check(plane, installer, account, coordinator, ca_file)
    # What is dialled is an address; the certificate is for the Service.
    host = f"nicfleet-coordinator.{NAMESPACE}.svc"
    agents = {
        node: SimulatedAgents(lambda: coordinator.address, Tls(ca_file, host, partial(token_of_the_agent, plane, node)))
        for node in ("worker-1", "worker-2")
    }
    try:
        code, said = check()
        assert code == 1
        assert "readyz does not answer" in said

        coordinator.start()
        assert "authority.crt cannot be used (it has no certificate in PEM)" in check()[1]
        write_certificate(tmp_path)
        shutil.copy(tmp_path / "tls.crt", ca_file)
        assert "its certificate is of no authority in" in check()[1]
        ca_file.write_bytes(authority(plane))
        none = (1, "2 of 2 agents do not reach the coordinator; nodes without one: worker-1, worker-2")
        assert eventually(lambda: check() == none)  # its gRPC health follows within a second

        agents["worker-1"].report("worker-1", NO_NIC)
        one_is_not_all = (1, "1 of 2 agents do not reach the coordinator; nodes without one: worker-2")
        assert eventually(lambda: check() == one_is_not_all)
        agents["worker-2"].report("worker-2", NO_NIC)
        assert eventually(lambda: check() == (0, "the coordinator is ready, and all agents reach it"))

        made, told = secret(plane), authority(plane)
        nowhere = {"operator": {"logLevel": "debug"}, "agent": {"tag": "0.1.1", "nodeSelector": {"no": "where"}}}
        for _ in range(2):
            installer.run("upgrade", installed, CHART, f"--namespace={NAMESPACE}", *WAIT, values=nowhere)
            assert (secret(plane), authority(plane)) == (made, told)
        assert made.keys() == {"ca.crt", "ca.key", "tls.crt", "tls.key"}
        assert eventually(lambda: check()[1].startswith("no node is to have an agent: agent.nodeSelector"))
        assert check()[0] == 1

        events = events_of(plane.audit(), f"system:serviceaccount:{NAMESPACE}:{CHECK}")
        assert {(each["verb"], each["objectRef"]["resource"], each["objectRef"]["name"]) for each in events} == {
            ("get", "daemonsets", "nicfleet-agent")
        }
        assert refused(events) == []
    finally:
        for each in agents.values():
            each.close()
        coordinator.kill()
        plane.kubectl("delete", "serviceaccount,role,rolebinding", CHECK, f"--namespace={NAMESPACE}")
        plane.kubectl("delete", "clusterrolebinding", CHECK)


def test_a_handshake_that_fails_is_seen_by_the_commands_of_the_page(
    plane: ControlPlane, installed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And by nothing else: whoever speaks plaintext to a TLS port costs no line of the log."""
    page = (ROOT / "docs/how-to/encrypt.md").read_text()
    on, off = (shlex.split(line)[1:] for line in page.splitlines() if " set env " in line)
    coordinator = Coordinator(plane.service_account_kubeconfig(NAMESPACE, ACCOUNT), tmp_path, insecure=False)
    failed = partial(lines_with, coordinator, "Handshake failed")
    monkeypatch.delenv(VERBOSITY, raising=False)
    try:
        coordinator.start()
        speak_plaintext(coordinator.address)
        assert failed() == []
        coordinator.kill()

        plane.kubectl(*on)
        monkeypatch.setenv(VERBOSITY, environment(plane)[VERBOSITY])
        coordinator.start()
        speak_plaintext(coordinator.address)
        (line,) = eventually(failed)
        assert "WRONG_VERSION_NUMBER" in line
        plane.kubectl(*off)
        assert VERBOSITY not in environment(plane)
    finally:
        coordinator.kill()


VERBOSITY = "GRPC_VERBOSITY"


def lines_with(coordinator: Coordinator, word: str) -> list[str]:
    """The lines of its log with this word."""
    return [line["message"] for line in coordinator.log() if word in line["message"]]


def speak_plaintext(address: str) -> None:
    """As an agent with --insecure begins, and until the other end has hung up."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(4096):
                pass


def environment(plane: ControlPlane) -> dict[str, str]:
    """The coordinator's, in the cluster."""
    found = plane.get("deployment", "nicfleet-coordinator", f"--namespace={NAMESPACE}")
    (container,) = found["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each.get("value", "") for each in container["env"]}


def secret(plane: ControlPlane) -> dict[str, str]:
    """What the coordinator keeps of its certificates."""
    found: dict[str, str] = plane.get("secret", names.TLS_SECRET, f"--namespace={NAMESPACE}")["data"]
    return found
