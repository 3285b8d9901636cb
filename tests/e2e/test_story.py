"""From `helm install` to `helm uninstall` on two real nodes; each test goes on where the one before ended.

Real: kubelets, containerd, runc, our two images, the chart, this machine's /sys on one node, the macvlan plugin. The
other node has a recorded host's files. No image of a component can be had here, so one small image is known by the
names of all of them and runs nothing, and the test plays what the driver's would do to its host.
"""

import json
import platform
import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from nicfleet import names
from tests.e2e.images import OURS, STAND_IN, TAG
from tests.e2e.network import netns_of
from tests.e2e.node import eventually
from tests.e2e.recorded import PORT
from tests.e2e.site import NAMESPACE, READY_SECONDS, REAL, RECORDED, RELEASE, Site, is_ready, log, records, uid
from tests.e2e.watcher import LabelWatch, lacking, told
from tests.images.store import REPOSITORY
from tests.integration.cni_runtime import Attachment, Netns, netns

CHART: Final = REPOSITORY / "deploy/nicfleet"
VALUES: Final[Mapping[str, Any]] = {
    # Registries cannot be reached.
    "operator": {"tag": TAG, "driverImagePollMinutes": 0},
    "agent": {"tag": TAG},
}
NEXT_VALUES: Final[Mapping[str, Any]] = {
    "operator": {"driverImagePollMinutes": 0, "useDTK": False},
    "agent": {"logLevel": "debug", "resources": {"requests": {"memory": "72Mi"}}},
}
"""The tags are left to the chart then."""
NEXT_GRACE: Final = 12
REGISTRY: Final = "nvcr.io/nvidia/mellanox"
RELEASED: Final = "network-operator-v26.4.0"
DRIVER: Final = "doca3.4.0-26.04-0.8.6.0-0"
POLICY: Final[Mapping[str, Any]] = {
    "ofedDriver": {
        "repository": REGISTRY,
        "image": "doca-driver",
        "version": DRIVER,
        # A load takes minutes, here it takes a second.
        "startupProbe": {"initialDelaySeconds": 1, "periodSeconds": 1},
        "readinessProbe": {"initialDelaySeconds": 1, "periodSeconds": 1},
    },
    "secondaryNetwork": {
        "cniPlugins": {"repository": REGISTRY, "image": "plugins", "version": RELEASED},
        "multus": {"repository": REGISTRY, "image": "multus-cni", "version": RELEASED},
    },
}
DRIVER_IMAGE: Final = f"{REGISTRY}/doca-driver:{DRIVER}-ubuntu22.04-amd64"
COMPONENTS: Final = (
    DRIVER_IMAGE,
    f"{REGISTRY}/plugins:{RELEASED}",
    f"{REGISTRY}/multus-cni:{RELEASED}",
    f"{REGISTRY}/network-operator-init-container:{RELEASED}",
)
NEXT_BOOT: Final = "5c0a7f4e-1f2d-4c3b-9a68-7d1e2f3a4b5c"


CRDS: Final = REPOSITORY / "deploy/crds"


