"""Small desired objects, marked the way `coordinator.desired` marks them."""

import asyncio
import copy
import hashlib
import json
from typing import Any

from coordinator.kube.objects import Ref
from coordinator.objects.index import ObjectIndex
from nicfleet import names
from tests.controlplane.cluster import ControlPlane
from tests.integration.coordinator.background import eventually
from tests.integration.system import waiting

NAMESPACE = names.DEFAULT_NAMESPACE
STATE = "state-OFED"

Obj = dict[str, Any]


def marked(obj: dict[str, Any], policy: dict[str, Any], state: str = STATE) -> dict[str, Any]:
    obj = copy.deepcopy(obj)
    metadata = obj["metadata"]
    metadata["labels"] = {names.STATE_LABEL: state, **metadata.get("labels", {})}
    metadata["ownerReferences"] = [
        {
            "apiVersion": policy["apiVersion"],
            "kind": policy["kind"],
            "name": policy["metadata"]["name"],
            "uid": policy["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    digest = hashlib.sha256(json.dumps(obj, sort_keys=True).encode()).hexdigest()
    metadata["annotations"] = {names.HASH_ANNOTATION: digest[:16]}
    return obj


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": data,
    }


def daemonset(name: str, image: str = "example.com/driver:1", **selector: str) -> dict[str, Any]:
    """A DaemonSet for no node, with what makes ownership hard: keyed lists, defaulted keys, empty maps, sets."""
    labels = {"app": name, **selector}
    container = {
        "name": "driver",
        "image": image,
        "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "ports": [{"containerPort": 8080, "name": "http"}],
        "resources": {"requests": {"cpu": "1000m"}},
        "securityContext": {"privileged": True, "capabilities": {"add": ["SYS_ADMIN"]}},
        "volumeMounts": [{"name": "run", "mountPath": "/run/x", "mountPropagation": "Bidirectional"}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "OnDelete"},
            "template": {
                "metadata": {"labels": {**labels, names.OFED_DRIVER_LABEL: ""}},
                "spec": {
                    "nodeSelector": {"nicfleet.test/nowhere": "true"},
                    "hostNetwork": True,
                    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
                    "imagePullSecrets": [{"name": "pull"}],
                    "containers": [container],
                    "volumes": [{"name": "run", "emptyDir": {}}],
                },
            },
        },
    }


def cluster_role_binding(role: str) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "multus"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "multus", "namespace": NAMESPACE}],
    }


async def in_step(cluster: ControlPlane, index: ObjectIndex, ref: Ref) -> None:
    """Wait until controllers have done what they do with the object as it is now, and the index knows all of it.

    They write a status when they come to it: the index may have heard of that and not yet of what the test did then,
    or the object has another version by now than the index says, which is a Conflict.
    """
    inside = [f"--namespace={ref.namespace}"] if ref.namespace else []

    def settled() -> Obj | None:
        found: Obj = cluster.get(ref.resource.plural, ref.name, *inside)
        observed = (
            ref.kind != "DaemonSet" or found["status"].get("observedGeneration") == found["metadata"]["generation"]
        )
        return found if observed else None

    found = await asyncio.to_thread(waiting.eventually, settled)
    version = int(found["metadata"]["resourceVersion"])
    listed = names.STATE_LABEL in found["metadata"].get("labels", {})

    def known() -> bool:
        live = index.get(ref)
        return int(live.resource_version) >= version if live is not None else not listed

    await eventually(known)
