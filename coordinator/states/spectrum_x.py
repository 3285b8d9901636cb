"""state-spectrum-x-operator: the flow controller of Spectrum-X, on every node with a NIC."""

from collections.abc import Iterator
from typing import Final

from coordinator.policy import ImageSpec, InvalidSpec, NicClusterPolicySpec
from coordinator.policy.invalid import caught
from coordinator.states import common
from coordinator.states.cluster import Cluster
from coordinator.states.images import DIGEST_PREFIX, image_reference
from coordinator.states.state import State, Values

FIELD: Final = "spec.spectrumXOperator"
XPLANE: Final = f"{FIELD}.xPlane"


def _values(spec: NicClusterPolicySpec, cluster: Cluster) -> Values | None:
    operator = spec.spectrum_x_operator
    if operator is None:
        return None
    x_plane = operator.x_plane
    problems = caught(lambda: _xplane_env(x_plane)) if x_plane else ()
    return common.component_values(FIELD, operator, spec, cluster, {"spectrum-x-flowcontroller": {}}, problems) | {
        "tolerations": common.daemonset_tolerations(spec),
        "affinity": common.daemonset_affinity(spec),
        "xplane_env": _xplane_env(x_plane) if x_plane else [],
    }


def _xplane_env(xplane: ImageSpec) -> list[dict[str, str]]:
    """The image that the flow controller itself starts, and only it: `spec.global` does not count."""
    if not xplane.version:
        return []
    if not xplane.repository:
        raise InvalidSpec(f"{XPLANE}.repository", "is missing", "set it; spec.global is not used for this image")
    if xplane.version.startswith(DIGEST_PREFIX):
        raise InvalidSpec(f"{XPLANE}.version", "is a digest", "give a tag, as the flow controller reads nothing else")
    image_reference(XPLANE, xplane, NicClusterPolicySpec())
    secrets = ",".join(dict.fromkeys(xplane.image_pull_secrets))
    return [
        {"name": "XPLANE_REPOSITORY", "value": xplane.repository},
        {"name": "XPLANE_IMAGE", "value": xplane.image},
        {"name": "XPLANE_VERSION", "value": xplane.version},
        {"name": "IMAGE_PULL_SECRETS"} | ({"value": secrets} if secrets else {}),
    ]


def _caveats(spec: NicClusterPolicySpec, _: Cluster) -> tuple[str, ...]:
    return tuple(_without_effect(spec))


def _without_effect(spec: NicClusterPolicySpec) -> Iterator[str]:
    operator = spec.spectrum_x_operator
    if operator is None:
        return
    if operator.spectrum_x_config is not None:
        yield f"{FIELD}.spectrumXConfig has no effect since 25.7: make SpectrumXRailPoolConfig objects"
    if operator.sriov_obj_namespace is not None:
        yield f"{FIELD}.sriovObjNamespace has no effect since 25.7: remove it"
    if operator.x_plane is not None and not operator.x_plane.version:
        yield f"{XPLANE} has no effect without version: set it, as spec.global is not used for this image"
    if operator.x_plane is not None and operator.x_plane.container_resources:
        yield f"{XPLANE}.containerResources has no effect: the flow controller decides what that container may use"


STATE: Final = State(
    "state-spectrum-x-operator",
    "SpectrumXOperatorReady",
    "spectrum-x-operator",
    per_node=False,
    field=FIELD,
    values=_values,
    caveats=_caveats,
)
