"""What desired objects depend on besides the policy: the operator's settings and the pools of driver nodes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NodePool:
    """Nodes that run one driver image: same OS, OS version, kernel and architecture.

    `name` is the part of object names that stands for the pool, e.g. `ubuntu22.04-54669c9886`.
    """

    name: str
    os_id: str
    os_version: str
    kernel: str
    arch: str
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cluster:
    """The world as desired objects see it. Without `ofed_init_image` driver pods have no init container."""

    namespace: str
    cni_bin_dir: str
    cni_network_dir: str
    ofed_init_image: str | None
    pools: tuple[NodePool, ...]
