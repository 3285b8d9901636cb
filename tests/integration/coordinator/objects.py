"""Small desired objects, marked the way `coordinator.desired` marks them."""

import copy
import hashlib
import json
from typing import Any

from nicfleet import names

NAMESPACE = names.DEFAULT_NAMESPACE
STATE = "state-OFED"


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
