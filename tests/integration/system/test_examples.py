"""Every example and every old file, from apply to ready: agents without machines report what the file needs."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from coordinator.labels.wait import driver_version
from nicfleet import names
from nicfleet.inventory import Inventory
from nicfleet.reasons import Reason
from tests.integration.system.api import NODE_POLICIES, POLICIES
from tests.integration.system.product import EXAMPLES, Product
from tests.integration.system.waiting import eventually
from tests.unit.coordinator.inventories import connectx6dx, inventory, ofed, port, rdma, virtual_function

OLD = Path(__file__).parents[2] / "yaml"

Document = Mapping[str, Any]

ETHERNET, INFINIBAND = "ethernet", "infiniband"
LABELS = {
    ETHERNET: {"example.com/nics": "training", "node-role.kubernetes.io/gpu": ""},
    INFINIBAND: {"example.com/nics": "storage", "node-role.kubernetes.io/storage": ""},
}
"""The nodes, with the labels that the files choose nodes by."""

RESOURCES = ("rdma/rdma_shared_device_a", "rdma/rdma_shared_device_ib", "nvidia.com/hostdev", "nvidia.com/gpu")
SETTINGS = ("global", "nodeAffinity", "tolerations", "deploymentNodeAffinity", "deploymentTolerations", "nodeSelector")
"""Sections of a policy that are no component."""

DROPPED = {
    "devicePlugin": "state-RDMA-device-plugin",
    "nvPeerDriver": "state-NV-Peer",
    "psp": "state-pod-security-policy",
}
"""Sections that do nothing any more, and the state that says so."""

REFUSED = OLD / "old/ib-kubernetes-without-a-range.yaml"


def documents(path: Path) -> list[Document]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def policies(path: Path) -> list[Document]:
    return [document for document in documents(path) if document["kind"] in ("NicClusterPolicy", "NicNodePolicy")]


def with_policies(*folders: Path) -> list[Path]:
    """The files with policies; those of a folder's stack are tested with the rest of it."""
    found = (path for folder in folders for path in sorted(folder.glob("*.yaml")))
    return [path for path in found if policies(path) and path != REFUSED]


def name_of(path: Path) -> str:
    return "/".join(path.parts[-2:])


def ethernet(version: str) -> Inventory:
    """A ConnectX-5, and a ConnectX-6 Dx with a VF."""
    functions = (
        connectx6dx(device=0x1017, model="ConnectX-5", netdevs=(port("ens2f0"),)),
        connectx6dx("0000:5e:00.0", netdevs=(port("ens3f0np0"),), rdma_devices=(rdma("mlx5_1"),)),
        virtual_function("0000:5e:00.2", netdevs=(port("ens3f0v0"),), rdma_devices=(rdma("mlx5_2"),)),
    )
    return inventory(*functions, driver=ofed(version))


def infiniband(version: str) -> Inventory:
    """A ConnectX-6 with an InfiniBand port."""
    netdev = port("ibs3f1", link_type="infiniband")
    function = connectx6dx(
        device=0x101B, model="ConnectX-6", netdevs=(netdev,), rdma_devices=(rdma(link_layers=("InfiniBand",)),)
    )
    return inventory(function, driver=ofed(version))


BUILD = {ETHERNET: ethernet, INFINIBAND: infiniband}


@pytest.fixture(scope="module", autouse=True)
def _nodes(product: Product) -> Iterator[None]:
    """Two nodes that offer what the examples' pods ask for, and a volume for firmware files."""
    for node, labels in LABELS.items():
        product.register(node, labels=labels)
        patch = yaml.safe_dump({"status": {"allocatable": dict.fromkeys(RESOURCES, "100")}})
        eventually(lambda: product.plane.get("node", node)["status"].get("allocatable"))  # noqa: B023 — awaited at once
        product.plane.kubectl("patch", "node", node, "--subresource=status", f"--patch={patch}")
    product.plane.apply(*FIRMWARE_VOLUME)
    product.coordinator.start()
    yield
    product.plane.kubectl("delete", "pvc", "--all", f"--namespace={names.DEFAULT_NAMESPACE}", "--wait=false")
    for volume in FIRMWARE_VOLUME:
        product.plane.kubectl("delete", volume["kind"], volume["metadata"]["name"], "--wait=false")


FIRMWARE_VOLUME: list[dict[str, Any]] = [
    {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "nic-fw-storage-class"},
        "provisioner": "kubernetes.io/no-provisioner",
    },
    {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "nic-firmware"},
        "spec": {
            "storageClassName": "nic-fw-storage-class",
            "accessModes": ["ReadWriteMany"],
            "capacity": {"storage": "1Gi"},
            "hostPath": {"path": "/nic-firmware"},
        },
    },
]


def apply(product: Product, path: Path) -> None:
    """What a user does, after any policy that is not in the file is gone; then the nodes have the driver asked for."""
    wanted = {(document["kind"], document["metadata"]["name"]) for document in policies(path)}
    for collection in (POLICIES, NODE_POLICIES):
        for found in product.api.items(collection):
            if (found["kind"], found["metadata"]["name"]) not in wanted:
                product.plane.kubectl("delete", found["kind"], found["metadata"]["name"])
    product.plane.kubectl("apply", "--validate=strict", "-f", str(path))
    for node, build in BUILD.items():
        version = next((version for document in policies(path) if (version := driver_on(node, document))), None)
        product.simulated.report(node, build(version or "24.10-0.7.0"))


