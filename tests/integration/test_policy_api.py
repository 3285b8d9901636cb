"""The policy API and the objects made from it, before the real API server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from coordinator.crd import KINDS
from tests.controlplane.cluster import ControlPlane

ROOT = Path(__file__).parents[2]
OUTPUTS = [
    path for path in sorted((ROOT / "tests/unit/golden").glob("*/*.output.yaml")) if path.read_text().startswith("---")
]
NAMESPACES = ("nvidia-network-operator", "nic")
HOSTILE = "hostile-text"
"""Golden cases with values that no cluster takes: what counts is that they stay values."""


@pytest.fixture(scope="module")
def api(cluster: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane with our CRDs, the kinds of cert-manager that are used, and the golden cases' namespaces."""
    cluster.install(ROOT / "deploy/crds")
    cluster.apply(*({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in NAMESPACES))
    cluster.serve(*(foreign_kind("cert-manager.io", "v1", kind) for kind in ("Issuer", "Certificate")))
    yield cluster
    cluster.remove("crd", "issuers.cert-manager.io", "certificates.cert-manager.io")
    cluster.remove("-f", str(ROOT / "deploy/crds"))


def foreign_kind(group: str, version: str, kind: str) -> dict[str, Any]:
    """A CRD of another project, without its schema."""
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": kind, "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [served]},
    }


@pytest.fixture
def policy(api: ControlPlane) -> Iterator[str]:
    """A policy that nobody serves, gone after the test."""
    name = "policy-api-test"
    api.apply(
        {
            "apiVersion": "mellanox.com/v1alpha1",
            "kind": "NicClusterPolicy",
            "metadata": {"name": name},
            "spec": {"ofedDriver": {"image": "doca-driver", "upgradePolicy": {"drain": {}}}},
        }
    )
    yield name
    api.kubectl("delete", "nicclusterpolicy", name)


def test_the_schema_is_structural(api: ControlPlane) -> None:
    for kind in KINDS:
        conditions = api.get("crd", f"{kind.plural}.mellanox.com")["status"]["conditions"]
        assert "NonStructuralSchema" not in {condition["type"] for condition in conditions}


def told(api: ControlPlane, kind: str, spec: dict[str, Any]) -> str:
    """What kubectl says to an object with this spec."""
    body = {"apiVersion": "mellanox.com/v1alpha1", "kind": kind, "metadata": {"name": "refused"}, "spec": spec}
    return api.kubectl("apply", "--dry-run=server", "-f", "-", input=json.dumps(body), check=False)


def image(**fields: Any) -> dict[str, Any]:
    return {"image": "doca-driver", **fields}


def driver(**fields: Any) -> dict[str, Any]:
    return {"ofedDriver": image(**fields)}


def resources(**entry: Any) -> dict[str, Any]:
    return driver(containerResources=[entry])


def configuration(**fields: Any) -> dict[str, Any]:
    return {"nicConfigurationOperator": {"operator": image(), "configurationDaemon": image(), **fields}}


def storage(**fields: Any) -> dict[str, Any]:
    return configuration(nicFirmwareStorage=fields)


POLICY, NODES, MACVLAN = "NicClusterPolicy", "NicNodePolicy", "MacvlanNetwork"
STORAGE = "spec.nicConfigurationOperator.nicFirmwareStorage"

