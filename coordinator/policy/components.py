"""The sections of the components other than the NIC driver."""

from typing import Literal

from pydantic import Field
from pydantic.config import JsonDict

from coordinator.policy.base import Model
from coordinator.policy.container import EnvVar, ImageSpec

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


def _immutable(field: str) -> JsonDict:
    message = f"{field} cannot change once set; remove nicFirmwareStorage and add it again with the new value."
    return {"x-kubernetes-validations": [{"rule": "self == oldSelf", "message": message}]}


class DevicePlugin(ImageSpec):
    """A device plugin: it offers NIC functions to pods as resources."""

    config: str | None = Field(
        default=None, description="JSON text of the plugin's configuration, handed to the plugin as it is."
    )
    use_cdi: bool | None = Field(
        default=None, description="Announce devices through CDI; the container runtime must be set up for it."
    )


class IbKubernetes(ImageSpec):
    """The InfiniBand GUID and partition-key manager."""

    periodic_update_seconds: int = Field(default=5, ge=0, description="Seconds between two rounds of updates.")
    pkey_guid_pool_range_start: str | None = Field(
        default=None,
        alias="pKeyGUIDPoolRangeStart",
        description="First GUID of the pool for pods, as 02:00:00:00:00:00:00:00. Needed by the component.",
    )
    pkey_guid_pool_range_end: str | None = Field(
        default=None,
        alias="pKeyGUIDPoolRangeEnd",
        description="Last GUID of the pool for pods, as 02:FF:FF:FF:FF:FF:FF:FF. Needed by the component.",
    )
    ufm_secret: str | None = Field(
        default=None,
        description="Secret in the operator's namespace with the access data of UFM. Needed by the component.",
    )


class Multus(ImageSpec):
    """Multus, the meta plugin that attaches secondary networks to pods."""

    config: str | None = Field(
        default=None,
        description="JSON text of Multus' CNI configuration. Unset or empty: generated on each node from its first "
        "CNI configuration file.",
    )


class SecondaryNetwork(Model):
    """CNI components for secondary networks."""

    multus: Multus | None = Field(default=None, description="Multus, which attaches secondary networks to pods.")
    cni_plugins: ImageSpec | None = Field(
        default=None, description="The reference CNI plugins (macvlan, host-device, ...)."
    )
    ipoib: ImageSpec | None = Field(default=None, description="The IP-over-InfiniBand CNI plugin.")
    ipam_plugin: ImageSpec | None = Field(
        default=None,
        description="The whereabouts IPAM plugin, as in policies up to 25.7; nvIpam is the recommended choice today.",
    )


class NvIpam(ImageSpec):
    """NVIDIA's IPAM plugin."""

    enable_webhook: bool | None = Field(
        default=None, description="Validate its address pools by an admission webhook; needs cert-manager."
    )
    config: str | None = Field(
        default=None, description="JSON text with address pools, as in policies up to 23.10; IPPool objects replace it."
    )


class PodSecurityPolicies(Model):
    """Pod security policies, which Kubernetes removed in 1.25."""

    enabled: bool = Field(default=False, description="Make pod security policies; has no effect on supported clusters.")


class ConfigMapSource(Model):
    """Configuration that the user keeps in a ConfigMap."""

    from_config_map: str | None = Field(default=None, description="Name of a ConfigMap in the operator's namespace.")


class DocaTelemetryService(ImageSpec):
    """The DOCA telemetry service."""

    config: ConfigMapSource | None = Field(
        default=None, description="Own configuration; absent: a default one is used."
    )


class NicFirmwareStorage(Model):
    """The volume that holds firmware files."""

    create: bool = Field(
        default=True, description="Make the volume claim; false: it exists in the operator's namespace."
    )
    pvc_name: str = Field(
        default="nic-fw-storage-pvc",
        min_length=1,
        max_length=63,
        pattern=DNS_LABEL,
        description="Name of the volume claim.",
    )
    storage_class_name: str | None = Field(
        default=None,
        min_length=1,
        max_length=63,
        pattern=DNS_LABEL,
        description="Storage class of the claim; absent: the cluster's default class.",
        json_schema_extra=_immutable("storageClassName"),
    )
    available_storage_size: str = Field(
        default="1Gi",
        pattern=r"^(\d+)(Ei|Pi|Ti|Gi|Mi|Ki)$",
        description="Size asked for when the claim is made.",
        json_schema_extra=_immutable("availableStorageSize"),
    )


class NicConfigurationOperator(Model):
    """The operator that configures NIC firmware."""

    operator: ImageSpec = Field(description="Image of its controller.")
    configuration_daemon: ImageSpec = Field(description="Image of its daemon on each node.")
    env: tuple[EnvVar, ...] | None = Field(default=None, description="Variables of both its containers.")
    log_level: Literal["info", "debug"] = Field(default="info", description="How much it logs.")
    nic_firmware_storage: NicFirmwareStorage | None = Field(
        default=None, description="Volume for firmware files; absent: firmware is not updated."
    )


class SpectrumXConfig(Model):
    """A configuration that today's Spectrum-X operator no longer reads."""

    name: str | None = Field(default=None, description="Name of a ConfigMap, as in policies up to 25.4; has no effect.")


class SpectrumXOperator(ImageSpec):
    """The Spectrum-X flow controller."""

    spectrum_x_config: SpectrumXConfig | None = Field(
        default=None, description="Configuration as in policies up to 25.4; has no effect."
    )
    sriov_obj_namespace: str | None = Field(
        default=None, description="Namespace of SR-IOV objects, as in policies up to 25.4; has no effect."
    )

    x_plane: ImageSpec | None = Field(default=None, description="Its second image; spec.global is not used for it.")


class DroppedImage(Model):
    """An image of a component that is no longer deployed."""

    image: str | None = Field(default=None, description="Image name; has no effect.")
    repository: str | None = Field(default=None, description="Registry and path; has no effect.")
    version: str | None = Field(default=None, description="Image tag; has no effect.")
    image_pull_secrets: tuple[str, ...] | None = Field(default=None, description="Pull Secrets; have no effect.")


class NvPeerDriver(DroppedImage):
    """The nv_peer_mem module, which the GPU driver's nvidia_peermem replaced."""

    gpu_driver_source_path: str | None = Field(default=None, description="Sources of the GPU driver; has no effect.")


class OldDevicePlugin(DroppedImage):
    """The RDMA device plugin as policies before 0.4 named it."""

    config: str | None = Field(default=None, description="JSON text of its configuration; has no effect.")
