"""The few facts of a Node object that decisions need, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Taint:
    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class KubeNode:
    """One Node as the API server has it.

    `owned` are the label keys that our field manager owns (read from managedFields: the only record of ownership);
    `others` maps a label key to the managers, other than ours, that own it too; `nfd_keys` are the label keys that
    NFD's annotations claim, in full form; of both, only the keys on our list. `allocatable` are the units of each
    extended resource (those with a domain, "rdma/hca_shared"): they change when a device plugin registers or goes.
    `runtime` is the container runtime without its version: containerd, cri-o, docker.
    """

    name: str
    uid: str
    resource_version: str
    created: datetime
    labels: Mapping[str, str] = field(default_factory=dict)
    owned: frozenset[str] = frozenset()
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    nfd_keys: frozenset[str] = frozenset()
    taints: tuple[Taint, ...] = ()
    internal_ips: tuple[str, ...] = ()
    architecture: str = ""
    runtime: str = ""
    allocatable: Mapping[str, int] = field(default_factory=dict)
