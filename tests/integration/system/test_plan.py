"""`nicfleet plan` on a real API server, beside the coordinator: what it says is what then happens, and it writes
nothing."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cli.__main__ import app
from nicfleet import names
from tests.controlplane.cluster import ControlPlane
from tests.integration.system.api import NODES
from tests.integration.system.fleet import INBOX, WITH_DRIVER
from tests.integration.system.product import Product, example, policy, sections
from tests.integration.system.waiting import eventually
from tests.unit.coordinator.policies import rdma_config

NAMESPACE = names.DEFAULT_NAMESPACE
DRIVER = "mofed-ubuntu22.04-54669c9886-ds"
PLUGIN = "rdma-shared-dp-ds"
RESOURCE = "rdma/rdma_shared_device_a"

_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


class Planner:
    """Plans with the product's coordinator, and looks at what that wrote."""

    def __init__(self, product: Product, folder: Path) -> None:
        self.product = product
        self._folder = folder

    def __call__(
        self, *documents: dict[str, Any], expect: int, kubeconfig: Path | None = None, agents: bool = True
    ) -> dict[str, Any]:
        """The plan for these documents; `expect` is the exit code."""
        result = CliRunner().invoke(
            app, [*self.arguments(*documents, kubeconfig=kubeconfig, agents=agents), "-o", "json"]
        )
        assert result.exit_code == expect, f"{result.output}{result.exception!r}"
        made: dict[str, Any] = json.loads(result.stdout)
        return made

    def arguments(self, *documents: dict[str, Any], kubeconfig: Path | None = None, agents: bool = True) -> list[str]:
        file = self._folder / "documents.yaml"
        file.write_text(yaml.safe_dump_all(documents))
        told = ["--insecure", f"--coordinator={self.product.coordinator.address}"] if agents else []
        return ["plan", "-f", str(file), f"--kubeconfig={kubeconfig or self.product.plane.kubeconfig}", *told]

    def requests(self) -> list[dict[str, Any]]:
        """All that any plan has asked the API server."""
        return [event for event in self.product.plane.audit() if event.get("userAgent") == "nicfleet"]


@pytest.fixture
def planner(product: Product, tmp_path: Path) -> Planner:
    return Planner(product, tmp_path)


@pytest.fixture(scope="module", autouse=True)
def _running(product: Product) -> None:
    product.register("one", "two")
    product.coordinator.start()
    product.simulated.report("one", WITH_DRIVER)
    product.simulated.report("two", WITH_DRIVER)
    for node in ("one", "two"):
        eventually(lambda: names.NIC_LABEL in product.api.labels(node))  # noqa: B023 — awaited at once
        eventually(lambda: "taints" not in product.api.get(f"{NODES}/{node}")["spec"])  # noqa: B023 — no more "not-ready"


@pytest.fixture(scope="module")
def reader(plane: ControlPlane) -> Iterator[Path]:
    """The kubeconfig of somebody who may read everything and write nothing."""
    with account(plane, "plan-reader", "*.*") as kubeconfig:
        yield kubeconfig


@contextmanager
def account(plane: ControlPlane, name: str, *resources: str, verbs: str = "get,list") -> Iterator[Path]:
    """The kubeconfig of an account that may do this with these resources."""
    plane.kubectl("create", "serviceaccount", name, "--namespace=default")
    asked = (
        [f"--verb={verbs}", f"--resource={','.join(resources)}"] if resources else ["--verb=get", "--resource=nodes"]
    )
    plane.kubectl("create", "clusterrole", name, *asked)
    plane.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", f"--serviceaccount=default:{name}")
    may = ("auth", "can-i", "get", "nodes", f"--as=system:serviceaccount:default:{name}")
    eventually(lambda: plane.kubectl(*may, check=False).startswith("yes"))  # the authorizer has heard of it
    yield plane.service_account_kubeconfig("default", name)
    plane.kubectl("delete", "clusterrolebinding,clusterrole", name)
    plane.kubectl("delete", "serviceaccount", name, "--namespace=default")