def test_install_over_a_crd_of_another_release(site: Site, tmp_path: Path) -> None:
    """It ends within seconds, with the sentence of the hook's pod, and can be done again when that is followed."""
    theirs = yaml.safe_load((CRDS / "mellanox.com_macvlannetworks.yaml").read_text())
    fields = theirs["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    fields["renamed"] = fields.pop("metaPlugins")
    site.plane.apply(theirs)

    install = ("install", RELEASE, str(CHART), "--create-namespace", "--timeout=5m", *_values(tmp_path, VALUES))
    said = site.helm(*install, code=1)

    log.info("helm install:\n%s", said)
    (sentence,) = (line for line in said.splitlines() if "refused: it is of another release" in line)
    assert sentence.startswith("macvlannetworks.mellanox.com: ")
    assert "PodFailurePolicy" in said
    _, _, command = sentence.partition("with kubectl ")
    site.plane.kubectl(*shlex.split(command.replace("deploy/crds", str(CRDS))))
    site.helm("uninstall", RELEASE, "--wait")


def test_install(site: Site, tmp_path: Path) -> None:
    """Real pods of both images come to be ready under both kubelets."""
    said = site.helm(
        "install", RELEASE, str(CHART), "--create-namespace", "--wait", "--timeout=5m", *_values(tmp_path, VALUES)
    )
    log.info("helm install --wait:\n%s", said)
    # Helm waits for all but as many agents as may be unavailable during an update.
    eventually(lambda: all(_agents_ready(site)), READY_SECONDS, "an agent, ready, on each node")
    log.info("pods:\n%s", site.pods())
    agents = [site.agent(node) for node in site.nodes]
    images = {pod["spec"]["containers"][0]["image"] for pod in (*site.pods_of("coordinator"), *agents)}
    assert images == set(OURS.values())


def test_labels_of_the_real_node(site: Site) -> None:
    """The agent's pod reads this machine's own files."""
    system = platform.freedesktop_os_release()
    truth = {
        names.OS_ID_LABEL: system["ID"],
        names.OS_VERSION_LABEL: system["VERSION_ID"],
        names.KERNEL_LABEL: platform.release(),
    }
    eventually(lambda: truth.items() <= site.labels(REAL).items(), READY_SECONDS, f"labels {truth} on the real node")
    log.info("labels of the real node:\n%s", _told(_ours(site.labels(REAL))))


def test_labels_of_the_recorded_node(site: Site) -> None:
    wanted = {names.NIC_LABEL: "true", f"{names.GENERATION_PREFIX}connectx-5": "true", names.OS_ID_LABEL: "ubuntu"}
    eventually(
        lambda: wanted.items() <= site.labels(RECORDED).items(), READY_SECONDS, f"labels {wanted} on the recorded node"
    )
    log.info("labels of the recorded node:\n%s", _told(_ours(site.labels(RECORDED))))


def test_check(site: Site) -> None:
    log.info("helm test:\n%s", site.helm("test", RELEASE, "--timeout=3m", "--logs"))


def test_policy_becomes_ready(site: Site) -> None:
    """The driver's pod waits for its host, is started and ready once the driver is loaded; then so is the policy."""
    for node in site.nodes.values():
        node.tag(STAND_IN, *COMPONENTS)
    log.info("one image of busybox stands in for %s", ", ".join(COMPONENTS))
    site.plane.apply(_policy())
    eventually(lambda: _driver_pod(site) != {}, READY_SECONDS, lambda: f"a running driver pod\n{site.pods()}")
    assert not is_ready(_driver_pod(site))
    eventually(lambda: _policy_state(site) == "notReady", READY_SECONDS, "a policy that is not ready")
    log.info("before the driver is loaded, the policy says: %s", _why(site))
    eventually(lambda: site.labels(RECORDED)[names.WAIT_LABEL] == "true", READY_SECONDS, "a node that has to wait")
    driver = _driver_pod(site)
    log.info("the test loads the driver on the recorded host, as pod %s would", driver["metadata"]["name"])
    site.host.driver.pod_runs(driver["metadata"]["uid"], DRIVER_IMAGE)
    _wait_ready(site)
    log.info("the policy is ready:\n%s", site.plane.kubectl("get", "nicclusterpolicies"))
    log.info("pods:\n%s", site.pods())
    assert _policy_state(site) == "ready"
    assert is_ready(_driver_pod(site))
    eventually(
        lambda: site.labels(RECORDED)[names.WAIT_LABEL] == "false", READY_SECONDS, "a node that need not wait any more"
    )
    log.info("labels of the recorded node:\n%s", _told(_ours(site.labels(RECORDED))))


def test_macvlan(site: Site) -> None:
    """What a MacvlanNetwork makes is run on the node's interface, as multus would run it."""
    address = {"type": "static", "addresses": [{"address": "192.168.16.7/20"}]}
    spec = {"networkNamespace": "default", "master": PORT, "mode": "bridge", "mtu": 1400, "ipam": json.dumps(address)}
    site.plane.apply(
        {
            "apiVersion": f"{names.API_GROUP}/{names.API_VERSION}",
            "kind": "MacvlanNetwork",
            "metadata": {"name": "macvlan"},
            "spec": spec,
        }
    )
    definition = ("network-attachment-definitions", "macvlan", "--namespace=default")
    eventually(
        lambda: "macvlan" in site.plane.kubectl("get", *definition, "--ignore-not-found"), READY_SECONDS, "the NAD"
    )
    config = json.loads(site.plane.get(*definition)["spec"]["config"])
    log.info("the NetworkAttachmentDefinition has %s", json.dumps(config))
    with netns_of(site.nodes[RECORDED].process) as host, netns("e2e-pod") as pod:
        attachment = Attachment(Netns(host), pod, "net1", config)
        attachment.add()
        link = pod.links()["net1"]
        assert (link["linkinfo"]["info_kind"], link["linkinfo"]["info_data"]["mode"]) == ("macvlan", "bridge")
        assert link["mtu"] == spec["mtu"]
        assert pod.addresses("net1") == ["192.168.16.7/20"]
        log.info("net1 in the pod: %s on %s, %s", link["linkinfo"]["info_kind"], PORT, pod.addresses("net1")[0])
        attachment.delete()
        assert "net1" not in pod.links()


def test_logs_of_the_agents_tell_what_they_saw(site: Site) -> None:
    for node in site.nodes:
        text = site.log_of(site.agent(node))
        log.info("kubectl logs of the agent on node %s:\n%s", node, text)
        assert any(record["message"] == "coordinator connected" for record in records(text))
        (started,) = (record for record in records(text) if record["message"] == "agent started")
        assert started["live"] == (node == REAL)
        sys_bus = site.host.root / "sys/bus" if node == RECORDED else Path("/sys/bus")
        assert started["pci_functions"] == len(list(sys_bus.glob("pci/devices/*")))
        found = [record for record in records(text) if record["message"] in {"device added", "GPU added"}]
        assert (found == []) == ("no device of NVIDIA found" in text)
        if node == RECORDED:
            assert [record["model"] for record in found] == ["ConnectX-5"] * 2
            assert "mlx5_core" in text


def test_must_gather(site: Site, tmp_path: Path) -> None:
    """The bundle of this cluster, as docs/how-to/must-gather.md has it: complete, and no token is in it."""
    token = site.plane.kubectl("create", "token", "default", f"--namespace={NAMESPACE}").strip()
    note = f"--from-literal=note=use {token} for it"
    site.plane.kubectl("create", "configmap", "careless", f"--namespace={NAMESPACE}", note)
    ca_file = tmp_path / "ca.crt"
    ca_file.write_text(site.plane.get("configmap", "nicfleet-ca", f"--namespace={NAMESPACE}")["data"]["ca.crt"])
    command: list[str | Path] = [sys.executable, "-m", "cli", "must-gather", f"--kubeconfig={site.plane.kubeconfig}"]
    leader = site.leader()
    with site.forwarded(leader, names.COORDINATOR_PORT) as port:
        command += [f"--coordinator=127.0.0.1:{port}", f"--ca-file={ca_file}", f"--output-dir={tmp_path}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=READY_SECONDS)
    (archive,) = tmp_path.glob("nicfleet-must-gather-*")
    files = _unpacked(archive)
    log.info("nicfleet must-gather: %s%s", done.stdout, done.stderr)
    log.info("%d files:\n%s", len(files), "\n".join(f"  {len(text):>7} {path}" for path, text in sorted(files.items())))
    assert (done.returncode, files["errors.txt"]) == (0, "")
    assert f"objects/{NAMESPACE}/configmaps/careless.yaml" in files
    assert [path for path, text in files.items() if "eyJ" in text or token.rpartition(".")[2] in text] == []
    assert "state: ready" in files[f"policies/nicclusterpolicies/{names.POLICY_NAME}.yaml"]
    for node in site.nodes:
        assert "coordinator connected" in files[f"pods/{site.agent(node)['metadata']['name']}/agent.log"]
        assert json.loads(files[f"inventories/{node}.json"])["node"]["name"] == node
    assert "leader" in files[f"pods/{leader['metadata']['name']}/coordinator.log"]
    # The driver's container answers on one node; on the other, which has none, the agent's, of this machine.
    assert "mlx5_core" in files[f"driver/{RECORDED}/lsmod.txt"]
    assert platform.release() in files[f"driver/{REAL}/kernel.txt"]
    assert "FAILED" not in files[f"driver/{REAL}/status.txt"]
    log.info("what the driver's container answered:\n%s", files[f"driver/{RECORDED}/status.txt"])
    log.info("what the agent's container answered:\n%s", files[f"driver/{REAL}/status.txt"])
    site.plane.kubectl("delete", "configmap", "careless", f"--namespace={NAMESPACE}")


def test_labels_stay(site: Site, tmp_path: Path) -> None:
    """While the agent's pod is killed, then the coordinator's, and while the host comes up with another boot id."""
    with _labels_kept(site, tmp_path / "watch"):
        _kill(site, site.agent(RECORDED), "agent", RECORDED)
        # Its pod is ready before it has found the coordinator that leads.
        eventually(lambda: all(_connections(site).values()), READY_SECONDS, "agents that are connected")
        connected = _connections(site)
        _kill(site, site.leader(), "coordinator", count=len(site.pods_of("coordinator")))
        eventually(
            lambda: site.leader() != {} and _all_connected_again(site, connected),
            READY_SECONDS,
            "agents that found the coordinator that leads now",
        )
        log.info("pod %s leads, and both agents found it", site.leader()["metadata"]["name"])
        log.info("the recorded host has another boot id; its kubelet and its agent start anew")
        site.host.reboot(NEXT_BOOT)
        site.nodes[RECORDED].restart_kubelet()
        _kill(site, site.agent(RECORDED), "agent", RECORDED)
        eventually(
            lambda: site.plane.get("node", RECORDED)["status"]["nodeInfo"]["bootID"] == NEXT_BOOT,
            READY_SECONDS,
            "the kubelet's word of the new boot id",
        )
        _wait_ready(site)


def test_upgrade(site: Site, tmp_path: Path) -> None:
    """To a chart of another version, with other images, templates and values: all pods are new, and nothing else is."""
    made, driver = _made(site), _driver_pod(site)
    agents = {node: site.agent(node) for node in site.nodes}
    coordinators = site.pods_of("coordinator")
    for real in site.nodes.values():
        for name in OURS.values():
            real.tag(name, f"{name}-next")
    with _labels_kept(site, tmp_path / "watch"):
        chart = _next_chart(tmp_path / "chart")
        said = site.helm("upgrade", RELEASE, str(chart), "--wait", "--timeout=5m", *_values(tmp_path, NEXT_VALUES))
        log.info("helm upgrade --wait:\n%s", said)
        for node, pod in agents.items():
            site.wait_replaced(pod, "agent", node)
        for pod in coordinators:
            site.wait_replaced(pod, "coordinator", count=len(coordinators))
        _wait_ready(site)
    log.info("pods after the upgrade:\n%s", site.pods())
    for node in site.nodes:
        spec = site.agent(node)["spec"]
        assert spec["terminationGracePeriodSeconds"] == NEXT_GRACE
        assert spec["containers"][0]["image"] == f"{OURS['agent']}-next"
        assert spec["containers"][0]["resources"]["requests"]["memory"] == "72Mi"
        assert _env(spec)["NICFLEET_LOG_LEVEL"] == "debug"
    for pod in site.pods_of("coordinator"):
        assert pod["spec"]["containers"][0]["image"] == f"{OURS['coordinator']}-next"
        assert _env(pod["spec"])["USE_DTK"] == "false"
    assert _names(site, "configmaps", NAMESPACE).count("configmap/added-by-the-next-chart") == 1
    assert _made(site) == made
    assert uid(_driver_pod(site)) == uid(driver)
    listed = site.helm("list")
    log.info("helm list:\n%s", listed)
    assert "nicfleet-0.1.1" in listed


def test_uninstall(site: Site) -> None:
    """The policy first, as the documents say, and then the release: the CRDs and the user's networks stay."""
    site.plane.kubectl("delete", "nicclusterpolicy", names.POLICY_NAME)
    eventually(lambda: _made(site) == {}, READY_SECONDS, "the end of what the policy made")
    # While the driver's pod ends it may unload the driver; then nobody asks for one, and nobody has to wait.
    eventually(
        lambda: site.labels(RECORDED)[names.WAIT_LABEL] == "false", READY_SECONDS, "a node that need not wait any more"
    )
    log.info("helm uninstall:\n%s", site.helm("uninstall", RELEASE, "--wait", "--timeout=5m"))
    # Helm keeps the pod of its test, whose log can then be read, until the next test; the rest is Kubernetes's own.
    kept = {"pod/nicfleet-check", "configmap/kube-root-ca.crt", "serviceaccount/default"}
    kinds = _kinds(site, namespaced=True)
    eventually(
        lambda: set(_names(site, kinds, NAMESPACE)) == kept,
        READY_SECONDS,
        lambda: f"{sorted(kept)} and nothing else in the namespace, where there is {_names(site, kinds, NAMESPACE)}",
    )
    of_cluster = _names(site, _kinds(site, namespaced=False))
    assert [name for name in of_cluster if "nicfleet" in name] == []
    crds = [
        name
        for name in of_cluster
        if name.startswith("customresourcedefinition") and name.endswith(("mellanox.com", "k8s.cni.cncf.io"))
    ]
    networks = ["macvlannetwork.mellanox.com/macvlan"]
    assert [name for name in of_cluster if ".mellanox.com/" in name and name not in crds] == networks
    assert "customresourcedefinition.apiextensions.k8s.io/nicclusterpolicies.mellanox.com" in crds
    log.info("what is left:\n%s", "\n".join([*sorted(kept), *crds, *networks]))
    assert site.labels(RECORDED)[names.NIC_LABEL] == "true"
    log.info("labels of the recorded node stay:\n%s", _told(_ours(site.labels(RECORDED))))


def _agents_ready(site: Site) -> list[bool]:
    agents = [site.agent(node) for node in site.nodes]
    return [agent != {} and is_ready(agent) for agent in agents]


def _values(folder: Path, values: Mapping[str, Any]) -> Sequence[str]:
    file = folder / "values.json"
    file.write_text(json.dumps(values))
    return ["--values", str(file)]


def _next_chart(folder: Path) -> Path:
    """This chart as its next version might be: of another appVersion, with a changed template and a new one."""
    shutil.copytree(CHART, folder)
    description = yaml.safe_load((folder / "Chart.yaml").read_text())
    (folder / "Chart.yaml").write_text(yaml.safe_dump(description | {"version": "0.1.1", "appVersion": f"{TAG}-next"}))
    daemonset = folder / "templates/agent/daemonset.yaml"
    before, after = "terminationGracePeriodSeconds: 10\n", f"terminationGracePeriodSeconds: {NEXT_GRACE}\n"
    text = daemonset.read_text()
    assert before in text
    daemonset.write_text(text.replace(before, after))
    added = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "added-by-the-next-chart"}}
    (folder / "templates/added.yaml").write_text(yaml.safe_dump(added))
    return folder


