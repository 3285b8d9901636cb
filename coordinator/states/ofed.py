"""state-OFED: the NIC driver, one DaemonSet per node pool, replaced only when its pods are deleted."""

import json
from typing import Any, Final

from coordinator.policy import InvalidSpec, NicClusterPolicySpec, OfedDriver, Probe
from coordinator.states import common
from coordinator.states.cluster import Cluster, NodePool
from coordinator.states.images import DIGEST_PREFIX, image_name, image_version, pull_secrets, reference
from coordinator.states.state import State, Values
from nicfleet import names

FIELD: Final = "spec.ofedDriver"

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

DEFAULT_ENV: Final = {
    "CREATE_IFNAMES_UDEV": "true",
    "NVIDIA_NIC_DRIVERS_INVENTORY_PATH": "/mnt/drivers-inventory",
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
    _refuse_unsupported(driver)
    name = image_name(FIELD, driver, spec)
    version = image_version(FIELD, driver, spec)
    reference(FIELD, name, version)  # refused also while no node asks for it
    env = _env(driver)
    return {
        "namespace": cluster.namespace,
        "init_image": cluster.ofed_init_image,
        "init_config": _init_config(),
        "pools": [_pool(name, version, pool) for pool in cluster.pools],
        "pull_secrets": pull_secrets(driver, spec),
        "resources": common.resources(FIELD, driver, {"mofed-container": {}}),
        "tolerations": common.daemonset_tolerations(spec),
        "affinity": common.daemonset_affinity(spec) | ALONE_ON_NODE,
        "termination_grace_period_seconds": driver.termination_grace_period_seconds,
        "env": env,
        # The init container needs the true name of its node, whatever the user's variables say.
        "init_env": [NODE_NAME, *(variable for variable in env if variable["name"] != NODE_NAME["name"])],
        "startup_probe": _probe(driver.startup_probe, STARTUP),
        "liveness_probe": _probe(driver.liveness_probe, RUNNING),
        "readiness_probe": _probe(driver.readiness_probe, RUNNING),
    }


def _refuse_unsupported(driver: OfedDriver) -> None:
    """What is asked for and not built yet must be said, not left out."""
    if driver.force_precompiled and not (driver.version or "").startswith(DIGEST_PREFIX):
        raise InvalidSpec(
            f"{FIELD}.forcePrecompiled", "is not supported by this version", "give the image's digest as version"
        )
    for name, ref in (("certConfig", driver.cert_config), ("repoConfig", driver.repo_config)):
        if ref is not None and ref.name:
            raise InvalidSpec(f"{FIELD}.{name}", "is not supported by this version", "remove it")


def _pool(name: str, version: str, pool: NodePool) -> dict[str, str]:
    """What tells one pool's DaemonSet from another's. A digest stands for one image, whatever the pool."""
    if not version.startswith(DIGEST_PREFIX):
        version = f"{version}-{pool.os_id}{pool.os_version}-{pool.arch}"
    return {
        "name": pool.name,
        "image": reference(FIELD, name, version),
        "os_id": pool.os_id,
        "os_version": pool.os_version,
        "kernel": pool.kernel,
        "arch": pool.arch,
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


def _env(driver: OfedDriver) -> list[dict[str, Any]]:
    """The user's variables, the last of one name, then the defaults of those not named."""
    own = {variable.name: common.as_json(variable) for variable in driver.env or ()}
    return [*own.values(), *({"name": n, "value": v} for n, v in DEFAULT_ENV.items() if n not in own)]


def _probe(probe: Probe | None, defaults: dict[str, int]) -> dict[str, int]:
    """The probe's timing; a value that is absent or below 1 is replaced by the default."""
    given = common.as_json(probe) if probe is not None else {}
    return defaults | {key: value for key, value in given.items() if value >= 1} | {"successThreshold": 1}


def _caveats(spec: NicClusterPolicySpec, _: Cluster) -> tuple[str, ...]:
    upgrade = spec.ofed_driver.upgrade_policy if spec.ofed_driver else None
    if upgrade is None or not upgrade.auto_upgrade:
        return ()
    return (f"{FIELD}.upgradePolicy has no effect in this version: driver pods are replaced when you delete them",)


STATE: Final = State("state-OFED", "OFEDDriverReady", "ofed-driver", per_node=True, values=_values, caveats=_caveats)
