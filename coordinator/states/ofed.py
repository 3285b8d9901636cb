"""state-OFED: the NIC driver, one DaemonSet per node pool, replaced only when its pods are deleted."""

import json
from collections.abc import Container, Iterator, Mapping
from typing import Any, Final

from coordinator.policy import InvalidSpec, NicClusterPolicySpec, OfedDriver, Probe
from coordinator.policy.invalid import caught, refuse
from coordinator.states import common, ofed_images, ofed_toolkit, ofed_volumes
from coordinator.states.cluster import Cluster, NodePool, Scope
from coordinator.states.images import image_name, pull_secrets
from coordinator.states.ofed_images import FIELD, Choice
from coordinator.states.state import NotYet, State, Values
from nicfleet import names

# The order is the order in which the init container reports the first module that is in use.
MODULES: Final = (
    "mlx5_core",
    "mlx5_ib",
    "ib_umad",
    "ib_uverbs",
    "ib_ipoib",
    "rdma_cm",
    "rdma_ucm",
    "ib_core",
    "ib_cm",
)

UPSTREAMS_ENV: Final = {
    "CREATE_IFNAMES_UDEV": "true",
    "NVIDIA_NIC_DRIVERS_INVENTORY_PATH": "/mnt/drivers-inventory",
}

DEFAULT_ENV: Final = UPSTREAMS_ENV | {
    # On the host, where it also stops udev from loading inbox modules while the driver reloads; the container's own
    # /etc/modprobe.d, the image's default, does not.
    "OFED_BLACKLIST_MODULES_FILE": "/host/etc/modprobe.d/blacklist-ofed-modules.conf",
}

NODE_NAME: Final = {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}

STARTUP: Final = {"initialDelaySeconds": 30, "periodSeconds": 10, "failureThreshold": 120, "timeoutSeconds": 10}
RUNNING: Final = {"initialDelaySeconds": 10, "periodSeconds": 30, "failureThreshold": 1, "timeoutSeconds": 10}

# Two drivers on one node would unload each other's modules.
ALONE_ON_NODE: Final = {
    "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {
                "labelSelector": {"matchExpressions": [{"key": names.OFED_DRIVER_LABEL, "operator": "Exists"}]},
                "topologyKey": "kubernetes.io/hostname",
            }
        ]
    }
}


def _values(spec: NicClusterPolicySpec, cluster: Cluster) -> Values | None:
    driver = spec.ofed_driver
    if driver is None:
        return None
    containers: dict[str, common.Resources] = {name: {} for name in _containers(cluster)}
    refuse(
        (
            *ofed_volumes.missing(driver, cluster),
            *_upgrade_problems(driver),
            *caught(lambda: ofed_images.image_of(spec, driver), lambda: common.resources(FIELD, driver, containers)),
        )
    )
    chosen = ofed_images.choices(spec, driver, cluster)
    return {
        "namespace": cluster.namespace,
        "openshift": cluster.openshift is not None,
        "trusted_ca": ofed_volumes.TRUSTED_CA if ofed_volumes.trusts_openshift(driver, cluster) else None,
        "init_image": cluster.ofed_init_image,
        "init_config": _init_config(),
        "pools": [_pool(driver, cluster, *each) for each in zip(cluster.pools, chosen, strict=True)],
        "pull_secrets": pull_secrets(driver, spec),
        "resources": common.resources(FIELD, driver, containers),
        "tolerations": common.daemonset_tolerations(spec),
        "affinity": common.daemonset_affinity(spec) | ALONE_ON_NODE,
        "termination_grace_period_seconds": driver.termination_grace_period_seconds,
        "startup_probe": _probe(driver.startup_probe, STARTUP),
        "liveness_probe": _probe(driver.liveness_probe, RUNNING),
        "readiness_probe": _probe(driver.readiness_probe, RUNNING),
    }


def _containers(cluster: Cluster) -> tuple[str, ...]:
    """The containers whose resources a user may set."""
    return (ofed_images.CONTAINER,) if cluster.openshift is None else (ofed_images.CONTAINER, ofed_toolkit.CONTAINER)


def _upgrade_problems(driver: OfedDriver) -> Iterator[InvalidSpec]:
    upgrade = driver.upgrade_policy
    if upgrade is not None and upgrade.safe_load and not upgrade.auto_upgrade:
        yield InvalidSpec(
            f"{FIELD}.upgradePolicy.safeLoad",
            "is true, which needs spec.ofedDriver.upgradePolicy.autoUpgrade",
            "set autoUpgrade to true or safeLoad to false",
        )


