"""state-nic-configuration-operator: sets firmware options and versions of NICs; a controller, and a daemon on nodes."""

from collections.abc import Iterable
from typing import Any, Final

from coordinator.policy import ImageSpec, NicClusterPolicySpec
from coordinator.policy.components import NicConfigurationOperator
from coordinator.policy.invalid import caught, refuse
from coordinator.states import common
from coordinator.states.cluster import Cluster
from coordinator.states.images import image_reference, pull_secrets
from coordinator.states.state import State, Values

FIELD: Final = "spec.nicConfigurationOperator"
OPERATOR: Final = f"{FIELD}.operator"
DAEMON: Final = f"{FIELD}.configurationDaemon"

CONTROLLER: Final = "manager"
RESOURCES: Final[dict[str, common.Resources]] = {
    CONTROLLER: {
        "requests": {"cpu": "100m", "memory": "256Mi"},
        "limits": {"cpu": "1000m", "memory": "5Gi"},
    },
    "nic-configuration-daemon": {
        "requests": {"cpu": "100m", "memory": "512Mi"},
        "limits": {"memory": "5Gi"},
    },
}
UPSTREAMS_CONTROLLER: Final = "nic-configuration-operator"
"""Upstream's name for the controller's container in `containerResources`, and nowhere else."""


def _values(spec: NicClusterPolicySpec, cluster: Cluster) -> Values | None:
    section = spec.nic_configuration_operator
    if section is None:
        return None
    refuse(
        caught(
            lambda: image_reference(OPERATOR, section.operator, spec),
            lambda: image_reference(DAEMON, section.configuration_daemon, spec),
            lambda: common.resources(OPERATOR, _renamed(section.operator), RESOURCES),
            lambda: common.resources(DAEMON, _renamed(section.configuration_daemon), RESOURCES),
        )
    )
    log_level = {"name": "LOG_LEVEL", "value": section.log_level}
    node, namespace = _of_pod("NODE_NAME", "spec.nodeName"), _of_pod("NAMESPACE", "metadata.namespace")
    built_in = (*common.CONTROL_PLANE_TOLERATIONS, common.GPU_TOLERATION)
    return {
        "namespace": cluster.namespace,
        "openshift": cluster.openshift is not None,
        "image": image_reference(OPERATOR, section.operator, spec),
        "pull_secrets": pull_secrets(section.operator, spec),
        "env": _env(section, [log_level]),
        "daemon_image": image_reference(DAEMON, section.configuration_daemon, spec),
        "daemon_pull_secrets": pull_secrets(section.configuration_daemon, spec),
        "daemon_env": _env(section, [node, namespace, log_level]),
        "resources": _resources(section),
        "tolerations": common.daemonset_tolerations(spec),
        "affinity": common.daemonset_affinity(spec),
        "deployment_tolerations": common.deployment_tolerations(spec, built_in),
        "deployment_affinity": common.deployment_affinity(spec),
        "storage": section.nic_firmware_storage,
    }


def _resources(section: NicConfigurationOperator) -> dict[str, common.Resources]:
    """Either image's entries may name either container."""
    chosen = common.resources(OPERATOR, _renamed(section.operator), RESOURCES)
    return common.resources(DAEMON, _renamed(section.configuration_daemon), chosen)


def _renamed(image: ImageSpec) -> ImageSpec:
    """The image with the controller's container under its own name."""
    entries = tuple(
        entry.model_copy(update={"name": CONTROLLER}) if entry.name == UPSTREAMS_CONTROLLER else entry
        for entry in image.container_resources or ()
    )
    return image.model_copy(update={"container_resources": entries})


def _of_pod(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _env(section: NicConfigurationOperator, built_in: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The built-in variables that the user does not set, then the user's, the last of one name."""
    own = {variable.name: common.as_json(variable) for variable in section.env or ()}
    return [*(variable for variable in built_in if variable["name"] not in own), *own.values()]


STATE: Final = State(
    "state-nic-configuration-operator",
    "NICConfigurationOperatorReady",
    "nic-configuration-operator",
    per_node=False,
    field=FIELD,
    values=_values,
)