def whole(**changed: dict[str, Any]) -> dict[str, Any]:
    """The policy with a driver and a device plugin; `changed` has fields by section."""
    wanted = sections("ofedDriver", "rdmaSharedDevicePlugin")
    wanted["rdmaSharedDevicePlugin"]["config"] = rdma_config("rdma_shared_device_a")
    return policy(names.POLICY_NAME, {name: section | changed.get(name, {}) for name, section in wanted.items()})


def moving(plan: dict[str, Any]) -> dict[tuple[str, str], str]:
    """What changes, by kind and name."""
    return {(each["kind"], each["name"]): each["change"] for each in plan["objects"] if each["change"] != "none"}


def noticing(plan: dict[str, Any]) -> set[tuple[str, str, str, int]]:
    return {(each["cause"], each["when"], each["subject"], len(each["pods"])) for each in plan["disturbed"]}


def written(product: Product) -> set[tuple[str, str]]:
    """Plural and name of the objects that the coordinator wrote since the mark."""
    return {(write.resource, write.name) for write in product.audit.objects()}


def as_written(plan: dict[str, Any]) -> set[tuple[str, str]]:
    """The same of what a plan says."""
    return {(f"{kind.lower()}s", name) for kind, name in moving(plan)}


def test_before_anything_is_applied_it_says_what_is_made(product: Product, planner: Planner) -> None:
    plan = planner(whole(), expect=1)

    assert set(moving(plan).values()) == {"create"}
    assert all(each["exact"] for each in plan["objects"])
    assert plan["fleet"] == {"nodes": 2, "with_nic": 2, "reported": 2}
    (driver,) = plan["drivers"]
    assert (driver["daemonset"], driver["nodes"], driver["loads"]) == (DRIVER, ["one", "two"], [])
    (resource,) = plan["resources"]
    assert (resource["resource"], resource["nodes"], resource["units"]) == (RESOURCE, ["one", "two"], 63)
    assert plan["disturbed"] == []

    product.audit.mark()
    product.plane.apply(whole())
    product.wait_ready()
    assert eventually(lambda: written(product) == as_written(plan))


def test_what_is_applied_leaves_nothing_to_do(planner: Planner, reader: Path) -> None:
    for plan in (planner(whole(), expect=0), planner(whole(), expect=0, kubeconfig=reader)):
        assert plan["verdict"] == "nothing"
        assert moving(plan) == {}


def test_a_change_shows_its_diff_and_who_notices(product: Product, planner: Planner) -> None:
    user = _pod("user", "one", {RESOURCE: "1"})
    product.plane.apply(user)
    renamed = whole(rdmaSharedDevicePlugin={"config": rdma_config("renamed")})
    eventually(lambda: product.plane.get("pod", "user")["spec"].get("nodeName"))

    plan = planner(renamed, expect=1)

    assert moving(plan) == {("ConfigMap", "rdma-devices"): "change", ("DaemonSet", PLUGIN): "change"}
    (diff,) = (each["diff"] for each in plan["objects"] if each["kind"] == "ConfigMap" and each["diff"])
    assert [line[:1] for line in diff.splitlines() if "rdma_shared_device_a" in line] == ["-"]
    assert [line[:1] for line in diff.splitlines() if "renamed" in line] == ["+"]
    assert noticing(plan) == {
        ("rollout", "at once", f"DaemonSet {NAMESPACE}/{PLUGIN}", 2),
        ("resource", "at once", RESOURCE, 1),
    }

    product.audit.mark()
    product.plane.apply(renamed)
    eventually(lambda: written(product) == as_written(plan))
    eventually(lambda: planner(renamed, expect=0))
    product.plane.apply(whole())
    product.plane.kubectl("delete", "pod", "user", "--grace-period=0", "--force")
    product.wait_ready()


