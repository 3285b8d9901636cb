"""What the states share: scheduling, resources and configuration text, each rule in one place."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from coordinator.policy import ImageSpec, InvalidSpec, NicClusterPolicySpec, NodeAffinity
from coordinator.policy.base import Model
from coordinator.policy.invalid import caught, refuse
from coordinator.policy.json_text import json_object
from coordinator.states import container_resources
from coordinator.states.cluster import Cluster
from coordinator.states.images import image_reference, pull_secrets
from nicfleet import names

Resources = Mapping[str, Mapping[str, str]]
"""A container's `resources`: requests and limits by resource name; empty for a container without a default."""

GPU_TOLERATION: Final = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
CONTROL_PLANE_TOLERATIONS: Final = (
    {"key": "node-role.kubernetes.io/master", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"},
)
DRIVER_LOADED: Final = {names.NIC_LABEL: "true", names.WAIT_LABEL: "false"}
"""Labels of the nodes with a NIC whose driver need not be waited for."""

_SUBDOMAIN: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_PREFERRED_NODES: Final = [
    {
        "weight": 1,
        "preference": {
            "matchExpressions": [{"key": f"node-role.kubernetes.io/{role}", "operator": "In", "values": [""]}]
        },
    }
    for role in ("master", "control-plane")
]


def as_json(model: Model) -> dict[str, Any]:
    """A model as the API server reads it: camelCase, absent fields left out."""
    return model.model_dump(by_alias=True, exclude_none=True)


def component_values(
    field: str,
    image: ImageSpec,
    spec: NicClusterPolicySpec,
    cluster: Cluster,
    defaults: Mapping[str, Resources],
    problems: Iterable[InvalidSpec] = (),
) -> dict[str, object]:
    """What the templates of every component use: namespace, image, pull secrets and resources by container.

    `defaults` names the component's containers with their default resources, `problems` are what the component itself
    finds wrong with its section. Raises InvalidSpec, with all that is wrong.
    """
    refuse((*problems, *caught(lambda: image_reference(field, image, spec), lambda: resources(field, image, defaults))))
    return {
        "namespace": cluster.namespace,
        "openshift": cluster.openshift is not None,
        "image": image_reference(field, image, spec),
        "pull_secrets": pull_secrets(image, spec),
        "resources": resources(field, image, defaults),
    }


def daemonset_tolerations(spec: NicClusterPolicySpec) -> list[dict[str, Any]]:
    """The policy's tolerations first, then the one for GPU nodes."""
    return [*map(as_json, spec.tolerations or ()), GPU_TOLERATION]


def daemonset_affinity(spec: NicClusterPolicySpec) -> dict[str, Any]:
    """The policy's node affinity; empty without one."""
    return _affinity(spec.node_affinity)


def node_selector(built_in: Mapping[str, str], cluster: Cluster) -> dict[str, str]:
    """The component's own labels and the policy's, which win over an equal key."""
    return {**built_in, **dict(sorted(cluster.scope.node_selector.items()))}


def deployment_tolerations(
    spec: NicClusterPolicySpec, built_in: Sequence[Mapping[str, str]]
) -> list[Mapping[str, Any]]:
    """The built-in tolerations first, then the policy's."""
    return [*built_in, *map(as_json, spec.deployment_tolerations or ())]


def deployment_affinity(spec: NicClusterPolicySpec) -> dict[str, Any]:
    """Control-plane nodes are preferred; the policy's preferences come after, and its required part counts."""
    own = as_json(spec.deployment_node_affinity) if spec.deployment_node_affinity else {}
    preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    return {"nodeAffinity": own | {preferred: [*_PREFERRED_NODES, *own.get(preferred, ())]}}


def plain_deployment_affinity(spec: NicClusterPolicySpec) -> dict[str, Any]:
    """Only what the policy says; empty without it."""
    return _affinity(spec.deployment_node_affinity)


def _affinity(affinity: NodeAffinity | None) -> dict[str, Any]:
    return {"nodeAffinity": as_json(affinity)} if affinity else {}


def resources(field: str, image: ImageSpec, defaults: Mapping[str, Resources]) -> dict[str, Resources]:
    """Resources by container: the user's entry whole, the last of several, else the default.

    Upstream drops all defaults of a component as soon as one container is named; we keep those of the others. Raises
    InvalidSpec, with all that is wrong with the entries.
    """
    refuse(container_resources.problems(field, image.container_resources or (), defaults))
    chosen: dict[str, Resources] = dict(defaults)
    for entry in image.container_resources or ():
        chosen[entry.name] = {key: value for key, value in as_json(entry).items() if key != "name"}
    return chosen


def config_hash(text: str) -> str:
    """Base64 of the SHA-256 of a configuration: on a pod template it rolls the pods when, and only when, it changes."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def data_hash(data: Mapping[str, str]) -> str:
    """The same of a whole ConfigMap's data."""
    return config_hash(json.dumps(data, sort_keys=True))


def name_problems(field: str, name: str, kind: str) -> Iterator[InvalidSpec]:
    """What keeps a name from being that of an object: the API server takes it in a pod, and nothing ever has it."""
    if _SUBDOMAIN.fullmatch(name) is None:
        yield InvalidSpec(
            field,
            f"is {name[:80]!r}, which no {kind} can have as its name",
            "use at most 253 lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit",
        )


def check_json_object(field: str, text: str) -> None:
    """Raise InvalidSpec unless the text is one JSON object, naming line, column and reason."""
    json_object(field, text)
