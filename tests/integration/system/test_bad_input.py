"""What users get wrong: each ends in one clear sentence where they look, and everything else goes on."""

import copy
import json
from typing import Any

import pytest

from nicfleet import names
from nicfleet.reasons import Reason
from tests.integration.system.fleet import WITH_DRIVER
from tests.integration.system.processes import Coordinator
from tests.integration.system.product import DEPLOY, Product, account, example, policy, sections
from tests.integration.system.waiting import eventually

PLUGIN = "state-RDMA-device-plugin"


@pytest.fixture(scope="module", autouse=True)
def _running(product: Product) -> None:
    product.register("node")
    product.coordinator.start()
    product.simulated.report("node", WITH_DRIVER)


@pytest.fixture(autouse=True)
def _ready(product: Product, _running: None) -> None:
    product.apply(**sections("ofedDriver", "rdmaSharedDevicePlugin"))
    product.wait_ready()


def test_a_policy_of_another_name_is_ignored_and_told_so(product: Product) -> None:
    product.apply_named("second", **example())

    status = eventually(lambda: product.api.status("second"))

    assert status["state"] == "ignore"
    assert names.POLICY_NAME in status["reason"]
    eventually(lambda: "second" in product.api.told(Reason.PolicyIgnored))
    assert product.api.status()["state"] == "ready"
    product.plane.kubectl("delete", "nicclusterpolicy", "second")


@pytest.mark.parametrize(
    ("section", "changed", "words"),
    [
        pytest.param(
            "rdmaSharedDevicePlugin",
            {"config": '{"configList": [,]}'},
            ["spec.rdmaSharedDevicePlugin.config", "line 1", "column 17"],
            id="invalid-json",
        ),
        pytest.param(
            "rdmaSharedDevicePlugin",
            {"version": "not a tag"},
            ["spec.rdmaSharedDevicePlugin", "not a tag"],
            id="version",
        ),
        pytest.param(
            "rdmaSharedDevicePlugin", {"image": "UPPER case"}, ["spec.rdmaSharedDevicePlugin", "UPPER case"], id="image"
        ),
    ],
)
def test_an_impossible_value_is_an_error_of_its_state_only(
    product: Product, section: str, changed: dict[str, Any], words: list[str]
) -> None:
    """Behaviours 35 and 48: with the field's path; the objects that run stay as they are."""
    wanted = copy.deepcopy(sections("ofedDriver", "rdmaSharedDevicePlugin"))
    wanted[section] |= changed
    product.audit.mark()

    product.apply(**wanted)

    state = eventually(lambda: _in_error(product))
    for word in words:
        assert word in state["message"]
    assert product.api.state("state-OFED")["state"] == "ready"
    assert product.api.condition("Ready")["reason"] == Reason.InvalidSpec
    assert product.audit.objects() == []


def test_an_unknown_field_is_refused_by_the_api_server(product: Product) -> None:
    body = json.dumps(policy(names.POLICY_NAME, {"ofedDrivers": {}}))

    said = product.plane.kubectl("apply", "--validate=strict", "-f", "-", input=body, check=False)

    assert 'unknown field "spec.ofedDrivers"' in said


def test_an_object_of_the_wanted_name_that_is_somebody_elses_is_left_alone(product: Product) -> None:
    """Behaviour 30: named with its owner and the way out; when it is gone, the state heals by itself."""
    product.apply(**sections("ofedDriver"))
    eventually(lambda: product.api.state(PLUGIN)["state"] == "ignore")
    theirs = _config_map("rdma-devices", {"theirs": "1"})
    product.plane.kubectl("create", "-f", "-", input=json.dumps(theirs))

    product.apply(**sections("ofedDriver", "rdmaSharedDevicePlugin"))

    state = eventually(lambda: _in_error(product))
    assert "ConfigMap" in state["message"]
    assert "rdma-devices" in state["message"]
    assert "kubectl delete configmap" in state["message"]
    assert product.api.condition("Ready")["reason"] == Reason.ObjectConflict
    assert product.api.state("state-OFED")["state"] == "ready"
    path = f"/api/v1/namespaces/{names.DEFAULT_NAMESPACE}/configmaps/rdma-devices"
    assert product.api.get(path)["data"] == theirs["data"]

    product.plane.kubectl("delete", "configmap", "rdma-devices", f"--namespace={names.DEFAULT_NAMESPACE}")
    eventually(lambda: product.api.state(PLUGIN)["state"] == "ready")


def test_without_its_crd_the_coordinator_does_not_start_and_says_how_to_install_it(product: Product) -> None:
    """Behaviour 56."""
    product.coordinator.kill()
    product.plane.remove("-f", str(DEPLOY / "crds"))
    try:
        late = Coordinator(account(product.plane), product.folder / "without-crd")
        late.process.log.parent.mkdir()
        late.process.start()

        eventually(lambda: late.process.pid is None)

        last = late.log()[-1]["message"]
        assert last.startswith("nicfleet-coordinator: CustomResourceDefinition nicclusterpolicies.mellanox.com")
        assert "kubectl apply" in last
    finally:
        product.plane.install(DEPLOY / "crds")


def _in_error(product: Product) -> dict[str, str] | None:
    state = product.api.state(PLUGIN)
    return state if state["state"] == "error" else None


def _config_map(name: str, data: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": names.DEFAULT_NAMESPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
