"""The kinds nicfleet touches, and how one object is named."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import quote

Obj = Mapping[str, Any]
"""An object as JSON: apiVersion, kind, metadata and the rest."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind and where the API server serves it."""

    kind: str
    group: str
    version: str
    plural: str
    namespaced: bool = True
    optional: bool = False
    """Served only where its CRD is installed, and where its CRD's conversion works."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of an object, or of the collection without a name (of all namespaces without a namespace)."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/" + "/".join(quote(part, safe="") for part in parts)


NODE: Final = Resource("Node", "", "v1", "nodes", namespaced=False)
NAMESPACE: Final = Resource("Namespace", "", "v1", "namespaces", namespaced=False)
POD: Final = Resource("Pod", "", "v1", "pods")
EVENT: Final = Resource("Event", "", "v1", "events")
CONTROLLER_REVISION: Final = Resource("ControllerRevision", "apps", "v1", "controllerrevisions")
SECRET: Final = Resource("Secret", "", "v1", "secrets")
CONFIG_MAP: Final = Resource("ConfigMap", "", "v1", "configmaps")
LEASE: Final = Resource("Lease", "coordination.k8s.io", "v1", "leases")
NIC_CLUSTER_POLICY: Final = Resource(
    "NicClusterPolicy", "mellanox.com", "v1alpha1", "nicclusterpolicies", namespaced=False
)
"""Not optional, though a CRD's: a server that begins may answer 404, and no policy means that everything is removed."""
NIC_NODE_POLICY: Final = Resource("NicNodePolicy", "mellanox.com", "v1alpha1", "nicnodepolicies", namespaced=False)
CLUSTER_VERSION: Final = Resource("ClusterVersion", "config.openshift.io", "v1", "clusterversions", namespaced=False)
PROXY: Final = Resource("Proxy", "config.openshift.io", "v1", "proxies", namespaced=False)
IMAGE_STREAM: Final = Resource("ImageStream", "image.openshift.io", "v1", "imagestreams")
MACVLAN_NETWORK: Final = Resource("MacvlanNetwork", "mellanox.com", "v1alpha1", "macvlannetworks", namespaced=False)
HOST_DEVICE_NETWORK: Final = Resource(
    "HostDeviceNetwork", "mellanox.com", "v1alpha1", "hostdevicenetworks", namespaced=False
)
IPOIB_NETWORK: Final = Resource("IPoIBNetwork", "mellanox.com", "v1alpha1", "ipoibnetworks", namespaced=False)
NETWORKS: Final = (MACVLAN_NETWORK, HOST_DEVICE_NETWORK, IPOIB_NETWORK)

DEPLOYABLE: Final = (
    Resource("ServiceAccount", "", "v1", "serviceaccounts"),
    CONFIG_MAP,
    Resource("DaemonSet", "apps", "v1", "daemonsets"),
    Resource("Deployment", "apps", "v1", "deployments"),
    Resource("Service", "", "v1", "services"),
    Resource("CustomResourceDefinition", "apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False),
    Resource("ClusterRole", "rbac.authorization.k8s.io", "v1", "clusterroles", namespaced=False),
    Resource("ClusterRoleBinding", "rbac.authorization.k8s.io", "v1", "clusterrolebindings", namespaced=False),
    Resource("Role", "rbac.authorization.k8s.io", "v1", "roles"),
    Resource("RoleBinding", "rbac.authorization.k8s.io", "v1", "rolebindings"),
    Resource(
        "ValidatingWebhookConfiguration",
        "admissionregistration.k8s.io",
        "v1",
        "validatingwebhookconfigurations",
        namespaced=False,
    ),
    Resource("NetworkAttachmentDefinition", "k8s.cni.cncf.io", "v1", "network-attachment-definitions", optional=True),
    Resource("CronJob", "batch", "v1", "cronjobs"),
    Resource("Issuer", "cert-manager.io", "v1", "issuers", optional=True),
    Resource("Certificate", "cert-manager.io", "v1", "certificates", optional=True),
    Resource("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims"),
)
"""Every kind a state may deploy; upstream sweeps the same ones."""

RESOURCES: Final[Mapping[str, Resource]] = {
    resource.kind: resource
    for resource in (
        NODE,
        NAMESPACE,
        POD,
        EVENT,
        SECRET,
        LEASE,
        NIC_CLUSTER_POLICY,
        NIC_NODE_POLICY,
        *NETWORKS,
        *DEPLOYABLE,
    )
}


class Ref(NamedTuple):
    """One object by its kind and name; `namespace` is empty for a cluster-scoped one."""

    kind: str
    namespace: str
    name: str

    @property
    def resource(self) -> Resource:
        """Raises KeyError for a kind that is not in `RESOURCES`."""
        return RESOURCES[self.kind]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def ref_of(obj: Obj) -> Ref:
    """The Ref of an object. A namespace on a cluster-scoped kind counts for nothing, as for the API server."""
    kind, metadata = obj["kind"], obj["metadata"]
    namespace = metadata.get("namespace", "") if RESOURCES[kind].namespaced else ""
    return Ref(kind, namespace, metadata["name"])