def test_another_driver_is_a_matter_of_deleting_its_pods(product: Product, planner: Planner) -> None:
    product.plane.apply(_pod("user", "two", {RESOURCE: "1"}))
    eventually(lambda: product.plane.get("pod", "user")["spec"].get("nodeName"))

    plan = planner(whole(ofedDriver={"version": "24.10-0.7.0.0-0"}), expect=1)

    (driver,) = plan["drivers"]
    assert (driver["loads"], driver["outdated"]) == ([], ["one", "two"])
    assert "24.10-0.7.0.0-0" in driver["image"]
    assert "23.04-0.5.3.3.1" in driver["image_now"]
    assert noticing(plan) == {
        ("outdated", "when driver pods are deleted", f"DaemonSet {NAMESPACE}/{DRIVER}", 2),
        ("driver", "when driver pods are deleted", DRIVER, 1),
    }
    product.plane.kubectl("delete", "pod", "user", "--grace-period=0", "--force")


def test_a_section_that_is_gone_takes_its_objects_along(product: Product, planner: Planner) -> None:
    without = policy(names.POLICY_NAME, sections("ofedDriver"))

    plan = planner(without, expect=1)

    assert moving(plan) == {("ConfigMap", "rdma-devices"): "delete", ("DaemonSet", PLUGIN): "delete"}
    assert ("removed", "at once", f"DaemonSet {NAMESPACE}/{PLUGIN}", 2) in noticing(plan)

    product.audit.mark()
    product.plane.apply(without)
    eventually(lambda: written(product) == as_written(plan))
    product.plane.apply(whole())
    product.wait_ready()


def test_who_may_not_write_gets_a_plan_all_the_same(planner: Planner, reader: Path) -> None:
    """By what was applied last: the very objects, and the fields that change."""
    changed = whole(rdmaSharedDevicePlugin={"version": "v9"})

    exact, rough = planner(changed, expect=1), planner(changed, expect=1, kubeconfig=reader)

    assert moving(rough) == moving(exact) == {("DaemonSet", PLUGIN): "change"}
    assert not any(each["exact"] for each in rough["objects"] if each["change"] == "change")
    assert noticing(rough) == noticing(exact)
    assert any("may not write" in note for note in rough["notes"])
    assert _lines(rough) == _lines(exact)


def test_what_may_not_be_read_may_be_anything(product: Product, planner: Planner) -> None:
    groups = (
        "*.mellanox.com",
        "*.apps",
        "nodes",
        "configmaps",
        "serviceaccounts",
        "services",
        "persistentvolumeclaims",
    )
    with account(product.plane, "plan-narrow", *groups) as narrow:
        plan = planner(whole(), expect=1, kubeconfig=narrow)

    unknown = {kind for (kind, _), change in moving(plan).items() if change == "unknown"}
    assert unknown == {"ClusterRole", "ClusterRoleBinding"}
    assert set(moving(plan).values()) == {"unknown"}
    (told,) = (note for note in plan["notes"] if note.startswith("your account may not list clusterrolebindings"))
    assert "clusterroles" in told
    assert any("driver pods are taken to run where they belong" in note for note in plan["notes"])


def test_an_account_that_may_not_read_policies_has_no_plan(product: Product, planner: Planner) -> None:
    with account(product.plane, "plan-nobody") as nobody:
        result = CliRunner().invoke(app, planner.arguments(whole(), kubeconfig=nobody))

    assert result.exit_code == 2
    assert result.stderr.startswith("nicfleet: cannot list nicclusterpolicies: ")
    assert result.stderr.endswith(": a plan needs an account that may list nicclusterpolicies\n")


