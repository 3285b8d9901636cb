"""What the two device plugins share: where their configuration comes from, and which of their programs know CDI."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from coordinator.policy import InvalidSpec, NicClusterPolicySpec
from coordinator.policy.components import DevicePlugin
from coordinator.states import common
from coordinator.states.cluster import Cluster, Scope
from coordinator.states.state import State, Values

KEY: Final = "config.json"
"""The key of its ConfigMap that a plugin reads."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """One of the two.

    field        path of its section in a policy
    section      a spec to that section
    container    name of its container
    config_map   name of the ConfigMap with its configuration; a NicNodePolicy's has a suffix
    problems     what is wrong with a configuration
    cautions     what of a configuration has no effect, in sentences
    cdi_since    the first version that knows CDI
    before_cdi   matches the tags of earlier ones, which end at the option for it
    """

    field: str
    section: Callable[[NicClusterPolicySpec], DevicePlugin | None]
    container: str
    config_map: str
    problems: Callable[[str], tuple[InvalidSpec, ...]]
    cautions: Callable[[str], tuple[str, ...]]
    cdi_since: str
    before_cdi: re.Pattern[str]


class _Config(NamedTuple):
    """The text of a configuration, and where the user finds it; no text while the user's ConfigMap does not have it."""

    text: str | None
    place: str


def state_of(plugin: Plugin, name: str, condition: str, folder: str) -> State:
    """The state of either plugin."""
    return State(
        name,
        condition,
        folder,
        per_node=True,
        field=plugin.field,
        values=partial(_values, plugin),
        caveats=partial(_caveats, plugin),
        reads=partial(_reads, plugin),
        offers=partial(_offers, plugin),
    )


def _values(plugin: Plugin, spec: NicClusterPolicySpec, cluster: Cluster) -> Values | None:
    if (asked := plugin.section(spec)) is None:
        return None
    config = _config(plugin, asked, cluster)
    problems = (*_config_problems(plugin, config), *_cdi_problems(plugin, asked, spec))
    return common.component_values(plugin.field, asked, spec, cluster, {plugin.container: {}}, problems) | {
        "tolerations": common.daemonset_tolerations(spec),
        "affinity": common.daemonset_affinity(spec),
        "node_selector": common.node_selector(common.DRIVER_LOADED, cluster),
        "name_suffix": cluster.scope.name_suffix,
        "hash_suffix": cluster.scope.hash_suffix,
        "config_map": _config_map(plugin, cluster.scope),
        "config": asked.config,
        "config_hash": None if config.text is None else common.config_hash(config.text),
        "use_cdi": bool(asked.use_cdi),
    }


def _caveats(plugin: Plugin, spec: NicClusterPolicySpec, cluster: Cluster) -> tuple[str, ...]:
    """What of the configuration has no effect, or that there is none yet."""
    if (asked := plugin.section(spec)) is None:
        return ()
    config = _config(plugin, asked, cluster)
    if config.text is None:
        name = _config_map(plugin, cluster.scope)
        wait = f"pods wait until you make ConfigMap {name} in the operator's namespace, with the key {KEY}"
        return (f"{plugin.field}.config is absent: {wait}",)
    return tuple(_placed(plugin, sentence, config) for sentence in plugin.cautions(config.text))


def _reads(plugin: Plugin, spec: NicClusterPolicySpec, scope: Scope) -> tuple[str, ...]:
    """The user's own ConfigMap, when the policy has no configuration."""
    asked = plugin.section(spec)
    return () if asked is None or asked.config is not None else (_config_map(plugin, scope),)


def _offers(plugin: Plugin, spec: NicClusterPolicySpec, cluster: Cluster) -> str | None:
    """The configuration in force, of the policy or of the user's own ConfigMap; None while there is none."""
    asked = plugin.section(spec)
    return None if asked is None else _config(plugin, asked, cluster).text


def _config_map(plugin: Plugin, scope: Scope) -> str:
    return plugin.config_map + scope.name_suffix


def _config(plugin: Plugin, asked: DevicePlugin, cluster: Cluster) -> _Config:
    if asked.config is not None:
        return _Config(asked.config, f"{plugin.field}.config")
    name = _config_map(plugin, cluster.scope)
    return _Config(cluster.config_maps.get(name, {}).get(KEY), f"{KEY} of ConfigMap {name}")


def _config_problems(plugin: Plugin, config: _Config) -> Iterator[InvalidSpec]:
    for problem in () if config.text is None else plugin.problems(config.text):
        yield InvalidSpec(_placed(plugin, problem.field, config), problem.problem, problem.fix)


def _placed(plugin: Plugin, text: str, config: _Config) -> str:
    """The text with the place where this configuration is; it knows only of the policy's field."""
    return text.replace(f"{plugin.field}.config", config.place, 1)


def _cdi_problems(plugin: Plugin, asked: DevicePlugin, spec: NicClusterPolicySpec) -> Iterator[InvalidSpec]:
    version = asked.version or (spec.global_ and spec.global_.version) or ""
    if asked.use_cdi and plugin.before_cdi.match(version) is not None:
        yield InvalidSpec(
            f"{plugin.field}.useCdi",
            f"is true, and version {version} of the plugin knows no CDI",
            f"use {plugin.cdi_since} or later, or set useCdi to false",
        )
