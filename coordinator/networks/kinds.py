"""The three network kinds, and where they differ. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from coordinator.kube.objects import HOST_DEVICE_NETWORK, IPOIB_NETWORK, MACVLAN_NETWORK, Resource
from coordinator.policy.invalid import refuse, unreadable
from coordinator.policy.networks import HostDeviceNetwork, IPoIBNetwork, MacvlanNetwork, Network

Document = Mapping[str, Any]
"""A network as JSON."""

NetworkKey = tuple[str, str]
"""A network by kind and name."""

DEFAULT_NAMESPACE: Final = "default"
"""Of the NAD of a network that names none."""


@dataclass(frozen=True, slots=True)
class NetworkKind:
    """One kind. All names but `plugin` are upstream's; `plugin` is the CNI plugin's.

    state            value of the NAD's state label, and the name in appliedStates
    link             the status field with the NAD's path
    last_namespace   annotation on the network with the namespace of its NAD; a HostDeviceNetwork has none
    applied_states   its status has the result in the form of a policy's too
    """

    resource: Resource
    model: type[Network]
    plugin: str
    state: str
    link: str
    last_namespace: str | None = None
    applied_states: bool = False


KINDS: Final[Mapping[str, NetworkKind]] = {
    kind.resource.kind: kind
    for kind in (
        NetworkKind(
            MACVLAN_NETWORK,
            MacvlanNetwork,
            plugin="macvlan",
            state="state-Macvlan-Network",
            link="macvlanNetworkAttachmentDef",
            last_namespace="operator.macvlannetwork.mellanox.com/last-network-namespace",
        ),
        NetworkKind(
            HOST_DEVICE_NETWORK,
            HostDeviceNetwork,
            plugin="host-device",
            state="state-host-device-network",
            link="hostDeviceNetworkAttachmentDef",
            applied_states=True,
        ),
        NetworkKind(
            IPOIB_NETWORK,
            IPoIBNetwork,
            plugin="ipoib",
            state="state-IPoIB-Network",
            link="ipoibNetworkAttachmentDef",
            last_namespace="operator.ipoibnetwork.mellanox.com/last-network-namespace",
        ),
    )
}


def key_of(document: Document) -> NetworkKey:
    """Kind and name."""
    return document["kind"], document["metadata"]["name"]


def lives(document: Document) -> bool:
    """It is not being deleted."""
    return "deletionTimestamp" not in document["metadata"]


def read(document: Document) -> Network:
    """The network of a document. Raises InvalidSpec for what the API server took under a CRD that is not ours."""
    try:
        return KINDS[document["kind"]].model.model_validate(document)
    except ValidationError as error:
        refuse(unreadable(error))
        raise
