"""OpenShift's driver toolkit: the sidecar in which a driver is built, as RHCOS carries no compiler. Pure.

The toolkit's image has what one kernel needs, and a pool has one kernel. So the image that serves the pool stays while
OpenShift still lists it, though some of its nodes, or all, have come to another RHCOS version with that kernel.
"""

from collections.abc import Sequence
from typing import Any, Final

from coordinator.states.cluster import Cluster, NodePool
from coordinator.states.state import NotYet
from nicfleet.names import OSTREE_LABEL

CONTAINER: Final = "openshift-driver-toolkit-ctr"

_SHARED: Final = {"DTK_OCP_NIC_SHARED_DIR": "/mnt/shared-doca-driver-toolkit"}
_BUILD: Final = {"DTK_OCP_DRIVER_BUILD": "true", **_SHARED}


def toolkit_of(pool: NodePool, cluster: Cluster) -> str | None:
    """The image of the sidecar; None where drivers are not built in one.

    Raises NotYet while it is not known which image that is.
    """
    openshift = cluster.openshift
    if openshift is None or not openshift.use_toolkit:
        return None
    live = pool.live_images.get(CONTAINER)
    if openshift.toolkits is None:
        if live is not None:
            return live
        raise NotYet("the images of the ImageStream openshift/driver-toolkit are not known yet")
    if live in openshift.toolkits.values():
        return live
    if not pool.ostree_versions:
        raise NotYet(
            f"the nodes of pool {pool.name} lack the label {OSTREE_LABEL}, so it is not known which driver toolkit "
            "fits them: let node-feature-discovery set it"
        )
    found = [openshift.toolkits[version] for version in pool.ostree_versions if version in openshift.toolkits]
    if not found:
        versions = " or ".join(pool.ostree_versions)
        raise NotYet(f"the ImageStream openshift/driver-toolkit has no image for RHCOS {versions}")
    return found[0]


def driver_env(env: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The driver container's variables when it lets the sidecar build."""
    return _before(env, _BUILD)


def toolkit_env(env: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The sidecar's variables."""
    return _before(env, _SHARED)


def _before(env: Sequence[dict[str, Any]], added: dict[str, str]) -> list[dict[str, Any]]:
    named = {variable["name"] for variable in env}
    return [*({"name": name, "value": value} for name, value in added.items() if name not in named), *env]
