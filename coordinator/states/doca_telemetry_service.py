"""state-doca-telemetry-service: counters of NICs and of the pods that use them, for Prometheus."""

from collections.abc import Iterator
from typing import Final

from coordinator.policy import InvalidSpec, NicClusterPolicySpec
from coordinator.policy.components import DocaTelemetryService
from coordinator.states import common
from coordinator.states.cluster import Cluster, Scope
from coordinator.states.state import State, Values

FIELD: Final = "spec.docaTelemetryService"
DEFAULT_CONFIG_MAP: Final = "doca-telemetry-service"

# The image fixes the key. Port 0: no aggregator is listened for.
DEFAULT_DATA: Final = {
    "dts_config_map.ini": """\
port=0
sync-time-limit=10000
counter-buffer-size=0
event-buffer-size=0
verbose=6
update=1000
runtime-configuration-folder=/config/clx_last_runtime_conf
idle-time-limit=0
enable-explicitly=true
enable-provider=sysfs
enable-provider=pod_resources
enable-provider=ethtool
enable-provider=ifconfig
prometheus=http://0.0.0.0:9189
prometheus-ignore-tags=FI_metrics
"""
}


def _values(spec: NicClusterPolicySpec, cluster: Cluster) -> Values | None:
    service = spec.doca_telemetry_service
    if service is None:
        return None
    own = _own_config_map(service)
    data = DEFAULT_DATA if service.config is None else cluster.config_maps.get(own)
    defaults: dict[str, common.Resources] = {"doca-telemetry-service": {}}
    return common.component_values(FIELD, service, spec, cluster, defaults, _problems(service)) | {
        "tolerations": common.daemonset_tolerations(spec),
        "affinity": common.daemonset_affinity(spec),
        "node_selector": common.node_selector(common.DRIVER_LOADED, cluster),
        "config_map": own or DEFAULT_CONFIG_MAP,
        "default_data": DEFAULT_DATA if service.config is None else None,
        "config_hash": None if data is None else common.data_hash(data),
    }


def _own_config_map(service: DocaTelemetryService) -> str:
    """The name of the user's ConfigMap; empty without one."""
    return (service.config and service.config.from_config_map) or ""


def _problems(service: DocaTelemetryService) -> Iterator[InvalidSpec]:
    if service.config is None:
        return
    field, name = f"{FIELD}.config.fromConfigMap", _own_config_map(service)
    if not name:
        yield InvalidSpec(field, "is missing", "name a ConfigMap, or remove config to use the default one")
    else:
        yield from common.name_problems(field, name, "ConfigMap")


def _caveats(spec: NicClusterPolicySpec, cluster: Cluster) -> tuple[str, ...]:
    name = _own_config_map(spec.doca_telemetry_service) if spec.doca_telemetry_service else ""
    if not name or name in cluster.config_maps:
        return ()
    return (f"{FIELD}.config.fromConfigMap: pods wait until you make ConfigMap {name} in the operator's namespace",)


def _reads(spec: NicClusterPolicySpec, _: Scope) -> tuple[str, ...]:
    name = _own_config_map(spec.doca_telemetry_service) if spec.doca_telemetry_service else ""
    return (name,) if name else ()


STATE: Final = State(
    "state-doca-telemetry-service",
    "DOCATelemetryServiceReady",
    "doca-telemetry-service",
    per_node=False,
    field=FIELD,
    values=_values,
    caveats=_caveats,
    reads=_reads,
)
