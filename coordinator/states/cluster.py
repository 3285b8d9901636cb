"""What desired objects depend on besides the policy: the operator's settings, and what was seen of the cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from coordinator.states.driver_tags import DriverImage, Pending, Tags


@dataclass(frozen=True, slots=True)
class NodePool:
    """Nodes that run one driver image: same OS, OS version, kernel and architecture.

    `name` is the part of object names that stands for the pool, e.g. `ubuntu22.04-54669c9886`. `runtimes` are its
    nodes' container runtimes (`containerd`, `cri-o`) and `ostree_versions` their RHCOS versions, each once and sorted.
    `live_images` are the images by container that the pool's DaemonSet has in the cluster now. `upstreams`: it is
    of upstream's template. `any_arch`: it asks for no architecture, and the nodes have only one.
    """

    name: str
    os_id: str
    os_version: str
    kernel: str
    arch: str
    nodes: tuple[str, ...]
    runtimes: tuple[str, ...] = ()
    ostree_versions: tuple[str, ...] = ()
    live_images: Mapping[str, str] = field(default_factory=dict)
    upstreams: bool = False
    any_arch: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """Which nodes a policy speaks for, and how its objects are told from another policy's.

    The NicClusterPolicy speaks for all nodes and its objects have the plain names. `owner` is the value of the label
    `ds-owner`. A NicNodePolicy's suffixes are `-<its name>`, and `-<hash of its name>` where upstream has that.
    """

    owner: str = "NicClusterPolicy"
    node_selector: Mapping[str, str] = field(default_factory=dict)
    name_suffix: str = ""
    hash_suffix: str = ""


@dataclass(frozen=True, slots=True)
class OpenShift:
    """What makes OpenShift different.

    `proxy` has the cluster-wide proxy's variables by their upper-case names, those that are set; None while it is not
    known. `trusted_ca`: it has certificates of its own, which OpenShift writes into ConfigMaps that ask for them.
    `toolkits` are the images of the driver toolkit by RHCOS version; None while they are not known. `use_toolkit` is
    the operator's setting whether drivers are built in it.
    """

    proxy: Mapping[str, str] | None = field(default_factory=dict)
    trusted_ca: bool = False
    toolkits: Mapping[str, str] | None = field(default_factory=dict)
    use_toolkit: bool = True


@dataclass(frozen=True, slots=True)
class Cluster:
    """The world as desired objects see it.

    Without `ofed_init_image` driver pods have no init container. `openshift` is None on any other Kubernetes.
    `config_maps` are the data of those ConfigMaps in `namespace` that the policy names and that exist; of binary data
    it is the base64 text. `driver_tags` is what registries say of the driver images that are looked up.
    """

    namespace: str
    cni_bin_dir: str
    cni_network_dir: str
    ofed_init_image: str | None
    pools: tuple[NodePool, ...]
    scope: Scope = Scope()
    openshift: OpenShift | None = None
    config_maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    driver_tags: Mapping[DriverImage, Tags] = field(default_factory=dict)

    @property
    def asking(self) -> bool:
        """A registry has not answered yet."""
        return any(isinstance(tags, Pending) for tags in self.driver_tags.values())
