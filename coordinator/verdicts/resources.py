"""From the device plugins' configurations and the nodes' evidence to what each node should offer. Pure."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from coordinator.fleet.plugin_view import PluginView
from coordinator.plugins.prediction import NodePrediction
from coordinator.plugins.predictions import Predictions
from coordinator.verdicts.view import NodeView, ResourceView


class Plugin(Enum):
    RDMA = "state-RDMA-device-plugin"
    SRIOV = "state-SRIOV-device-plugin"


@dataclass(frozen=True, slots=True)
class PluginState:
    """One device plugin as one policy deploys it."""

    key: Hashable
    """Whatever tells it from the others: policy and state."""
    plugin: Plugin
    config: str
    nodes: Sequence[str]
    """Where it runs."""


def unpredicted(
    states: Iterable[PluginState], nodes: Mapping[str, NodeView], predictions: Predictions
) -> Iterator[None]:
    """Make the predictions that are not known yet, one at a step: the caller can do other things in between."""
    for name, configs in _configs(states).items():
        seen = _evidence(nodes[name])
        if seen is not None and not predictions.knows(seen, *configs):
            predictions.of(seen, *configs)
            yield


def resource_views(
    states: Iterable[PluginState], nodes: Mapping[str, NodeView], predictions: Predictions
) -> dict[Hashable, ResourceView]:
    """By key, what each plugin should offer. What both offer is told with the SR-IOV plugin."""
    states = tuple(states)
    predicted = {
        name: predictions.of(seen, *configs)
        for name, configs in _configs(states).items()
        if (seen := _evidence(nodes[name])) is not None
    }
    return {state.key: _view(state, predicted) for state in states}


def _view(state: PluginState, predicted: Mapping[str, NodePrediction]) -> ResourceView:
    here = {name: predicted[name] for name in state.nodes if name in predicted}
    if state.plugin is Plugin.RDMA:
        return ResourceView({name: found.rdma for name, found in here.items()})
    overlaps = {name: found.overlaps for name, found in here.items() if found.overlaps}
    return ResourceView({name: found.sriov for name, found in here.items()}, overlaps)


def _configs(states: Iterable[PluginState]) -> dict[str, tuple[str | None, str | None]]:
    """By node, the configuration of either plugin there; they may come from two policies."""
    found: dict[str, tuple[str | None, str | None]] = {}
    for state in states:
        for name in state.nodes:
            rdma, sriov = found.get(name, (None, None))
            found[name] = (state.config, sriov) if state.plugin is Plugin.RDMA else (rdma, state.config)
    return found


def _evidence(node: NodeView) -> PluginView | None:
    """What an agent sees that is there now and sees all there is."""
    return node.facts.plugin_view if node.live and node.facts is not None and not node.facts.partial else None