def test_the_cluster_is_found_as_kubectl_finds_it(product: Product, planner: Planner, tmp_path: Path) -> None:
    """KUBECONFIG may be several files, some of which are missing."""
    config = yaml.safe_load(product.plane.kubeconfig.read_text())
    away = tmp_path / "away"
    cluster = {"name": "away", "cluster": {"server": "https://127.0.0.1:9"}}
    context = {"name": "away", "context": {"cluster": "away", "user": "away"}}
    others = {"clusters": [cluster], "contexts": [context], "users": [{"name": "away", "user": {"token": "x"}}]}
    away.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "current-context": "away"} | others))
    arguments = [each for each in planner.arguments(whole()) if not each.startswith("--kubeconfig")]
    environment = {"KUBECONFIG": f"{product.plane.kubeconfig}:{tmp_path}/missing:{away}"}

    there = CliRunner().invoke(app, [*arguments, f"--context={config['current-context']}"], env=environment)
    nowhere = CliRunner().invoke(app, [*arguments, "--context=away"], env=environment)
    unknown = CliRunner().invoke(app, [*arguments, "--context=nosuch"], env=environment)

    assert there.exit_code == 0
    assert (nowhere.exit_code, unknown.exit_code) == (2, 2)
    assert "does not answer" in nowhere.stderr
    assert "nosuch" in unknown.stderr


def test_what_others_changed_is_put_back(product: Product, planner: Planner) -> None:
    """As the coordinator does it: what others have added goes too, though a bare apply would leave it."""
    product.coordinator.kill()
    product.plane.kubectl("set", "env", f"daemonset/{PLUGIN}", "THEIRS=1", f"--namespace={NAMESPACE}")

    plan = planner(whole(), expect=1, agents=False)

    assert moving(plan) == {("DaemonSet", PLUGIN): "change"}
    assert [line[1:].strip() for line in _lines(plan)] == ["env:", "- name: THEIRS", "value: '1'"]
    (taken,) = (each["taken_from"] for each in plan["objects"] if each["taken_from"])
    assert taken == ["kubectl-set"]
    with account(product.plane, "patcher", "*.*", verbs="get,list,patch") as patcher:
        without_update = planner(whole(), expect=1, agents=False, kubeconfig=patcher)
    assert set(_lines(plan)) <= set(_lines(without_update))
    product.coordinator.start()
    eventually(lambda: planner(whole(), expect=0)["fleet"]["reported"] == 2)
    assert "THEIRS" not in json.dumps(product.api.daemonset(PLUGIN)["spec"])


def test_another_policy_is_part_of_the_plan(product: Product, planner: Planner) -> None:
    """A section in both is a conflict, and what they share gets a second owner."""
    plan = planner(policy("some", {"nodeSelector": {"x": "y"}} | sections("ofedDriver"), "NicNodePolicy"), expect=2)

    (problem,) = plan["problems"]
    assert "spec.ofedDriver is in NicClusterPolicy nic-cluster-policy and in NicNodePolicy some" in problem["message"]
    assert moving(plan) == {}


def test_networks_are_planned_and_judged_by_what_agents_see(product: Product, planner: Planner) -> None:
    spec = {"networkNamespace": "default", "master": "nosuch0", "ipam": '{"type": "static"}'}
    network = policy("planned", spec, "MacvlanNetwork")

    plan = planner(network, expect=1)

    assert moving(plan) == {("NetworkAttachmentDefinition", "planned"): "create"}
    assert [each["reason"] for each in plan["findings"] if each["of_kind"] == "MacvlanNetwork"] == ["MasterMissing"]

    product.plane.apply(network)
    eventually(lambda: planner(network, expect=0))
    moved = planner(policy("planned", spec | {"networkNamespace": NAMESPACE}, "MacvlanNetwork"), expect=1)
    there = {(each["namespace"], each["change"]) for each in moved["objects"] if each["name"] == "planned"}
    assert there == {(NAMESPACE, "create"), ("default", "delete")}
    product.plane.kubectl("delete", "macvlannetwork", "planned")


def test_what_the_api_server_refuses_is_told(planner: Planner) -> None:
    """Of a policy itself, and of what is made of one."""
    nowhere = policy("planned", {"networkNamespace": "no-such-namespace", "master": "x"}, "MacvlanNetwork")
    misnamed = policy("Mis_named", {"nodeSelector": {"x": "y"}}, "NicNodePolicy")

    plan = planner(nowhere, misnamed, expect=2)

    told = {each["name"]: each["message"] for each in plan["problems"]}
    assert told.keys() == {"planned", "Mis_named"}
    assert told["planned"].startswith('namespace "no-such-namespace" does not exist')
    assert told["Mis_named"].startswith("metadata.name is refused: Invalid value")