REFUSALS = {
    "section": (POLICY, {"ofedDrivers": {}}, 'unknown field "spec.ofedDrivers"'),
    "section-of-the-other-kind": (NODES, {"nvIpam": image()}, 'unknown field "spec.nvIpam"'),
    "no-image": (POLICY, {"ofedDriver": {}}, "spec.ofedDriver.image: Required value"),
    "image": (
        POLICY,
        driver(image="___"),
        "spec.ofedDriver.image: Invalid value: \"___\": spec.ofedDriver.image in body should match '[a-zA-Z0-9\\-]+'",
    ),
    "repository": (
        POLICY,
        driver(repository=""),
        "spec.ofedDriver.repository in body should match '[a-zA-Z0-9\\.\\-\\/]+'",
    ),
    "version": (POLICY, driver(version=25.1), 'spec.ofedDriver.version in body must be of type string: "number"'),
    "probe-without-delay": (
        POLICY,
        driver(startupProbe={"periodSeconds": 1}),
        "spec.ofedDriver.startupProbe.initialDelaySeconds: Required value",
    ),
    "probe-without-period": (
        POLICY,
        driver(livenessProbe={"initialDelaySeconds": 1}),
        "spec.ofedDriver.livenessProbe.periodSeconds: Required value",
    ),
    "grace-period": (
        POLICY,
        driver(terminationGracePeriodSeconds=-1),
        "spec.ofedDriver.terminationGracePeriodSeconds in body should be greater than or equal to 0",
    ),
    "grace-period-of-some-nodes": (
        NODES,
        driver(terminationGracePeriodSeconds=-1),
        "spec.ofedDriver.terminationGracePeriodSeconds in body should be greater than or equal to 0",
    ),
    "parallel-upgrades": (
        POLICY,
        driver(upgradePolicy={"maxParallelUpgrades": -1}),
        "spec.ofedDriver.upgradePolicy.maxParallelUpgrades in body should be greater than or equal to 0",
    ),
    "drain-timeout": (
        POLICY,
        driver(upgradePolicy={"drain": {"timeoutSeconds": -1}}),
        "spec.ofedDriver.upgradePolicy.drain.timeoutSeconds in body should be greater than or equal to 0",
    ),
    "wait-timeout": (
        POLICY,
        driver(upgradePolicy={"waitForCompletion": {"timeoutSeconds": -1}}),
        "spec.ofedDriver.upgradePolicy.waitForCompletion.timeoutSeconds in body should be greater than or equal to 0",
    ),
    "flag": (
        POLICY,
        driver(forcePrecompiled="yes"),
        'spec.ofedDriver.forcePrecompiled in body must be of type boolean: "string"',
    ),
    "resources-of-no-container": (
        POLICY,
        resources(requests={"cpu": "1"}),
        "spec.ofedDriver.containerResources[0].name: Required value",
    ),
    "quantity": (
        POLICY,
        resources(name="mofed-container", requests={"cpu": "many"}),
        'spec.ofedDriver.containerResources[0].requests.cpu: Invalid value: "many"',
    ),
    "fraction-without-quotes": (
        POLICY,
        resources(name="mofed-container", limits={"cpu": 0.5}),
        'spec.ofedDriver.containerResources[0].limits.cpu in body must be of type integer,string: "number"',
    ),
    "update-period": (
        POLICY,
        {"ibKubernetes": image(periodicUpdateSeconds=-1)},
        "spec.ibKubernetes.periodicUpdateSeconds in body should be greater than or equal to 0",
    ),
    "one-image-of-two": (
        POLICY,
        {"nicConfigurationOperator": {"operator": image()}},
        "spec.nicConfigurationOperator.configurationDaemon: Required value",
    ),
    "log-level": (
        POLICY,
        configuration(logLevel="trace"),
        'spec.nicConfigurationOperator.logLevel: Unsupported value: "trace": supported values: "info", "debug"',
    ),
    "no-claim-name": (POLICY, storage(pvcName=""), f"{STORAGE}.pvcName in body should be at least 1 chars long"),
    "claim-name": (
        POLICY,
        storage(pvcName="Fw.Storage"),
        f"{STORAGE}.pvcName in body should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'",
    ),
    "storage-class": (
        POLICY,
        storage(storageClassName="a" * 254),
        f"{STORAGE}.storageClassName: Too long: may not be more than 253 bytes",
    ),
    "storage-size": (
        POLICY,
        storage(availableStorageSize="1G"),
        f"{STORAGE}.availableStorageSize in body should match '^(\\d+)(Ei|Pi|Ti|Gi|Mi|Ki)$'",
    ),
    "node-label": (NODES, {"nodeSelector": {"gpu": True}}, "spec.nodeSelector.gpu in body must be of type string"),
    "mode": (
        MACVLAN,
        {"mode": "tunnel"},
        'spec.mode: Unsupported value: "tunnel": supported values: "bridge", "private", "vepa", "passthru"',
    ),
    "mtu": (MACVLAN, {"mtu": -1}, "spec.mtu in body should be greater than or equal to 0"),
    "ipam-that-is-no-text": (MACVLAN, {"ipam": {"type": "static"}}, 'unknown field "spec.ipam.type"'),
}


@pytest.mark.parametrize(("kind", "spec", "why"), REFUSALS.values(), ids=REFUSALS)
def test_the_api_server_refuses_what_nothing_can_be_done_with(
    api: ControlPlane, kind: str, spec: dict[str, Any], why: str
) -> None:
    """Field and reason are in what `kubectl apply` says, also where no admission webhook runs."""
    assert why in told(api, kind, spec)


def test_a_storage_class_may_have_dots_in_its_name(api: ControlPlane) -> None:
    """Upstream's schema refuses it, and Kubernetes does not."""
    assert "created" in told(api, POLICY, storage(storageClassName="rook-ceph.block"))