def _pool(driver: OfedDriver, cluster: Cluster, pool: NodePool, chosen: Choice) -> dict[str, object]:
    """What tells one pool's DaemonSet from another's.

    One that upstream's operator made keeps what its template runs until the driver's image changes: with ours its pods
    would count as outdated, and replacing them reloads drivers for nothing.
    """
    upstreams = pool.upstreams and chosen.reference == pool.live_images.get(ofed_images.CONTAINER)
    env = _env(driver, cluster, UPSTREAMS_ENV if upstreams else DEFAULT_ENV)
    found = ofed_volumes.volumes_of(driver, pool, cluster)
    toolkit = ofed_toolkit.toolkit_of(pool, cluster) if chosen.builds else None
    return {
        "upstreams": upstreams,
        "name": f"{pool.name}{cluster.scope.hash_suffix}",
        "image": chosen.reference,
        "kernel": pool.kernel,
        "arch": pool.arch,
        "node_selector": common.node_selector(
            {
                names.NIC_LABEL: "true",
                names.OS_ID_LABEL: pool.os_id,
                names.OS_VERSION_LABEL: pool.os_version,
                names.KERNEL_LABEL: pool.kernel,
                **({} if upstreams and pool.any_arch else {names.ARCH_LABEL: pool.arch}),
            },
            cluster,
        ),
        "env": ofed_toolkit.driver_env(env) if toolkit else env,
        # The init container needs the true name of its node, whatever the user's variables say.
        "init_env": [NODE_NAME, *(variable for variable in env if variable["name"] != NODE_NAME["name"])],
        "mounts": found.mounts,
        "volumes": found.volumes,
        "toolkit": toolkit,
        "toolkit_env": ofed_toolkit.toolkit_env(env),
    }


def _init_config() -> str:
    """The init container's settings: which modules must not be in use.

    It must not wait for a safe moment: nothing here would tell it that the moment has come.
    """
    return json.dumps(
        {
            "safeDriverLoad": {
                "enable": False,
                "annotation": "nvidia.com/ofed-driver-upgrade.driver-wait-for-safe-load",
            },
            "moduleDependencyCheck": {
                "modules": MODULES,
                "hostProcPath": "/host/proc",
                "hostSysPath": "/host/sys",
            },
        }
    )


def _env(driver: OfedDriver, cluster: Cluster, defaults: Mapping[str, str]) -> list[dict[str, Any]]:
    """The user's variables, the last of one name, then the cluster's proxy and the defaults, where not named."""
    own = {variable.name: common.as_json(variable) for variable in driver.env or ()}
    added = {**_proxy(own, cluster), **defaults}
    return [*own.values(), *({"name": name, "value": value} for name, value in added.items() if name not in own)]


def _proxy(own: Container[str], cluster: Cluster) -> dict[str, str]:
    """OpenShift's cluster-wide proxy in both spellings; a user who sets either means both."""
    if cluster.openshift is None:
        return {}
    if cluster.openshift.proxy is None:
        raise NotYet("OpenShift's cluster-wide proxy is not known yet")
    found: dict[str, str] = {}
    for name, value in cluster.openshift.proxy.items():
        if name not in own and name.lower() not in own:
            found |= {name: value, name.lower(): value}
    return found


def _probe(probe: Probe | None, defaults: dict[str, int]) -> dict[str, int]:
    """The probe's timing; a value that is absent or below 1 is replaced by the default."""
    given = common.as_json(probe) if probe is not None else {}
    return defaults | {key: value for key, value in given.items() if value >= 1} | {"successThreshold": 1}


def _caveats(spec: NicClusterPolicySpec, cluster: Cluster) -> tuple[str, ...]:
    driver = spec.ofed_driver
    if driver is None:
        return ()
    sentences = []
    if driver.upgrade_policy is not None and driver.upgrade_policy.auto_upgrade:
        sentences.append(
            f"{FIELD}.upgradePolicy has no effect in this version: driver pods are replaced when you delete them"
        )
    chosen = ofed_images.choices(spec, driver, cluster)
    return (*sentences, *ofed_images.unchecked(cluster.pools, chosen, image_name(FIELD, driver, spec)))


def _reads(spec: NicClusterPolicySpec, _: Scope) -> tuple[str, ...]:
    return tuple(ofed_volumes.config_maps(spec.ofed_driver).values()) if spec.ofed_driver else ()


STATE: Final = State(
    "state-OFED",
    "OFEDDriverReady",
    "ofed-driver",
    per_node=True,
    field=FIELD,
    values=_values,
    caveats=_caveats,
    reads=_reads,
)
