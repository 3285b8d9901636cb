"""The sections of the components other than the NIC driver."""

from typing import Literal

from pydantic import Field
from pydantic.config import JsonDict

from coordinator.policy.base import Model
from coordinator.policy.container import EnvVar, ImageSpec

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"


def _immutable(field: str) -> JsonDict:
    message = f"{field} is immutable once set: remove nicFirmwareStorage and add it again with the new value."
    return {"x-kubernetes-validations": [{"rule": "self == oldSelf", "message": message}]}


class DevicePlugin(ImageSpec):
    """A device plugin: it offers NIC functions to pods as resources."""

    config: str | None = Field(
        default=None,
        description="JSON text of the plugin's configuration, handed to the plugin as it is: which NICs become which "
        "resource. Absent: the plugin waits for a ConfigMap that you make.",
    )
    use_cdi: bool | None = Field(
        default=None, description="Announce devices through CDI; the container runtime must be set up for it."
    )


class IbKubernetes(ImageSpec):
    """The InfiniBand GUID and partition-key manager."""

    periodic_update_seconds: int = Field(
        default=5, ge=0, description="Seconds between two looks for pods that need or no longer need a GUID."
    )
    pkey_guid_pool_range_start: str | None = Field(
        default=None,
        alias="pKeyGUIDPoolRangeStart",
        description="First GUID of the pool for pods, as 02:00:00:00:00:00:00:00. The component is refused without it.",
    )
    pkey_guid_pool_range_end: str | None = Field(
        default=None,
        alias="pKeyGUIDPoolRangeEnd",
        description="Last GUID of the pool for pods, as 02:FF:FF:FF:FF:FF:FF:FF. The component is refused without it.",
    )
    ufm_secret: str | None = Field(
        default=None,
        description="Secret in the operator's namespace with UFM_USERNAME, UFM_PASSWORD and UFM_ADDRESS, and where "
        "needed UFM_HTTP_SCHEMA, UFM_PORT and UFM_CERTIFICATE. The component is refused without it.",
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
        default=None,
        description="The reference CNI plugins, copied to every node: macvlan and host-device, which MacvlanNetwork "
        "and HostDeviceNetwork use, and their companions.",
    )
    ipoib: ImageSpec | None = Field(
        default=None, description="The IP-over-InfiniBand CNI plugin, copied to every node; IPoIBNetwork uses it."
    )
    ipam_plugin: ImageSpec | None = Field(
        default=None,
        description="The whereabouts IPAM plugin, as in policies up to 25.7. Today nvIpam is the usual choice.",
    )


class NvIpam(ImageSpec):
    """NVIDIA's IPAM plugin."""

    enable_webhook: bool | None = Field(
        default=None,
        description="Check address pools by an admission webhook when they are written; needs cert-manager.",
    )
    config: str | None = Field(
        default=None,
        description="JSON text with address pools, as in policies up to 23.10; has no effect: make IPPool objects.",
    )


class PodSecurityPolicies(Model):
    """Pod security policies, which Kubernetes removed in 1.25."""

    enabled: bool = Field(default=False, description="Make pod security policies; has no effect on supported clusters.")


class ConfigMapSource(Model):
    """Configuration that the user keeps in a ConfigMap."""

    from_config_map: str | None = Field(
        default=None, description="Name of a ConfigMap in the operator's namespace, which you make and keep."
    )


class DocaTelemetryService(ImageSpec):
    """The DOCA telemetry service."""

    config: ConfigMapSource | None = Field(
        default=None, description="Configuration of your own; absent: a default one is made."
    )


class NicFirmwareStorage(Model):
    """The volume that holds firmware files."""

    create: bool = Field(default=True, description="Make the volume claim; false: one of that name is there already.")
    pvc_name: str = Field(
        default="nic-fw-storage-pvc",
        min_length=1,
        max_length=63,
        pattern=DNS_LABEL,
        description="Name of the volume claim in the operator's namespace.",
    )
    storage_class_name: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        pattern=DNS_SUBDOMAIN,
        description="Storage class of the claim that is made; absent: the cluster's default class.",
        json_schema_extra=_immutable("storageClassName"),
    )
    available_storage_size: str = Field(
        default="1Gi",
        pattern=r"^(\d+)(Ei|Pi|Ti|Gi|Mi|Ki)$",
        description="Size asked for when the claim is made, for example 1Gi.",
        json_schema_extra=_immutable("availableStorageSize"),
    )


class NicConfigurationOperator(Model):
    """The operator that configures NIC firmware."""

    operator: ImageSpec = Field(description="Image of its controller, one Deployment for the cluster.")
    configuration_daemon: ImageSpec = Field(
        description="Image of its daemon, which runs on every node with a NIC and writes the firmware's settings."
    )
    env: tuple[EnvVar, ...] | None = Field(default=None, description="Variables of both, controller and daemon.")
    log_level: Literal["info", "debug"] = Field(default="info", description="How much both log: info or debug.")
    nic_firmware_storage: NicFirmwareStorage | None = Field(
        default=None,
        description="Volume with firmware files, shared by controller and daemons; absent: there is none, and firmware "
        "is configured but not updated.",
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

    x_plane: ImageSpec | None = Field(
        default=None, description="Its second image, of which it makes pods itself; spec.global does not fill it."
    )


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
