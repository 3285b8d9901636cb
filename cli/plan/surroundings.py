"""The coordinator's settings → the cluster as its states see it. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from coordinator.openshift import cni_bin_dir
from coordinator.settings import Settings
from coordinator.states.cluster import Cluster, OpenShift
from coordinator.states.driver_tags import Away, DriverImage, Tags

NOT_ASKED: Final = "no registry is asked by this command"


def cluster_of(settings: Settings, openshift: OpenShift | None) -> Cluster:
    """The cluster as the coordinator's settings have it."""
    return Cluster(
        namespace=settings.namespace,
        cni_bin_dir=cni_bin_dir(settings.cni_bin_dir, openshift),
        cni_network_dir=settings.cni_network_dir,
        ofed_init_image=settings.ofed_init_image,
        pools=(),
        openshift=openshift,
    )


def unasked(asked_for: Iterable[DriverImage], settings: Settings) -> Mapping[DriverImage, Tags]:
    """What is known of driver images when no registry is asked: nothing, unless the coordinator asks none either."""
    return {image: Away(NOT_ASKED) for image in asked_for} if settings.driver_image_poll_minutes else {}
