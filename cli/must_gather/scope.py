"""What is collected, and what is left out of each object. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from coordinator.kube.objects import DEPLOYABLE, Resource
from coordinator.objects.served import ServedPolicy
from coordinator.policy import NicClusterPolicy, NicNodePolicy
from coordinator.surroundings import config_maps
from nicfleet.names import STATE_LABEL

Body = Mapping[str, Any]

PART_OF: Final = "app.kubernetes.io/part-of"
NAME: Final = "app.kubernetes.io/name"
PRODUCT: Final = "nicfleet"

CRD: Final = next(each for each in DEPLOYABLE if each.kind == "CustomResourceDefinition")
CONFIG_MAP: Final = next(each for each in DEPLOYABLE if each.kind == "ConfigMap")
CLUSTER_ROLE: Final = next(each for each in DEPLOYABLE if each.kind == "ClusterRole")
CLUSTER_ROLE_BINDING: Final = next(each for each in DEPLOYABLE if each.kind == "ClusterRoleBinding")

_ROLES: Final = (CLUSTER_ROLE, CLUSTER_ROLE_BINDING)
_WEBHOOKS: Final = (
    next(each for each in DEPLOYABLE if each.kind == "ValidatingWebhookConfiguration"),
    Resource(
        "MutatingWebhookConfiguration",
        "admissionregistration.k8s.io",
        "v1",
        "mutatingwebhookconfigurations",
        namespaced=False,
    ),
)
_ALSO_IN_THE_NAMESPACE: Final = (
    Resource("Job", "batch", "v1", "jobs"),
    Resource("Lease", "coordination.k8s.io", "v1", "leases"),
    Resource("LimitRange", "", "v1", "limitranges"),
    Resource("NetworkPolicy", "networking.k8s.io", "v1", "networkpolicies"),
    Resource("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets"),
    Resource("ReplicaSet", "apps", "v1", "replicasets"),
    Resource("ResourceQuota", "", "v1", "resourcequotas"),
)

_GROUPS: Final = frozenset(
    {
        "mellanox.com",
        "k8s.cni.cncf.io",
        "nv-ipam.nvidia.com",
        "whereabouts.cni.cncf.io",
        "configuration.net.nvidia.com",
        "spectrumx.nvidia.com",
        "sriovnetwork.openshift.io",
        "maintenance.nvidia.com",
        "nfd.k8s-sigs.io",
        "nfd.openshift.io",
    }
)
"""API groups whose CRDs, and objects of these, are told: ours, those of components, and of neighbours."""
_TOO_MANY: Final = frozenset({"nodefeatures", "overlappingrangeipreservations"})
"""Plurals of which a large cluster has more than anybody reads."""

_POLICIES: Final[Mapping[str, type[NicClusterPolicy | NicNodePolicy]]] = {
    "NicClusterPolicy": NicClusterPolicy,
    "NicNodePolicy": NicNodePolicy,
}

_KEPT_OF_NODE: Final = {
    "metadata": ("name", "uid", "creationTimestamp", "deletionTimestamp", "labels", "annotations"),
    "spec": ("taints", "unschedulable", "providerID"),
    "status": ("conditions", "allocatable", "capacity", "addresses", "nodeInfo"),
}


@dataclass(frozen=True, slots=True)
class Listing:
    """One kind, in one namespace or in all, by a label or all of it."""

    resource: Resource
    namespace: str = ""
    label_selector: str = ""
    elsewhere_than: str = ""
    """Objects of this namespace have been listed already."""

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        what = f" with label {self.label_selector}" if self.label_selector else ""
        return f"{self.resource.plural}{where}{what}"


def listings(namespace: str) -> tuple[Listing, ...]:
    """What is listed whatever the cluster has; kinds of CRDs are found by their CRDs.

    The namespace's ConfigMaps are not here: policies say which of them count.
    """
    builtin = [each for each in DEPLOYABLE if not each.optional]
    inside = [each for each in builtin if each.namespaced]
    marked = [each for each in builtin if not each.namespaced and each not in (CRD, *_WEBHOOKS, *_ROLES)]
    return (
        *(Listing(each, namespace) for each in (*inside, *_ALSO_IN_THE_NAMESPACE) if each != CONFIG_MAP),
        *(Listing(each, label_selector=STATE_LABEL, elsewhere_than=namespace) for each in inside),
        *(Listing(each, label_selector=STATE_LABEL) for each in marked),
        *(Listing(each) for each in _WEBHOOKS),
    )


def is_told(crd: Body) -> bool:
    """Whether this CRD is of a group that counts."""
    return crd.get("spec", {}).get("group") in _GROUPS


def resource_of(crd: Body) -> Resource | None:
    """The kind that a CRD makes, in the version that is stored; None when its objects are not collected."""
    spec = crd.get("spec", {})
    names = spec.get("names", {})
    version = next((each["name"] for each in spec.get("versions", ()) if each.get("storage")), None)
    if version is None or names.get("plural") in _TOO_MANY:
        return None
    return Resource(
        names["kind"],
        spec["group"],
        version,
        names["plural"],
        namespaced=spec.get("scope") == "Namespaced",
        optional=True,
    )


def is_ours(binding: Body, namespace: str) -> bool:
    """Whether a ClusterRoleBinding gives rights to an account of the namespace, or carries a label of ours."""
    return _is_marked(binding) or any(
        subject.get("namespace") == namespace for subject in binding.get("subjects") or ()
    )


def is_role_of_ours(role: Body, bound: Iterable[str]) -> bool:
    """Whether a ClusterRole carries a label of ours or is bound to an account of ours."""
    return _is_marked(role) or role["metadata"]["name"] in bound


def cited(body: Body) -> set[str]:
    """Names of the ConfigMaps that a policy takes configuration from: what its states would read."""
    model = _POLICIES.get(body.get("kind", ""))
    if model is None:
        return set()
    try:
        return config_maps([ServedPolicy.of(model.model_validate(body))])
    except ValidationError:
        return set()


def is_told_in_full(config_map: Body, cited: Iterable[str]) -> bool:
    """Whether values are told too: of what nicfleet or a state made, and of what a policy cites by name."""
    return _is_marked(config_map) or config_map["metadata"]["name"] in cited


def without_values(config_map: Body) -> dict[str, Any]:
    """Whatever others keep in a ConfigMap, such as a release of Helm's, is nobody's business: only how much it is."""
    kept = {
        part: {name: f"[{len(str(value))} characters left out]" for name, value in config_map[part].items()}
        for part in ("data", "binaryData")
        if config_map.get(part)
    }
    return {**config_map, **kept}


def slim(body: Body) -> dict[str, Any]:
    """What of an object is worth its space."""
    if body.get("kind") == "Node":
        return _node(body)
    if body.get("kind") == CRD.kind:
        return _crd(body)
    if body.get("kind") in ("Event", "Pod"):
        return {**body, "metadata": _without(body["metadata"], "managedFields")}
    return dict(body)


def _node(body: Body) -> dict[str, Any]:
    kept = {
        part: {name: value for name in names if (value := body.get(part, {}).get(name)) is not None}
        for part, names in _KEPT_OF_NODE.items()
    }
    managed = [_of_labels(entry) for entry in body["metadata"].get("managedFields") or () if _labels_in(entry)]
    return {**_head(body), **kept, "metadata": {**kept["metadata"], "managedFields": managed}}


def _labels_in(entry: Body) -> Mapping[str, Any]:
    found: Mapping[str, Any] = entry.get("fieldsV1", {}).get("f:metadata", {}).get("f:labels", {})
    return found


def _of_labels(entry: Body) -> dict[str, Any]:
    """Who owns which label, and nothing else."""
    return {**entry, "fieldsV1": {"f:metadata": {"f:labels": _labels_in(entry)}}}


def _crd(body: Body) -> dict[str, Any]:
    """Without the schemas, which are ten times the rest and known."""
    spec = body.get("spec", {})
    versions = [_without(each, "schema") for each in spec.get("versions", ())]
    metadata = _without(body["metadata"], "managedFields")
    return {**body, "metadata": metadata, "spec": {**spec, "versions": versions}}


def _is_marked(body: Body) -> bool:
    labels = body["metadata"].get("labels") or {}
    return STATE_LABEL in labels or labels.get(PART_OF) == PRODUCT


def _head(body: Body) -> dict[str, Any]:
    return {name: body[name] for name in ("apiVersion", "kind") if name in body}


def _without(mapping: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name not in names}