@contextmanager
def _labels_kept(site: Site, folder: Path) -> Iterator[None]:
    """Within, no event of a Node lacks a label of ours that it has before; in the end they are the same."""
    before = {node: _ours(site.labels(node)) for node in site.nodes}
    with LabelWatch(site.plane, folder) as watch:
        yield
        # The policy may be ready a moment before a label that had another value is what it was.
        eventually(
            lambda: all(_ours(site.labels(node)) == labels for node, labels in before.items()),
            READY_SECONDS,
            lambda: f"labels as before, which are {before}",
        )
        seen = {node: watch.seen(node) for node in site.nodes}
    for node, events in seen.items():
        log.info("%d events of Node %s, by resourceVersion:\n%s", len(events), node, told(events))
        assert events
        assert lacking(events, before[node]) == []
        assert events[-1].ours == before[node]
        assert _ours(site.labels(node)) == before[node]


def _env(spec: Mapping[str, Any]) -> dict[str, str]:
    """Variables of a pod's first container that have a value."""
    return {each["name"]: each["value"] for each in spec["containers"][0]["env"] if "value" in each}


def _unpacked(archive: Path) -> dict[str, str]:
    """Contents by path below the archive's folder."""
    with tarfile.open(archive) as tar:
        return {
            member.name.partition("/")[2]: content.read().decode()
            for member in tar
            if (content := tar.extractfile(member)) is not None
        }


