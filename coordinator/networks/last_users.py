"""Tells which pods name a NetworkAttachmentDefinition that goes: the plugins need one to take an interface away again.

It is for information, and a list of all pods is a long one in a large cluster. So nothing waits for it, and one serves
all that went before it began.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable
from random import Random
from typing import Final

from coordinator.kube.client import Kube, Source
from coordinator.kube.errors import KubeError
from coordinator.kube.objects import POD, Ref
from coordinator.networks.announcer import Announcer
from coordinator.networks.kinds import Document
from coordinator.networks.users import users
from coordinator.queue import WorkQueue
from nicfleet.reasons import Finding, Reason, name_nodes

log = logging.getLogger(__name__)

_NOT_ENDED: Final = Source(POD, field_selector="status.phase!=Succeeded,status.phase!=Failed", metadata_only=True)


class LastUsers:
    """Lists the pods of the cluster when NADs go, at most once at a time."""

    def __init__(self, kube: Kube, announcer: Announcer, random: Random) -> None:
        self._kube = kube
        self._announcer = announcer
        self._gone: dict[tuple[Ref, str], Document] = {}  # not asked about yet: NAD and uid of its network, the network
        self._queue = WorkQueue[str](random)

    async def run(self) -> None:
        """List for ever what is asked for."""
        await self._queue.run(self._look, workers=1)

    def ask(self, document: Document, nads: Iterable[Ref]) -> None:
        """These NADs of a network go: tell soon, in an Event about it, which pods name them."""
        self._gone |= {(nad, document["metadata"]["uid"]): document for nad in nads}
        if self._gone:
            self._queue.add("pods")

    async def _look(self, _: str) -> None:
        gone, self._gone = self._gone, {}
        nads, pods = {nad for nad, _ in gone}, defaultdict[Ref, list[str]](list)
        try:
            async for page in self._kube.pages(_NOT_ENDED):
                for nad, pod in users(page.items or (), nads):
                    pods[nad].append(pod)
        except KubeError as error:  # there is nothing to make good: a later list would tell of other pods
            log.warning("pods not seen", extra={"definitions": name_nodes(map(str, nads)), "error": str(error)})
            return
        for (nad, _), document in gone.items():
            if found := pods[nad]:
                message = (
                    f"{nad} is removed while {len(found)} {'pod names' if len(found) == 1 else 'pods name'} it "
                    f"({name_nodes(found)}): what they hold of it, addresses too, may be left behind when they end"
                )
                await self._announcer.announce(document, str(nad), Finding(Reason.NetworkInUse, message))
