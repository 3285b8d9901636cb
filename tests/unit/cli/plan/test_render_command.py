"""`nicfleet render`, and what is wrong with the flags of both commands."""

import io
import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from cli.__main__ import app
from cli.access import kubeconfig
from coordinator.kube.objects import ref_of
from nicfleet import names
from tests import hosts
from tests.unit.coordinator.policies import ROOT

OURS = "apiVersion: mellanox.com/v1alpha1"
EXAMPLES = [path for path in sorted((ROOT / "deploy/examples").rglob("*.yaml")) if OURS in path.read_text()]
POLICY = ROOT / "deploy/examples/nicclusterpolicy-nv-ipam.yaml"


def nicfleet(*arguments: str | Path, stdin: str | None = None, **environment: str) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin, env=environment)


@pytest.fixture
def worker(tmp_path: Path) -> Path:
    root = tmp_path / "worker"
    hosts.connectx5(root)
    return root


def test_the_objects_are_yaml_in_the_order_of_applying(worker: Path) -> None:
    result = nicfleet("render", "-f", POLICY, "--inventory", worker)

    assert result.exit_code == 0
    objects = list(yaml.safe_load_all(io.StringIO(result.stdout)))
    refs = [ref_of(obj) for obj in objects]
    assert len(set(refs)) == len(refs)
    kinds = [ref.kind for ref in refs if "nv-ipam" in ref.name]
    assert kinds.index("CustomResourceDefinition") < kinds.index("ServiceAccount") < kinds.index("DaemonSet")
    (driver,) = (obj for obj in objects if obj["metadata"]["name"].startswith("mofed-"))
    assert driver["metadata"]["labels"][names.STATE_LABEL] == "state-OFED"
    assert driver["spec"]["template"]["spec"]["nodeSelector"][names.KERNEL_LABEL] == "6.8.0-60-generic"
    (owner,) = driver["metadata"]["ownerReferences"]
    assert (owner["kind"], "uid" in owner) == ("NicClusterPolicy", False)
    assert names.HASH_ANNOTATION not in driver["metadata"].get("annotations", {})


def test_without_nodes_it_says_that_there_is_no_driver() -> None:
    result = nicfleet("render", "-f", "-", stdin=POLICY.read_text())

    assert result.exit_code == 0
    assert "# There is no driver's DaemonSet" in result.stdout
    assert not any(obj["metadata"]["name"].startswith("mofed-") for obj in yaml.safe_load_all(result.stdout))


def test_of_nodes_without_labels_it_says_that_there_is_no_driver(tmp_path: Path) -> None:
    """As those of a new cluster are, of which no agent has told anything."""
    times = {"creationTimestamp": "2026-01-01T00:00:00Z"}
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "new", "uid": "u", "resourceVersion": "1", **times},
    }
    (tmp_path / "nodes.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [node]}))

    result = nicfleet("render", "-f", POLICY, "--inventory", tmp_path / "nodes.json")

    assert result.exit_code == 0
    assert "# There is no driver's DaemonSet" in result.stdout
    (told,) = (line for line in result.stderr.splitlines() if "There is no driver's DaemonSet" in line)
    assert told.startswith("nicfleet: note: ")
    assert "none of those given gets a driver. It takes the label feature.node.kubernetes.io/pci-15b3.present" in told


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_can_be_rendered(example: Path, worker: Path) -> None:
    result = nicfleet("render", "-f", example, "--inventory", worker)
    assert result.exit_code == 0, result.stderr
    assert len(list(yaml.safe_load_all(result.stdout))) > 0


def test_the_coordinators_settings_count() -> None:
    by_flag = nicfleet("render", "-f", POLICY, "--namespace=elsewhere", "--cni-bin-dir=/own/bin")
    by_variable = nicfleet("render", "-f", POLICY, POD_NAMESPACE="elsewhere", CNI_BIN_DIR="/own/bin")

    assert by_flag.stdout == by_variable.stdout
    assert "namespace: elsewhere" in by_flag.stdout
    assert "path: /own/bin" in by_flag.stdout


def test_every_problem_is_a_sentence_and_the_rest_is_rendered(tmp_path: Path) -> None:
    policy = yaml.safe_load(POLICY.read_text())
    policy["spec"]["rdmaSharedDevicePlugin"]["config"] = "{"
    policy["spec"]["nosuch"] = {}
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(policy))

    result = nicfleet("render", "-f", file)

    assert result.exit_code == 2
    problems = [line for line in result.stderr.splitlines() if "note:" not in line]
    assert [line.partition(": spec.")[2].split()[0] for line in problems] == ["nosuch", "rdmaSharedDevicePlugin.config"]
    assert "rdma-shared-dp-ds" not in result.stdout
    assert "kube-multus-ds" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(("render", "-f", "/no/such"), "-f: cannot read /no/such: No such file or directory", id="file"),
        pytest.param(
            ("render", "-f", POLICY, "--namespace=A B"), "--namespace is 'A B': give the name of", id="namespace"
        ),
        pytest.param(
            ("render", "-f", POLICY, "--templates=/no"), "--templates is '/no': there is no such", id="templates"
        ),
        pytest.param(
            ("plan", "-f", POLICY, "--inventory=/tmp", "--context=x"),
            "--inventory is for a plan without a cluster, and --kubeconfig, --context and --coordinator for one with: "
            "give either",
            id="offline-and-live",
        ),
        pytest.param(
            ("plan", "-f", POLICY, "--kubeconfig=/no/such"),
            "kubeconfig /no/such cannot be used (there is no such file): give a file, and a context in it, that",
            id="kubeconfig",
        ),
        pytest.param(
            ("plan", "-f", POLICY, "--coordinator=nowhere"),
            "--coordinator is 'nowhere': give HOST:PORT, for example 127.0.0.1:7444",
            id="coordinator",
        ),
        pytest.param(
            ("plan", "-f", POLICY, "--coordinator=127.0.0.1:7444"),
            "--ca-file is not given: give what `kubectl get configmap nicfleet-ca -o 'jsonpath={.data.ca\\.crt}'`",
            id="nobody-to-trust",
        ),
        pytest.param(
            ("plan", "-f", POLICY, "--coordinator=127.0.0.1:7444", "--ca-file=/no/such"),
            "/no/such cannot be used (No such file or directory): the coordinator is trusted by the authority in it",
            id="no-such-authority",
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence(arguments: tuple[str | Path, ...], sentence: str) -> None:
    result = nicfleet(*arguments)

    assert result.exit_code == 2
    assert result.stderr.startswith(f"nicfleet: {sentence}")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("flag", "environment", "path"),
    [
        pytest.param("given", {"KUBECONFIG": "of-environment"}, "given", id="the-flag-first"),
        pytest.param(None, {"KUBECONFIG": "one:two"}, "one:two", id="several-files"),
        pytest.param(None, {"KUBECONFIG": ""}, str(Path("~/.kube/config").expanduser()), id="the-home-directory"),
    ],
)
def test_the_kubeconfig_is_kubectls(flag: str | None, environment: dict[str, str], path: str) -> None:
    assert kubeconfig(flag, environment) == Path(path)


def test_an_offline_plan_is_a_change(worker: Path) -> None:
    result = nicfleet("plan", "-f", POLICY, "--inventory", worker)
    assert result.exit_code == 1
    assert "offline, for a cluster in which nothing is applied: 1 node, 1 with a NIC, 1 inventory" in result.stdout
    assert result.stdout.splitlines()[-1] == f"Nothing has been written. To do this: kubectl apply -f {POLICY}"
