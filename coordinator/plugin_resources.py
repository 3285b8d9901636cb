"""What device plugins should offer on each node, and for how long a node has offered less."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from coordinator.objects.served import Owner
from coordinator.plugins.predictions import Predictions
from coordinator.verdicts.checks.resources import short_nodes
from coordinator.verdicts.patience import Patience
from coordinator.verdicts.resources import Plugin, PluginState, resource_views, unpredicted
from coordinator.verdicts.view import NodeView, StateView
from nicfleet.reasons import Reason

Views = Mapping[Owner, tuple[StateView, ...]]
Offers = Mapping[tuple[Owner, str], str]
"""The configurations of device plugins, by policy and state."""

STEPS_AT_ONCE = 10
"""Predictions between two moments for labels and agents: one of a large node takes milliseconds."""


class PluginResources:
    """Remembers predictions, and since when a node has been short of one."""

    def __init__(self) -> None:
        self._predictions = Predictions()
        self._patience = Patience()

    async def predicted(
        self, views: Views, offers: Offers, nodes: Mapping[str, NodeView]
    ) -> dict[Owner, tuple[StateView, ...]]:
        """The views with what each device plugin should offer."""
        states = tuple(_plugin_states(views, offers))
        for step, _ in enumerate(unpredicted(states, nodes, self._predictions)):
            if step % STEPS_AT_ONCE == 0:
                await asyncio.sleep(0)
        found = resource_views(states, nodes, self._predictions)
        return {
            owner: tuple(replace(view, resources=found.get((owner, view.name))) for view in seen)
            for owner, seen in views.items()
        }

    def judged(
        self,
        views: Views,
        offers: Offers,
        statuses: Mapping[Owner, Mapping[str, Any]],
        now: datetime,
        *,
        settled: bool,
    ) -> dict[Owner, tuple[StateView, ...]]:
        """The views with the nodes that have been short for too long; `statuses` stand on the API server.

        `settled` says that each agent had its time to report.
        """
        self._patience.keep(offers)
        return {
            owner: tuple(self._with_overdue(owner, view, offers, statuses[owner], now, settled) for view in seen)
            for owner, seen in views.items()
        }

    def next(self, now: datetime) -> datetime | None:
        """When a node's time to offer all ends next."""
        return self._patience.next(now)

    def _with_overdue(
        self,
        owner: Owner,
        view: StateView,
        offers: Offers,
        status: Mapping[str, Any],
        now: datetime,
        settled: bool,
    ) -> StateView:
        if view.resources is None:
            return view
        key = (owner, view.name)
        overdue = self._patience.lasting(
            key,
            short_nodes(view),
            now,
            self._predictions.grace(offers[key] if view.name == Plugin.RDMA.value else None),
            told=any(condition["reason"] == Reason.ResourceMissing for condition in status.get("conditions") or ()),
            settled=settled,
        )
        return replace(view, resources=replace(view.resources, overdue=overdue))


def _plugin_states(views: Views, offers: Offers) -> Iterator[PluginState]:
    for owner, seen in views.items():
        for view in seen:
            if (config := offers.get((owner, view.name))) is not None:
                nodes = [name for workload in view.workloads for name in workload.placement.admitted]
                yield PluginState((owner, view.name), Plugin(view.name), config, nodes)
