"""What runs in a component's containers: image, resources, probes and environment."""

from collections.abc import Mapping

from pydantic import Field

from coordinator.policy.base import Model, Quantity
from coordinator.policy.scheduling import ATOMIC_MAP


class ContainerResources(Model):
    """Resources of one container of the component."""

    name: str = Field(
        description="Name of the container, for example mofed-container of the NIC driver. One that the component does "
        "not have is refused, with the names it has."
    )
    requests: Mapping[str, Quantity] | None = Field(
        default=None, description="Amounts reserved for the container, by resource name: cpu, memory."
    )
    limits: Mapping[str, Quantity] | None = Field(
        default=None, description="Upper bounds of the container, by resource name: cpu, memory."
    )


class ImageSpec(Model):
    """Where a component's image comes from, and what its containers may use."""

    image: str = Field(
        pattern=r"[a-zA-Z0-9\-]+",
        description="Image name, the last element of the path, without tag; for example doca-driver.",
    )
    repository: str | None = Field(
        default=None,
        pattern=r"[a-zA-Z0-9\.\-\/]+",
        description="Registry and path before the image name, for example nvcr.io/nvidia/mellanox. "
        "Empty: spec.global.repository of a NicClusterPolicy is used; elsewhere it is needed.",
    )
    version: str | None = Field(
        default=None,
        description="Image tag, or a digest as sha256:<64 hex digits>. Empty: spec.global.version of a "
        "NicClusterPolicy is used; elsewhere it is needed.",
    )
    image_pull_secrets: tuple[str, ...] = Field(
        default=(),
        description="Names of pull Secrets in the operator's namespace. Empty: spec.global.imagePullSecrets of a "
        "NicClusterPolicy is used.",
    )
    container_resources: tuple[ContainerResources, ...] | None = Field(
        default=None,
        description="Resources by container; of two entries with one name the later wins. A container without an "
        "entry keeps its default.",
    )


class Probe(Model):
    """When a container counts as started, alive or ready. A value below 1 is replaced by the default."""

    initial_delay_seconds: int = Field(description="Seconds from container start to the first try.")
    period_seconds: int = Field(description="Seconds between tries.")
    failure_threshold: int | None = Field(default=None, description="Failed tries in a row before the kubelet acts.")
    timeout_seconds: int | None = Field(default=None, description="Seconds one try may take.")


class ConfigMapKeySelector(Model):
    """A key of a ConfigMap in the operator's namespace."""

    model_config = ATOMIC_MAP

    key: str = Field(description="Key to read.")
    name: str = Field(default="", description="Name of the ConfigMap.")
    optional: bool | None = Field(default=None, description="Go on when the ConfigMap or key is absent.")


class SecretKeySelector(Model):
    """A key of a Secret in the operator's namespace."""

    model_config = ATOMIC_MAP

    key: str = Field(description="Key to read.")
    name: str = Field(default="", description="Name of the Secret.")
    optional: bool | None = Field(default=None, description="Go on when the Secret or key is absent.")


class FieldSelector(Model):
    """A field of the pod."""

    model_config = ATOMIC_MAP

    field_path: str = Field(description="Path of the field, for example spec.nodeName.")
    api_version: str | None = Field(default=None, description="API version the path is written for; v1 by default.")


class ResourceFieldSelector(Model):
    """A resource figure of a container."""

    model_config = ATOMIC_MAP

    resource: str = Field(description="Resource, for example limits.cpu.")
    container_name: str | None = Field(default=None, description="Container; by default the one with the variable.")
    divisor: Quantity | None = Field(default=None, description="Unit the figure is given in; 1 by default.")


class FileKeySelector(Model):
    """A variable from a file that another container of the pod wrote."""

    model_config = ATOMIC_MAP

    key: str = Field(description="Variable to read from the file.")
    path: str = Field(description="Path of the file inside the volume.")
    volume_name: str = Field(description="Volume the file is in.")
    optional: bool = Field(default=False, description="Go on when file or variable is absent.")


class EnvVarSource(Model):
    """Where a variable's value comes from."""

    config_map_key_ref: ConfigMapKeySelector | None = Field(default=None, description="Value of a ConfigMap's key.")
    secret_key_ref: SecretKeySelector | None = Field(default=None, description="Value of a Secret's key.")
    field_ref: FieldSelector | None = Field(default=None, description="Value of a field of the pod.")
    resource_field_ref: ResourceFieldSelector | None = Field(
        default=None, description="Value of a container's resource limit or request."
    )
    file_key_ref: FileKeySelector | None = Field(default=None, description="Value of a variable in a file.")


class EnvVar(Model):
    """One environment variable."""

    name: str = Field(description="Name of the variable.")
    value: str | None = Field(default=None, description="Value; $(NAME) is replaced by an earlier variable's value.")
    value_from: EnvVarSource | None = Field(default=None, description="Source of the value; not together with value.")
