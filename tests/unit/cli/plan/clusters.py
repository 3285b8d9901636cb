"""Clusters for plans, as values: nodes with inventories, and what a coordinator has applied."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from cli.plan.census import Census, offline_node
from cli.plan.documents import Document, Given, completed, networks, policies
from cli.plan.outlook import Outlook, foresee
from cli.plan.seen import Seen
from cli.plan.told import Draft, draft
from coordinator.kube.errors import KubeError
from coordinator.kube.objects import Obj, Ref, ref_of
from coordinator.nodes import KubeNode, Taint
from coordinator.objects.render import Renderer
from coordinator.workloads import Pod
from coordinator.world import WORKLOADS
from nicfleet import names
from nicfleet.inventory import Inventory, NodeName
from tests.unit.coordinator.policies import TEMPLATES, cluster, image, rdma_config

RENDER = Renderer(TEMPLATES)
NAMESPACE = names.DEFAULT_NAMESPACE
UID = "7d1c0a4e-0000-4000-8000-000000000001"
VERSION = "24.10-0.7.0.0-0"
"""Of the driver that `inventories.ofed` has loaded."""


def document(kind: str = "NicClusterPolicy", name: str = names.POLICY_NAME, **spec: Any) -> Document:
    body = {"apiVersion": "mellanox.com/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    return Document("policy.yaml", body)


def driver(**changed: Any) -> dict[str, Any]:
    return image(version=VERSION) | changed


def plugin(resource: str = "shared", **changed: Any) -> dict[str, Any]:
    """The RDMA shared device plugin, with one resource for all NICs."""
    return image("k8s-rdma-shared-dev-plugin", version="v1.5.3", config=rdma_config(resource)) | changed


def given(*documents: Document) -> Given:
    return Given(documents)


def of_nodes(*inventories: Inventory, taints: Mapping[str, Taint] | None = None, **changed: Any) -> Seen:
    """A cluster of these machines, in which nothing has been applied. `taints` are by node."""
    known = taints or {}
    nodes = [offline_node(inventory) for inventory in inventories]
    tainted = [replace(node, taints=(known[node.name],)) if node.name in known else node for node in nodes]
    by_name = {str(inventory.node.name): inventory for inventory in inventories}
    return replace(Seen(cluster(), nodes=tuple(tainted), inventories=by_name), **changed)


def called(name: str, inventory: Inventory) -> Inventory:
    """The same machine under another name."""
    return replace(inventory, node=replace(inventory.node, name=NodeName(name)))


def outlooks(seen: Seen, *documents: Document) -> tuple[Outlook, Outlook]:
    """Without and with the documents."""
    census = Census(seen.nodes, seen.inventories, seen.silent, seen.mode)
    asked = given(*documents)
    before = foresee(seen, seen.policies, seen.networks, census, RENDER)
    return before, foresee(seen, policies(asked, seen.policies), networks(asked, seen.networks), census, RENDER)


def drafted(seen: Seen, *documents: Document, answers: Mapping[Ref, bytes | KubeError] | None = None) -> Draft:
    return draft(given(*documents), *outlooks(seen, *documents), seen, answers or {})


def applied(seen: Seen, *documents: Document) -> Seen:
    """The cluster once a coordinator has done all that these documents ask for: labels, objects and their pods."""
    there = [_there(each, number) for number, each in enumerate(documents)]
    known = replace(
        seen,
        server="https://api.example:6443",
        policies=tuple(body for each, body in zip(documents, there, strict=True) if not each.is_network),
        networks=tuple(body for each, body in zip(documents, there, strict=True) if each.is_network),
    )
    _, after = outlooks(known)
    nodes = tuple(_as_labelled(node, after) for node in known.nodes)
    labelled = replace(known, nodes=nodes)
    _, after = outlooks(labelled)
    objects = {wanted.ref: stored(wanted.obj) for wanted in after.wanted()}
    pods = tuple(_driver_pods(after))
    return replace(labelled, objects=objects, driver_pods=pods)


def stored(obj: Obj, *others: Mapping[str, Any], **metadata: Any) -> bytes:
    """An object as the API server keeps it after the coordinator's apply; `others` are further managedFields."""
    own = {
        "manager": names.OBJECTS_MANAGER,
        "operation": "Apply",
        "apiVersion": obj["apiVersion"],
        "fieldsType": "FieldsV1",
        "fieldsV1": fields_of(obj),
    }
    kept = {"uid": f"uid-{obj['metadata']['name']}", "resourceVersion": "1", "generation": 1}
    whole = {**obj, "metadata": {**obj["metadata"], **kept, "managedFields": [own, *others], **metadata}}
    if obj["kind"] in WORKLOADS:
        whole["status"] = {}
    return json.dumps(whole).encode()


def fields_of(obj: Obj) -> dict[str, Any]:
    """What an apply of an object owns, lists as a whole."""
    content = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "status")}
    content["metadata"] = {key: value for key, value in obj["metadata"].items() if key not in ("name", "namespace")}
    return {f"f:{key}": _tree(value) for key, value in content.items()}


def answers(seen: Seen, objects: Iterable[Obj]) -> dict[Ref, bytes | KubeError]:
    """What dry runs of these objects would say: that they are taken as they are."""
    return {ref_of(obj): stored(obj) for obj in objects}


def _tree(value: Any) -> dict[str, Any]:
    return {f"f:{key}": _tree(child) for key, child in value.items()} if isinstance(value, Mapping) else {}


def _there(each: Document, number: int) -> dict[str, Any]:
    body = dict(completed(each, None))
    given_by_server = {"uid": f"{UID[:-1]}{number + 1}", "creationTimestamp": f"2026-01-01T00:00:0{number}Z"}
    return {**body, "metadata": {**body["metadata"], **given_by_server, "resourceVersion": "1"}}


def _as_labelled(node: KubeNode, outlook: Outlook) -> KubeNode:
    labels = outlook.world.nodes[node.name].kube.labels
    return replace(node, labels=labels, owned=frozenset(key for key in labels if names.may_be_written(key)))


def _driver_pods(outlook: Outlook) -> Iterable[Pod]:
    for wanted in outlook.wanted():
        if wanted.state == "state-OFED" and wanted.obj["kind"] == "DaemonSet":
            template = wanted.obj["spec"]["template"]
            for node in outlook.places.of(template["spec"]).admitted:
                labels = template["metadata"]["labels"]
                yield Pod(NAMESPACE, f"{wanted.ref.name}-{node}", node, "Running", labels)