def _policy() -> dict[str, Any]:
    return {
        "apiVersion": f"{names.API_GROUP}/{names.API_VERSION}",
        "kind": "NicClusterPolicy",
        "metadata": {"name": names.POLICY_NAME},
        "spec": dict(POLICY),
    }


def _policy_state(site: Site) -> str:
    return str(site.plane.get("nicclusterpolicy", names.POLICY_NAME).get("status", {}).get("state", ""))


def _why(site: Site) -> str:
    conditions = site.plane.get("nicclusterpolicy", names.POLICY_NAME)["status"]["conditions"]
    return "; ".join(f"{each['reason']}: {each['message']}" for each in conditions if each["status"] != "True")


def _driver_pod(site: Site) -> dict[str, Any]:
    """Once its container runs."""
    for pod in site.plane.get("pods", "--all-namespaces", f"--selector={names.OFED_DRIVER_LABEL}")["items"]:
        if pod["status"]["phase"] == "Running":
            return dict(pod)
    return {}


def _made(site: Site) -> dict[str, str]:
    """The policy's workloads and how many changes of their specs there were."""
    found = site.plane.get("daemonsets,deployments", "--all-namespaces", f"--selector={names.STATE_LABEL}")["items"]
    return {item["metadata"]["name"]: f"{item['metadata']['uid']} {item['metadata']['generation']}" for item in found}


