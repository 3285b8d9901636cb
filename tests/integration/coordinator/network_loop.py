"""The networks' part of the coordinator at work, as `app` has it: watches ask, one worker looks."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from random import Random

from coordinator.fleet.facts import Facts
from coordinator.kube.client import Kube
from coordinator.kube.limiter import Limiter
from coordinator.kube.recorder import EventRecorder
from coordinator.networks.kinds import NetworkKey
from coordinator.networks.watch import ROUND, Networks
from coordinator.objects.apply import Applier
from coordinator.objects.index import ObjectIndex
from coordinator.queue import WorkQueue
from tests.integration.coordinator.background import running


class Loop:
    """What the agents say is set from outside."""

    def __init__(self, kube: Kube) -> None:
        self.nodes: Mapping[str, Facts] = {}
        self.settled = True
        self.queue = WorkQueue[NetworkKey](Random(1))
        random = Random(1)
        self.index = ObjectIndex(kube, lambda *change: self.networks.object_changed(*change), random)
        self.networks = Networks(
            kube,
            self.index,
            Applier(kube, self.index, Limiter()),
            EventRecorder(kube),
            nodes=lambda: self.nodes,
            settled=lambda: self.settled,
            ask=self._ask,
            random=random,
        )
        self.passes = 0

    def _ask(self, kind: str, name: str, delay: float) -> None:
        if delay:
            self.queue.add_later((kind, name), delay)
        else:
            self.queue.add((kind, name))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.index.run())
            group.create_task(self.networks.run())
            for synced in (each.synced for each in self.index.reflectors):
                await synced.wait()
            for synced in (each.synced for each in self.networks.reflectors):
                await synced.wait()
            group.create_task(self.queue.run(self._look, workers=4))

    async def _look(self, key: NetworkKey) -> float | None:
        self.passes += key != ROUND
        return await self.networks.reconcile(*key)


@asynccontextmanager
async def at_work(kube: Kube) -> AsyncIterator[Loop]:
    loop = Loop(kube)
    async with running(loop.run()):
        yield loop
