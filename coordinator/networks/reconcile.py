"""One pass over a network: gather → plan → apply → status, as `coordinator.reconcile` has it for the policies."""

import logging
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from coordinator.kube.client import Kube
from coordinator.kube.objects import Ref, ref_of
from coordinator.kube.reflector import Reflector
from coordinator.networks.announcer import Announcer
from coordinator.networks.definition import definition, namespace_of
from coordinator.networks.evidence import Evidence
from coordinator.networks.kinds import KINDS, Document, NetworkKey, NetworkKind, key_of, lives, read
from coordinator.networks.last_users import LastUsers
from coordinator.networks.rivals import claim, holder, rival
from coordinator.networks.verdicts import network_status, not_ready, problem_of
from coordinator.objects.apply import FOREIGN_SECONDS, Applier
from coordinator.objects.index import ObjectIndex
from coordinator.objects.live import LiveObject
from coordinator.objects.outcome import Action, Outcome
from coordinator.policy import InvalidSpec
from coordinator.policy.networks import Network
from coordinator.verdicts.readiness import Level, Verdict
from nicfleet.names import OBJECTS_MANAGER, STATUS_MANAGER
from nicfleet.reasons import Finding, Reason

log = logging.getLogger(__name__)

WAITING_SECONDS: Final = 5.0
"""Between looks while something is in the way and no watch may tell: a namespace, a CRD, another network."""

WARNED_SECONDS: Final = 60.0
"""Between looks while a node says something against a network: its VFs come and go without a word."""

STATUS_SECONDS: Final = 2.0
"""Between two status writes of one network that only refine its reason."""


@dataclass(frozen=True, slots=True)
class Deps:
    """All that a pass reads from and writes to.

    `networks` has one Reflector per kind. While the `evidence` is not final, what stands in a status counts more.
    """

    kube: Kube
    networks: Mapping[str, Reflector[Document]]
    index: ObjectIndex
    applier: Applier
    announcer: Announcer
    last_users: LastUsers
    evidence: Evidence