def _wait_ready(site: Site) -> None:
    """As a user waits."""
    policy = f"nicclusterpolicy/{names.POLICY_NAME}"
    site.plane.kubectl("wait", "--for=condition=Ready", policy, f"--timeout={READY_SECONDS:.0f}s")


def _kill(site: Site, pod: dict[str, Any], component: str, node: str = "", count: int = 1) -> None:
    name = pod["metadata"]["name"]
    log.info("killing pod %s", name)
    site.plane.kubectl("delete", "pod", name, f"--namespace={NAMESPACE}", "--grace-period=0", "--force")
    site.wait_replaced(pod, component, node, count)


def _connections(site: Site) -> dict[str, int]:
    """How often each agent told that it is connected."""
    told = {node: records(site.log_of(site.agent(node))) for node in site.nodes}
    return {node: sum(record["message"] == "coordinator connected" for record in lines) for node, lines in told.items()}


def _all_connected_again(site: Site, before: Mapping[str, int]) -> bool:
    return all(count > before[node] for node, count in _connections(site).items())


def _names(site: Site, kinds: str, namespace: str = "") -> list[str]:
    where = [f"--namespace={namespace}"] if namespace else []
    return site.plane.kubectl("get", kinds, *where, "-o", "name").split()


def _kinds(site: Site, *, namespaced: bool) -> str:
    """All that can be listed, but for events."""
    listed = site.plane.kubectl(
        "api-resources", "--verbs=list", f"--namespaced={str(namespaced).lower()}", "-o", "name"
    )
    return ",".join(kind for kind in listed.split() if not kind.startswith(("events", "componentstatuses")))


def _ours(labels: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in sorted(labels.items()) if names.may_be_written(key)}


def _told(labels: Mapping[str, str]) -> str:
    return "\n".join(f"  {key}={value}" for key, value in labels.items())