def test_a_driver_that_is_to_be_loaded_is_foreseen(product: Product, planner: Planner) -> None:
    product.register("three", taints=[{"key": "not", "value": "yet", "effect": "NoSchedule"}])
    product.simulated.report("three", INBOX)
    eventually(lambda: names.NIC_LABEL in product.api.labels("three"))
    eventually(lambda: len(product.plane.get("node", "three")["spec"]["taints"]) == 1)  # no more "not-ready"

    plan = planner(
        whole() | {"spec": whole()["spec"] | {"tolerations": [{"key": "not", "operator": "Exists"}]}}, expect=1
    )

    (driver,) = plan["drivers"]
    assert (driver["loads"], driver["outdated"]) == (["three"], [])  # where pods may run is nothing that runs in them
    (plugin,) = (each for each in plan["workloads"] if each["name"] == PLUGIN)
    assert (plugin["nodes"], plugin["waiting"]) == (["one", "three", "two"], ["three"])
    product.simulated.stop("three")
    product.plane.kubectl("delete", "node", "three")


def test_without_a_coordinator_nodes_are_what_the_api_server_says(planner: Planner) -> None:
    plan = planner(whole(), expect=0, agents=False)

    assert plan["fleet"]["reported"] == 0
    assert any("no inventory is known" in note for note in plan["notes"])


def test_the_page_for_people_names_the_change(planner: Planner) -> None:
    result = CliRunner().invoke(app, planner.arguments(whole(rdmaSharedDevicePlugin={"version": "v9"})))

    assert result.exit_code == 1
    assert "1 to change" in result.stdout
    assert f"~ DaemonSet {NAMESPACE}/{PLUGIN}" in result.stdout
    assert "replaced: DaemonSet" in result.stdout


def test_a_cluster_that_does_not_answer_is_one_sentence(planner: Planner, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.write_text(
        planner.product.plane.kubeconfig.read_text().replace(planner.product.plane.url, "https://127.0.0.1:9")
    )

    result = CliRunner().invoke(app, planner.arguments(whole(), kubeconfig=away))

    assert result.exit_code == 2
    assert result.stderr.startswith("nicfleet: cannot list nicclusterpolicies: the API server does not answer")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["full", "nv-ipam", "global"])
def test_whatever_the_coordinator_has_applied_leaves_nothing_to_do(
    product: Product, planner: Planner, name: str
) -> None:
    """CRDs, claims, webhooks and roles: what the API server stores otherwise than it was sent is no change."""
    wanted = policy(names.POLICY_NAME, example(name))
    plan = planner(wanted, expect=1)
    assert plan["problems"] == []

    product.audit.mark()
    product.plane.apply(wanted)
    eventually(lambda: planner(wanted, expect=0))

    moved = {name for name, change in moving(plan).items() if change != "none"}
    assert eventually(lambda: {name for _, name in written(product)} == {name for _, name in moved})
    assert [each for each in planner(wanted, expect=0)["objects"] if each["change"] != "none"] == []


def test_none_of_these_plans_wrote_anything(planner: Planner) -> None:
    """Also when this test runs alone: it plans something that would be written."""
    planner(whole(rdmaSharedDevicePlugin={"version": "v10"}), expect=1)

    writes = eventually(lambda: [event for event in planner.requests() if event["verb"] in _WRITES])

    assert [event["requestURI"] for event in writes if "dryRun=All" not in event["requestURI"]] == []


def _lines(plan: dict[str, Any]) -> list[str]:
    """The lines of all diffs that change something."""
    return [line for each in plan["objects"] for line in each["diff"].splitlines() if line[:1] in ("-", "+")]


def _pod(name: str, node: str, requests: dict[str, str]) -> dict[str, Any]:
    """A pod of some user that holds a NIC."""
    resources = {"requests": requests, "limits": requests}
    container = {"name": "main", "image": "registry.example/user", "resources": resources}
    spec = {"nodeSelector": {"kubernetes.io/hostname": node}, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}
