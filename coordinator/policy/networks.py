"""The network kinds: each becomes one NetworkAttachmentDefinition."""

from typing import Any, Literal

from pydantic import Field

from coordinator.policy.base import Model, ObjectMeta
from coordinator.policy.status import AppliedState

IPAM: Any = Field(
    default=None, description="JSON text of the CNI plugin's `ipam` section. Empty: no address is assigned."
)
NAMESPACE: Any = Field(
    default=None, description="Namespace of the NetworkAttachmentDefinition. Empty: the namespace default."
)
META_PLUGINS: Any = Field(
    default=None,
    description="JSON text of further CNI plugins, run after the first one: objects separated by commas, without "
    "brackets around them.",
)
NetworkState = Literal["notReady", "ready", "error"]
STATE: Any = Field(description="ready when the NetworkAttachmentDefinition is as asked for; else notReady or error.")
REASON: Any = Field(default=None, description="Why it is not ready, or what is worth knowing although it is.")
LINK: Any = Field(default=None, description="Path of the NetworkAttachmentDefinition in the API.")


class MacvlanNetworkSpec(Model):
    """A secondary network of macvlan interfaces on top of one of the node's."""

    network_namespace: str | None = NAMESPACE
    master: str | None = Field(
        default=None, description="Interface of the node to build on. Empty: the one with the default route."
    )
    mode: Literal["bridge", "private", "vepa", "passthru"] | None = Field(
        default=None, description="How interfaces of one master reach each other. Empty: bridge."
    )
    mtu: int | None = Field(default=None, ge=0, description="MTU in bytes. 0 or empty: that of the master.")
    ipam: str | None = IPAM
    meta_plugins: str | None = META_PLUGINS


class HostDeviceNetworkSpec(Model):
    """A secondary network that moves a device of the node into the pod."""

    network_namespace: str | None = NAMESPACE
    resource_name: str | None = Field(
        default=None,
        description="Resource of a device plugin that the devices come from, with or without the prefix nvidia.com/.",
    )
    ipam: str | None = IPAM
    meta_plugins: str | None = META_PLUGINS


class IPoIBNetworkSpec(Model):
    """A secondary network of IP-over-InfiniBand interfaces on top of one of the node's."""

    network_namespace: str | None = NAMESPACE
    master: str | None = Field(default=None, description="InfiniBand interface of the node to build on.")
    ipam: str | None = IPAM


class MacvlanNetworkStatus(Model):
    """What became of a MacvlanNetwork."""

    state: NetworkState = STATE
    macvlan_network_attachment_def: str | None = LINK
    reason: str | None = REASON


class HostDeviceNetworkStatus(Model):
    """What became of a HostDeviceNetwork."""

    state: NetworkState = STATE
    host_device_network_attachment_def: str | None = LINK
    reason: str | None = REASON
    applied_states: tuple[AppliedState, ...] | None = Field(
        default=None, description="The same result in the form of a policy's."
    )


class IPoIBNetworkStatus(Model):
    """What became of an IPoIBNetwork."""

    state: NetworkState = STATE
    ipoib_network_attachment_def: str | None = Field(
        default=None,
        alias="ipoibNetworkAttachmentDef",
        description="Path of the NetworkAttachmentDefinition in the API.",
    )
    reason: str | None = REASON


class MacvlanNetwork(Model):
    """A MacvlanNetwork as read from the API server or a file."""

    api_version: Literal["mellanox.com/v1alpha1"] = "mellanox.com/v1alpha1"
    kind: Literal["MacvlanNetwork"] = "MacvlanNetwork"
    metadata: ObjectMeta
    spec: MacvlanNetworkSpec = MacvlanNetworkSpec()
    status: MacvlanNetworkStatus | None = None


class HostDeviceNetwork(Model):
    """A HostDeviceNetwork as read from the API server or a file."""

    api_version: Literal["mellanox.com/v1alpha1"] = "mellanox.com/v1alpha1"
    kind: Literal["HostDeviceNetwork"] = "HostDeviceNetwork"
    metadata: ObjectMeta
    spec: HostDeviceNetworkSpec = HostDeviceNetworkSpec()
    status: HostDeviceNetworkStatus | None = None


class IPoIBNetwork(Model):
    """An IPoIBNetwork as read from the API server or a file."""

    api_version: Literal["mellanox.com/v1alpha1"] = "mellanox.com/v1alpha1"
    kind: Literal["IPoIBNetwork"] = "IPoIBNetwork"
    metadata: ObjectMeta
    spec: IPoIBNetworkSpec = IPoIBNetworkSpec()
    status: IPoIBNetworkStatus | None = None


Network = MacvlanNetwork | HostDeviceNetwork | IPoIBNetwork