def driver_on(node: str, policy: Document) -> str | None:
    """The version that a policy asks for on a node, as its loaded driver calls it."""
    spec = policy["spec"]
    if "ofedDriver" not in spec or not spec.get("nodeSelector", {}).items() <= LABELS[node].items():
        return None
    return driver_version(spec["ofedDriver"]["version"])


def stored(product: Product, policy: Document) -> dict[str, Any]:
    """A policy as it is on the API server."""
    collection = POLICIES if policy["kind"] == "NicClusterPolicy" else NODE_POLICIES
    return product.api.policy(policy["metadata"]["name"], collection)


def wait_ready(product: Product, policy: Document) -> dict[str, Any]:
    """The status when it is ready. Driver pods of an earlier file are replaced on the way, as its message asks."""

    def ready() -> dict[str, Any]:
        found = stored(product, policy)
        status: dict[str, Any] = found["status"]
        (condition,) = (condition for condition in status["conditions"] if condition["type"] == "Ready")
        if condition["reason"] == Reason.DriverPodsOutdated:
            label = names.OFED_DRIVER_LABEL
            product.plane.kubectl("delete", "pods", "-l", label, f"--namespace={names.DEFAULT_NAMESPACE}")
        assert condition["observedGeneration"] == found["metadata"]["generation"]
        assert condition["status"] == "True", condition
        return status

    return eventually(ready, within=120)


def components(policy: Document) -> list[str]:
    """The sections of a policy that make something."""
    spec = {key: value for key, value in policy["spec"].items() if value is not None}
    single = [key for key in spec if key not in (*SETTINGS, *DROPPED, "secondaryNetwork")]
    return single + [key for key, value in spec.get("secondaryNetwork", {}).items() if value is not None]


@pytest.mark.parametrize(
    "path", with_policies(EXAMPLES, *(OLD / age for age in ("v23", "current", "samples", "docs", "old"))), ids=name_of
)
def test_a_policy_becomes_ready_with_every_component_it_names(product: Product, path: Path) -> None:
    apply(product, path)

    for policy in policies(path):
        found = wait_ready(product, policy)

        states = {state["name"]: state for state in found["appliedStates"]}
        ready = [name for name, state in states.items() if state["state"] == "ready"]
        assert found["state"] == "ready"
        assert len(states) == len(found["appliedStates"])
        assert len(ready) == len(components(policy))
        assert {state["state"] for name, state in states.items() if name not in ready} <= {"ignore"}
        for section, name in DROPPED.items():
            if section in policy["spec"]:
                assert states[name]["state"] == "ignore"
                assert f"spec.{section}" in states[name]["message"]


def test_what_an_old_file_lacks_is_named(product: Product) -> None:
    """The API server takes it, as old releases did; the component cannot work without."""
    apply(product, REFUSED)
    (policy,) = policies(REFUSED)

    state = eventually(lambda: _state(stored(product, policy)["status"], "state-ib-kubernetes", "error"))

    assert "spec.ibKubernetes.pKeyGUIDPoolRangeStart" in state["message"]


@pytest.mark.parametrize(
    "stack", [("rdma-shared", "gpudirect"), ("sriov-host-device",), ("ipoib",)], ids=lambda s: s[-1]
)
def test_a_stack_works_file_by_file(product: Product, stack: tuple[str, ...]) -> None:
    """In the order of the names: the kinds of the later files come with the policy."""
    first, *rest = [path for folder in stack for path in sorted((EXAMPLES / folder).glob("*.yaml"))]
    rest = [path for path in rest if path.name != "20-pod-static.yaml"]
    apply(product, first)
    for policy in policies(first):
        wait_ready(product, policy)

    for path in rest:
        product.plane.kubectl("apply", "--validate=strict", "-f", str(path))

    try:
        made = [document for path in rest for document in documents(path)]
        for document in made:
            _becomes_ready(product, document)
        assert {"IPPool", "Pod"} < {document["kind"] for document in made}
    finally:
        for path in reversed(rest):
            product.plane.kubectl("delete", "-f", str(path), "--grace-period=0", "--force", "--ignore-not-found")


@pytest.mark.parametrize(
    "path",
    [path for path in sorted([*EXAMPLES.glob("*.yaml"), *OLD.rglob("*.yaml")]) if "network" in path.name],
    ids=name_of,
)
def test_a_network_becomes_ready(product: Product, path: Path) -> None:
    product.plane.kubectl("apply", "--validate=strict", "-f", str(path))
    try:
        for document in documents(path):
            _becomes_ready(product, document)
    finally:
        product.plane.kubectl("delete", "-f", str(path))


def _becomes_ready(product: Product, document: Document) -> None:
    kind, name = document["kind"], document["metadata"]["name"]
    if kind == "Pod":
        product.plane.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=120s")
    elif kind.endswith("Network"):
        product.plane.kubectl("wait", "--for=jsonpath={.status.state}=ready", f"{kind}/{name}", "--timeout=120s")
        namespace = document["spec"]["networkNamespace"]
        config = product.plane.get("net-attach-def", name, f"--namespace={namespace}")["spec"]["config"]
        assert name in config


def _state(found: Mapping[str, Any], name: str, level: str) -> dict[str, str] | None:
    state: dict[str, str] = next(state for state in found["appliedStates"] if state["name"] == name)
    return state if state["state"] == level else None