class NetworkReconciler:
    """Brings each network's NetworkAttachmentDefinition in step with it, and its status with the cluster."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._orphaned: set[NetworkKey] = set()
        self._told: defaultdict[NetworkKey, frozenset[Reason]] = defaultdict(frozenset)
        self._written_at: dict[NetworkKey, float] = {}

    def goes(self, document: Document) -> None:
        """A network is being deleted: so is its NAD, unless it is orphaned."""
        if not _orphans(document):
            self._deps.last_users.ask(document, self._held(document))

    def gone(self, document: Document) -> None:
        """A network was deleted, which was this. One that was orphaned leaves its NAD behind, as its user wants."""
        if _orphans(document):
            self._orphaned.add(key_of(document))

    async def reconcile(self, kind: str, name: str) -> float | None:
        """One pass. Returns the seconds after which to look again without being asked, or None.

        Raises KubeError for what a retry may cure.
        """
        document = self._deps.networks[kind].get(name)
        if document is None:
            return await self._remove((kind, name))
        self._orphaned.discard((kind, name))
        if not lives(document):
            return None  # the garbage collector is at work: what it deletes is no drift
        try:
            network = read(document)
            nad = definition(network)
        except InvalidSpec as problem:
            return await self._refuse(document, Finding(Reason.InvalidSpec, str(problem)), None)
        others = [other for each in self._deps.networks.values() for other in each.values()]
        in_the_way = rival(document, others) or holder(self._deps.index.get(ref_of(nad)), document, others)
        if in_the_way is not None:
            return await self._refuse(document, in_the_way, WAITING_SECONDS)
        (outcome,) = await self._deps.applier.apply([nad])
        if (finding := problem_of(outcome)) is not None:
            return await self._refuse(document, finding, _again(outcome))
        return await self._settle(document, network, outcome)

    async def _settle(self, document: Document, network: Network, outcome: Outcome) -> float | None:
        """The NAD is as desired: what is left elsewhere goes, and the network says so."""
        kind = KINDS[network.kind]
        goes = await self._leave_elsewhere(document, kind, outcome.ref)
        document = await self._note_namespace(document, kind, namespace_of(network))
        if outcome.action is Action.REPAIRED and outcome.finding is not None:
            await self._deps.announcer.announce(document, str(outcome.ref), outcome.finding)
        found, final = self._deps.evidence.about(network)
        verdict = Verdict(kind.state, Level.READY, None, found)
        stands = _essence(network_status(kind, verdict, outcome.ref)) == _essence(document.get("status") or {})
        if stands and outcome.action is Action.UNCHANGED and not final:
            return WAITING_SECONDS  # its reason was written by more than is known now
        wait = await self._conclude(document, verdict, outcome.ref)
        looks = (wait, WAITING_SECONDS if goes else None, WARNED_SECONDS if any(each.nodes for each in found) else None)
        return min((seconds for seconds in looks if seconds is not None), default=None)

    async def _refuse(self, document: Document, finding: Finding, again: float | None) -> float | None:
        """There is no NAD as desired. What exists of an earlier one stays."""
        kind = KINDS[document["kind"]]
        await self._conclude(document, not_ready(kind, finding), claim(document))
        return again

    async def _remove(self, key: NetworkKey) -> float | None:
        """The network is gone: so is its NAD. The garbage collector may take half a minute to hear of it."""
        self._told.pop(key, None)
        self._written_at.pop(key, None)
        if key in self._orphaned:
            self._orphaned.discard(key)
            return None
        gone = await self._deps.applier.prune(KINDS[key[0]].state, key, keep=())
        return WAITING_SECONDS if any(outcome.action is not Action.DELETED for outcome in gone) else None

    async def _leave_elsewhere(self, document: Document, kind: NetworkKind, wanted: Ref) -> bool:
        """Remove what this network owns in other namespaces, whoever made it there, and when. True while some is left.

        By its owner's uid: neither a namesake's nor another's NAD is touched.
        """
        owned = [live for live in self._owned(document, kind) if live.ref != wanted]
        if not owned:
            return False
        keep = {live.ref for live in self._deps.index.of_state(kind.state)} - {live.ref for live in owned}
        outcomes = await self._deps.applier.prune(kind.state, key_of(document), keep)
        stay = {outcome.ref for outcome in outcomes if outcome.action is Action.REFUSED}
        self._deps.last_users.ask(document, [live.ref for live in owned if not live.deleting and live.ref not in stay])
        return any(outcome.action is not Action.DELETED for outcome in outcomes)

    def _held(self, document: Document) -> list[Ref]:
        """The NADs that a network has: those that are known, and the one that its status names."""
        kind = KINDS[document["kind"]]
        named = [claim(document)] if kind.link in (document.get("status") or {}) else []
        return list(dict.fromkeys((*named, *(live.ref for live in self._owned(document, kind)))))

    def _owned(self, document: Document, kind: NetworkKind) -> list[LiveObject]:
        """By uid, in any namespace."""
        uid, nads = document["metadata"]["uid"], self._deps.index.of_state(kind.state)
        return [live for live in nads if any(owner.uid == uid for owner in live.owners)]

    async def _note_namespace(self, document: Document, kind: NetworkKind, namespace: str) -> Document:
        """Upstream's record of where the NAD is. Only this one annotation is written: the others are the user's."""
        metadata = document["metadata"]
        annotation = kind.last_namespace
        if annotation is None or (metadata.get("annotations") or {}).get(annotation) == namespace:
            return document
        ref = Ref(kind.resource.kind, "", metadata["name"])
        patch = {
            "apiVersion": document["apiVersion"],
            "kind": document["kind"],
            "metadata": {"name": metadata["name"], "uid": metadata["uid"], "annotations": {annotation: namespace}},
        }
        answer = await self._deps.kube.merge_patch(ref, patch, manager=OBJECTS_MANAGER)
        return self._deps.networks[kind.resource.kind].learn(answer)

    async def _conclude(self, document: Document, verdict: Verdict, nad: Ref) -> float | None:
        """PUT the status unless it stands there already. Returns when to come back with one that can wait."""
        key, previous = key_of(document), document.get("status") or {}
        status = network_status(KINDS[key[0]], verdict, nad)
        if status == previous:
            return None
        since = time.monotonic() - self._written_at.get(key, float("-inf"))
        if since < STATUS_SECONDS and _essence(status) == _essence(previous):
            return STATUS_SECONDS - since
        answer = await self._deps.kube.replace_status({**document, "status": status}, manager=STATUS_MANAGER)
        self._written_at[key] = time.monotonic()
        self._deps.networks[key[0]].learn(answer)
        await self._tell(document, verdict)
        return None

    async def _tell(self, document: Document, verdict: Verdict) -> None:
        """What is new in it, by a log line and an Event."""
        key = key_of(document)
        for finding in verdict.findings:
            if finding.reason not in self._told[key]:
                await self._deps.announcer.announce(document, verdict.name, finding)
        if not verdict.findings:
            log.info("network is ready", extra={"network": f"{key[0]} {key[1]}"})
        self._told[key] = frozenset(finding.reason for finding in verdict.findings)


def _again(outcome: Outcome) -> float:
    """The Applier remembers an object in its way for a while."""
    conflict = outcome.finding is not None and outcome.finding.reason is Reason.ObjectConflict
    return FOREIGN_SECONDS + 0.1 if conflict else outcome.again or WAITING_SECONDS


def _orphans(document: Document) -> bool:
    """It is being deleted with `--cascade=orphan`."""
    return "orphan" in (document["metadata"].get("finalizers") or ())


def _essence(status: Mapping[str, Any]) -> dict[str, Any]:
    """A status without what may change with every node."""
    return {key: value for key, value in status.items() if key not in ("reason", "appliedStates")}
