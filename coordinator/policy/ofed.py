"""The NIC driver's section, `ofedDriver`, with its upgrade policy. NicClusterPolicy and NicNodePolicy share it."""

from pydantic import Field

from coordinator.policy.base import Int64, Model
from coordinator.policy.container import EnvVar, ImageSpec, Probe


class WaitForCompletion(Model):
    """Jobs that must end before a node is drained."""

    pod_selector: str | None = Field(default=None, description="Label selector of the pods waited for.")
    timeout_seconds: int = Field(default=0, ge=0, description="Seconds to wait at most; 0 waits for ever.")


class Drain(Model):
    """How a node is emptied before its driver is replaced."""

    enable: bool = Field(default=True, description="Drain the node at all.")
    force: bool = Field(default=False, description="Also delete pods that no controller would start again.")
    pod_selector: str | None = Field(
        default=None, description="Label selector of the pods to evict; empty means all that a drain would evict."
    )
    timeout_seconds: int = Field(default=300, ge=0, description="Seconds a drain may take; 0 means for ever.")
    delete_empty_dir: bool = Field(default=False, description="Go on although data in emptyDir volumes is lost.")


class UpgradePolicy(Model):
    """How nodes move to a changed driver."""

    auto_upgrade: bool = Field(
        default=False,
        description="Replace driver pods node by node when the driver changes; if false, the rest is ignored.",
    )
    max_parallel_upgrades: int = Field(default=1, ge=0, description="Nodes upgraded at once; 0 means no limit.")
    safe_load: bool = Field(
        default=False,
        description="Cordon and drain a node before the driver is loaded at its start; needs autoUpgrade.",
    )
    wait_for_completion: WaitForCompletion | None = Field(
        default=None, description="Jobs to wait for before a drain; absent: none."
    )
    drain: Drain | None = Field(default=None, description="Drain settings; absent: nodes are not drained.")


class ConfigMapRef(Model):
    """A ConfigMap in the operator's namespace."""

    name: str | None = Field(default=None, description="Name of the ConfigMap.")


class OfedDriver(ImageSpec):
    """The NIC driver (OFED or DOCA), loaded by a container on every matching node."""

    version: str | None = Field(
        default=None,
        description="Version of the driver, for example 25.07-0.9.7.0-0: the image tag without the operating system "
        "and architecture, which each node's image gets by itself; or a digest, which is used as it is. Empty: "
        "spec.global.version of a NicClusterPolicy is used.",
    )
    startup_probe: Probe | None = Field(
        default=None,
        description="When the driver counts as loaded; the default allows 20 minutes for a build on the node.",
    )
    liveness_probe: Probe | None = Field(
        default=None, description="When a driver container that has started is restarted."
    )
    readiness_probe: Probe | None = Field(default=None, description="When the driver counts as ready on its node.")
    env: tuple[EnvVar, ...] | None = Field(
        default=None,
        description="Variables of the driver container and its init container; they win over the defaults.",
    )
    upgrade_policy: UpgradePolicy | None = Field(
        default=None, description="Automatic upgrades; absent: pods with an old driver stay until someone deletes them."
    )
    cert_config: ConfigMapRef | None = Field(
        default=None, description="ConfigMap with CA certificates, for package repositories with own certificates."
    )
    repo_config: ConfigMapRef | None = Field(
        default=None, description="ConfigMap with package repository files, for builds without internet access."
    )
    termination_grace_period_seconds: Int64 = Field(
        default=300, ge=0, description="Seconds a driver pod may take to unload the driver when it ends."
    )
    force_precompiled: bool = Field(
        default=False, description="Refuse to build the driver on the node; only a precompiled image will do."
    )
