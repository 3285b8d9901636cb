"""What of the host, and of ConfigMaps, only some driver pods mount: certificates, package repositories, subscriptions.

Where each belongs depends on the operating system: the fact sheet of the states, section 7.6.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from coordinator.policy import InvalidSpec, OfedDriver
from coordinator.states.cluster import Cluster, NodePool

FIELD: Final = "spec.ofedDriver"

CERTIFICATES: Final = {
    "ubuntu": "/usr/local/share/ca-certificates",
    "rhcos": "/etc/pki/ca-trust/extracted/pem",
    "rhel": "/etc/pki/ca-trust/extracted/pem",
    "sles": "/etc/ssl",
}
REPOSITORIES: Final = {
    "ubuntu": "/etc/apt/sources.list.d",
    "rhcos": "/etc/yum.repos.d",
    "rhel": "/etc/yum.repos.d",
    "sles": "/etc/zypp/repos.d",
}

TRUSTED_CA: Final = "ocp-network-operator-trusted-ca"
"""ConfigMap into which OpenShift writes the certificates that the cluster trusts; upstream's name."""
_TRUSTED_CA_KEY: Final = "ca-bundle.crt"
_TRUSTED_CA_FILE: Final = "tls-ca-bundle.pem"
"""The file that the certificates replace."""

_BUILT_IN: Final = (
    "run-mlnx-ofed",
    "etc-network",
    "host-",
    "drivers-inventory",
    "dev-infiniband",
    "subscription-config-",
    "shared-doca-driver-toolkit",
)
"""How the names of the driver pod's own volumes begin."""
_VOLUME_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class _HostPath(NamedTuple):
    mount: str
    path: str
    type: str


_SUBSCRIPTIONS: Final = {
    "rhel": (
        _HostPath("/run/secrets/etc-pki-entitlement", "/etc/pki/entitlement", "Directory"),
        _HostPath("/run/secrets/redhat.repo", "/etc/yum.repos.d/redhat.repo", "File"),
        _HostPath("/run/secrets/rhsm", "/etc/rhsm", "Directory"),
    ),
    "sles": (
        _HostPath("/etc/SUSEConnect", "/etc/SUSEConnect", "FileOrCreate"),
        _HostPath("/etc/zypp/credentials.d", "/etc/zypp/credentials.d", "Directory"),
    ),
}


@dataclass(slots=True)
class Volumes:
    """Volumes of a pod and where a container mounts them."""

    volumes: list[dict[str, Any]] = field(default_factory=list)
    mounts: list[dict[str, Any]] = field(default_factory=list)

    def add_files(self, config_map: str, files: Mapping[str, str], folder: str) -> None:
        """Files of a ConfigMap, by key, next to what the folder has already."""
        name = _volume_name(config_map)
        items = [{"key": key, "path": file} for key, file in sorted(files.items())]
        if known := next((volume for volume in self.volumes if volume["name"] == name), None):
            have = known["configMap"]["items"]
            have += [item for item in items if item not in have]
        elif items:
            self.volumes.append({"name": name, "configMap": {"name": config_map, "items": items}})
        self.mounts += [
            {"name": name, "mountPath": f"{folder}/{item['path']}", "subPath": item["path"], "readOnly": True}
            for item in items
        ]

    def add_host_paths(self, paths: tuple[_HostPath, ...]) -> None:
        for index, found in enumerate(paths):
            name = f"subscription-config-{index}"
            self.volumes.append({"name": name, "hostPath": {"path": found.path, "type": found.type}})
            self.mounts.append({"name": name, "mountPath": found.mount, "readOnly": True})


def config_maps(driver: OfedDriver) -> dict[str, str]:
    """The ConfigMaps that the driver's section names, by field."""
    refs = {"certConfig": driver.cert_config, "repoConfig": driver.repo_config}
    return {name: ref.name for name, ref in refs.items() if ref is not None and ref.name}


def missing(driver: OfedDriver, cluster: Cluster) -> Iterator[InvalidSpec]:
    """ConfigMaps that are named and not there."""
    for name, config_map in config_maps(driver).items():
        if config_map not in cluster.config_maps:
            yield InvalidSpec(
                f"{FIELD}.{name}.name",
                f"is {config_map!r}, and namespace {cluster.namespace} has no such ConfigMap",
                "make it there, or correct the name",
            )


def trusts_openshift(driver: OfedDriver, cluster: Cluster) -> bool:
    """OpenShift's trusted certificates are used: the cluster has some, and the policy names none."""
    openshift = cluster.openshift
    return openshift is not None and openshift.trusted_ca and "certConfig" not in config_maps(driver)


def volumes_of(driver: OfedDriver, pool: NodePool, cluster: Cluster) -> Volumes:
    """What one pool's pods mount besides what all do. The ConfigMaps named must be there.

    Raises InvalidSpec for an operating system whose folders are not known.
    """
    found, named = Volumes(), config_maps(driver)
    if "certConfig" in named:
        folder = _folder(CERTIFICATES, "certConfig", pool)
        found.add_files(named["certConfig"], _as_named(named["certConfig"], cluster), folder)
    elif trusts_openshift(driver, cluster):
        # Not before OpenShift has written it does the kubelet start the pod.
        folder = _folder(CERTIFICATES, "certConfig", pool)
        found.add_files(TRUSTED_CA, {_TRUSTED_CA_KEY: _TRUSTED_CA_FILE}, folder)
    if "repoConfig" in named:
        folder = _folder(REPOSITORIES, "repoConfig", pool)
        found.add_files(named["repoConfig"], _as_named(named["repoConfig"], cluster), folder)
    if not (pool.os_id == "rhel" and pool.runtimes == ("cri-o",)):  # CRI-O mounts RHEL's subscription by itself
        found.add_host_paths(_SUBSCRIPTIONS.get(pool.os_id, ()))
    return found


def _as_named(config_map: str, cluster: Cluster) -> dict[str, str]:
    return {key: key for key in cluster.config_maps[config_map]}


def _folder(folders: Mapping[str, str], name: str, pool: NodePool) -> str:
    if pool.os_id not in folders:
        raise InvalidSpec(
            f"{FIELD}.{name}",
            f"has no known place on {pool.os_id} {pool.os_version} (node pool {pool.name})",
            f"leave these nodes out with spec.nodeAffinity, or remove {name}",
        )
    return folders[pool.os_id]


def _volume_name(config_map: str) -> str:
    """The ConfigMap's name, as upstream has it, where a volume can have it too."""
    if _VOLUME_NAME.fullmatch(config_map) is not None and not config_map.startswith(_BUILT_IN):
        return config_map
    return f"config-{hashlib.sha256(config_map.encode()).hexdigest()[:10]}"