@pytest.mark.parametrize(
    ("field", "other"), [("storageClassName", "other-class"), ("availableStorageSize", "2Gi")], ids=lambda value: value
)
def test_firmware_storage_changes_only_by_making_it_anew(
    api: ControlPlane, policy: str, field: str, other: str
) -> None:
    def patch(section: dict[str, Any] | None) -> str:
        spec = {"spec": configuration(nicFirmwareStorage=section)}
        return api.kubectl("patch", "ncp", policy, "--type=merge", f"--patch={json.dumps(spec)}", check=False)

    assert "patched" in patch({"storageClassName": "one-class"})  # the size is set by default

    said = patch({field: other})

    assert f"{field} is immutable once set: remove nicFirmwareStorage and add it again with the new value" in said
    assert "patched" in patch(None)
    assert "patched" in patch({field: other})


@pytest.mark.parametrize(
    ("kind", "status", "why"),
    [
        pytest.param("ncp", {"appliedStates": []}, "status.state: Required value", id="policy-without-state"),
        pytest.param("ncp", {"state": "fine"}, 'status.state: Unsupported value: "fine"', id="state-of-policy"),
        pytest.param(
            "ncp",
            {"state": "ready", "appliedStates": [{"name": "state-OFED", "state": "fine"}]},
            'status.appliedStates[0].state: Unsupported value: "fine"',
            id="state-of-component",
        ),
        pytest.param(
            "ncp",
            {"state": "ready", "conditions": [{"type": "Ready"}]},
            "status.conditions[0].lastTransitionTime: Required value",
            id="condition-without-time",
        ),
    ],
)
def test_a_status_is_checked_too(api: ControlPlane, policy: str, kind: str, status: dict[str, Any], why: str) -> None:
    patch = json.dumps({"status": status})
    said = api.kubectl("patch", kind, policy, "--subresource=status", "--type=merge", f"--patch={patch}", check=False)
    assert why in said


def test_defaults_are_filled_in_level_by_level(api: ControlPlane, policy: str) -> None:
    driver = api.get("nicclusterpolicy", policy)["spec"]["ofedDriver"]
    assert driver == {
        "image": "doca-driver",
        "imagePullSecrets": [],
        "terminationGracePeriodSeconds": 300,
        "forcePrecompiled": False,
        "upgradePolicy": {
            "autoUpgrade": False,
            "maxParallelUpgrades": 1,
            "safeLoad": False,
            "drain": {"enable": True, "force": False, "timeoutSeconds": 300, "deleteEmptyDir": False},
        },
    }


def test_columns_show_the_ready_conditions_reason(api: ControlPlane, policy: str) -> None:
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": "FleetSettling",
        "message": "Waiting for 3 nodes.",
        "lastTransitionTime": "2026-11-25T00:00:00Z",
        "observedGeneration": 1,
    }
    patch = json.dumps({"status": {"state": "notReady", "conditions": [condition]}})
    api.kubectl("patch", "nicclusterpolicy", policy, "--subresource=status", "--type=merge", f"--patch={patch}")
    head, row = api.kubectl("get", "ncp", policy, "-o", "wide").splitlines()
    assert head.split() == ["NAME", "STATUS", "AGE", "REASON", "MESSAGE"]
    assert "FleetSettling" in row
    assert row.endswith("Waiting for 3 nodes.")


def test_kubectl_explain_reads_well(api: ControlPlane) -> None:
    said = " ".join(api.kubectl("explain", "nicclusterpolicy.spec.ofedDriver.startupProbe").split())
    assert "the default allows 20 minutes for a build on the node" in said


@pytest.mark.parametrize("path", OUTPUTS, ids=lambda path: f"{path.parent.name}/{path.name.split('.')[0]}")
def test_desired_objects_are_accepted_by_server_side_apply(api: ControlPlane, path: Path) -> None:
    """As JSON, which is what the coordinator sends: YAML has more than one opinion on what is a number."""
    objects = list(yaml.safe_load_all(path.read_text()))

    said = api.kubectl(
        "apply", "--server-side", "--field-manager=nicfleet-objects", "--validate=strict", "--dry-run=server",
        "--filename=-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}), check=False,
    )  # fmt: skip

    if path.name.startswith(HOSTILE):
        assert "Invalid value" in said
        assert "unknown field" not in said
        assert "typed patch" not in said
    else:
        accepted = [line for line in said.splitlines() if line.endswith(" serverside-applied (server dry run)")]
        assert len(accepted) == len(objects), said
