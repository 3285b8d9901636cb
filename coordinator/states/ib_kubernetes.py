"""state-ib-kubernetes: gives GUIDs and partition keys to pods, by way of the subnet manager UFM."""

import re
from collections.abc import Iterator
from typing import Final

from coordinator.policy import InvalidSpec, NicClusterPolicySpec
from coordinator.policy.components import IbKubernetes
from coordinator.states import common
from coordinator.states.cluster import Cluster
from coordinator.states.images import image_version
from coordinator.states.state import State, Values

FIELD: Final = "spec.ibKubernetes"
START: Final = f"{FIELD}.pKeyGUIDPoolRangeStart"
END: Final = f"{FIELD}.pKeyGUIDPoolRangeEnd"
RESOURCES: Final = {"requests": {"cpu": "100m", "memory": "300Mi"}}

_GUID: Final = re.compile(r"(?:[0-9A-Fa-f]{2}:){7}[0-9A-Fa-f]{2}")
_LARGEST: Final = 2**64 - 1
_VERSION_1_0: Final = re.compile(r"v?1\.0(?!\d)")


def _values(spec: NicClusterPolicySpec, cluster: Cluster) -> Values | None:
    manager = spec.ib_kubernetes
    if manager is None:
        return None
    defaults: dict[str, common.Resources] = {"ib-kubernetes": RESOURCES}
    built_in = (*common.CONTROL_PLANE_TOLERATIONS, common.GPU_TOLERATION)
    return common.component_values(FIELD, manager, spec, cluster, defaults, _problems(manager)) | {
        "tolerations": common.deployment_tolerations(spec, built_in),
        "affinity": common.deployment_affinity(spec),
        # Images of 1.0 (policies up to 24.7) have the program elsewhere.
        "command": "/usr/bin/ib-kubernetes" if _is_1_0(image_version(FIELD, manager, spec)) else "/ib-kubernetes",
        "periodic_update": str(manager.periodic_update_seconds),
        "range_start": manager.pkey_guid_pool_range_start,
        "range_end": manager.pkey_guid_pool_range_end,
        "ufm_secret": manager.ufm_secret,
    }


def _is_1_0(version: str) -> bool:
    return _VERSION_1_0.match(version) is not None


def _problems(manager: IbKubernetes) -> Iterator[InvalidSpec]:
    if manager.periodic_update_seconds == 0:
        yield InvalidSpec(f"{FIELD}.periodicUpdateSeconds", "is 0, at which the component ends", "use 1 or more")
    yield from _range_problems(manager.pkey_guid_pool_range_start, manager.pkey_guid_pool_range_end)
    if not manager.ufm_secret:
        yield InvalidSpec(f"{FIELD}.ufmSecret", "is missing", "name the Secret with the access data of UFM")
    else:
        yield from common.name_problems(f"{FIELD}.ufmSecret", manager.ufm_secret, "Secret")


def _range_problems(start: str | None, end: str | None) -> Iterator[InvalidSpec]:
    """What is wrong with the pool's ends: each by itself, then, if nothing is, their order."""
    wrong = [
        *_guid_problems(START, start, "02:00:00:00:00:00:00:00"),
        *_guid_problems(END, end, "02:FF:FF:FF:FF:FF:FF:FF"),
    ]
    yield from wrong
    if wrong or start is None or end is None:
        return
    if _number(start) == 0:
        yield InvalidSpec(START, "is zero, which is no GUID", "use 00:00:00:00:00:00:00:01 or more")
    if _number(end) == _LARGEST:
        yield InvalidSpec(END, "is the largest number, which is no GUID", "use FF:FF:FF:FF:FF:FF:FF:FE or less")
    if _number(end) <= _number(start):
        yield InvalidSpec(END, f"is {end}, not more than the start of the pool, {start}", "raise it or lower the start")


def _guid_problems(field: str, guid: str | None, example: str) -> Iterator[InvalidSpec]:
    if not guid:
        yield InvalidSpec(field, "is missing", f"set it, for example to {example}")
    elif _GUID.fullmatch(guid) is None:
        yield InvalidSpec(field, f"is {guid[:80]!r}, which is no GUID", f"write eight bytes in hex, as {example}")


def _number(guid: str) -> int:
    return int(guid.replace(":", ""), 16)


STATE: Final = State(
    "state-ib-kubernetes", "IBKubernetesReady", "ib-kubernetes", per_node=False, field=FIELD, values=_values
)
