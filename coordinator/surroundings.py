"""What the states of policies see of the cluster, and what of it has to be looked up for them. Pure."""

from collections.abc import Iterable
from typing import Final

from coordinator.objects.served import ServedPolicy
from coordinator.settings import Settings
from coordinator.states import STATES
from coordinator.states.cluster import Cluster, OpenShift
from coordinator.states.driver_tags import DriverImage
from coordinator.states.ofed_images import looked_up

_KUBERNETES_CNI_BIN_DIR: Final = "/opt/cni/bin"
_OPENSHIFT_CNI_BIN_DIR: Final = "/var/lib/cni/bin"


def cluster_of(settings: Settings, openshift: OpenShift | None) -> Cluster:
    """The cluster as the coordinator's settings have it; nothing has been looked up."""
    return Cluster(
        namespace=settings.namespace,
        cni_bin_dir=settings.cni_bin_dir or (_KUBERNETES_CNI_BIN_DIR if openshift is None else _OPENSHIFT_CNI_BIN_DIR),
        cni_network_dir=settings.cni_network_dir,
        ofed_init_image=settings.ofed_init_image,
        pools=(),
        openshift=openshift,
    )


def images(policies: Iterable[ServedPolicy]) -> set[DriverImage]:
    """What registries are asked about for these policies."""
    return {image for policy in policies if (image := looked_up(policy.spec)) is not None}


def config_maps(policies: Iterable[ServedPolicy]) -> set[str]:
    """The names of the ConfigMaps that these policies depend on."""
    return {name for policy in policies for state in STATES for name in state.reads(policy.spec, policy.scope)}
