"""Desired objects → the API server: server-side apply, repair of drift, pruning. Nothing is sent without a difference.

An object that belongs to somebody else is left alone and named. CustomResourceDefinitions and
PersistentVolumeClaims hold other people's data: they are neither pruned nor recreated.
"""

import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from coordinator.kube.client import Kube, Propagation
from coordinator.kube.errors import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    KubeError,
    NotFound,
    TooManyRequests,
    Unanswered,
    Unauthorized,
    Unreachable,
)
from coordinator.kube.limiter import Limiter
from coordinator.kube.objects import Obj, Ref, ref_of
from coordinator.objects.claims import cannot_grow, fitted, stays
from coordinator.objects.crds import crd_stands
from coordinator.objects.desired import UNOWNED
from coordinator.objects.index import ObjectIndex
from coordinator.objects.live import LiveObject, decode_object
from coordinator.objects.outcome import (
    Action,
    Outcome,
    belongs_to_another,
    contested,
    in_no_namespace,
    is_immutable,
    refused,
    repaired,
)
from coordinator.objects.ownership import drift, folded, foreign_owners, managed_fields_patch, needs_apply
from coordinator.objects.repairs import Repairs
from coordinator.objects.surplus import surplus
from nicfleet.names import HASH_ANNOTATION, OBJECTS_MANAGER, OFED_DRIVER_LABEL

log = logging.getLogger(__name__)

_CURABLE: Final = (Unreachable, Unauthorized, TooManyRequests, Conflict, Gone)
"""What says nothing of the object: the pass is made again. Any other answer is about this object alone."""

FOREIGN_SECONDS: Final = 10.0
"""How long an object in our way is believed to be still there: it carries no label of ours, so no watch tells. And a
volume claim to be still as it is, since no watch tells of its storage class."""

UNANSWERED_SECONDS: Final = 30.0
"""Before another attempt at an object whose last one had no answer: each holds up all that comes after it."""


class Applier:
    """Brings the objects of a state in step. One instance per process: it remembers what the server does not keep."""

    def __init__(self, kube: Kube, index: ObjectIndex, limiter: Limiter) -> None:
        self._kube = kube
        self._index = index
        self._limiter = limiter
        self._foreign: dict[Ref, tuple[float, Outcome]] = {}
        self._unanswered: dict[Ref, tuple[float, Outcome]] = {}
        self._repairs = Repairs[Ref]()
        self._inexact: set[tuple[str, str]] = set()  # uid and hash of objects that the server stores otherwise

    async def apply(self, desired: Sequence[Obj]) -> tuple[Outcome, ...]:
        """Apply in order; one refused object does not stop the next.

        Raises KubeError for what a retry may cure: no answer, too many requests, a change of somebody else meanwhile.
        """
        return tuple([await self._apply_one(obj) for obj in desired])

    async def prune(self, state: str, owner: tuple[str, str], keep: Collection[Ref]) -> tuple[Outcome, ...]:
        """Delete what a state of the policy `owner` (kind, name) has left over. Call it only when the index is synced.

        An outcome is WAITING while the object is still there. Raises KubeError as `apply` does.
        """
        return tuple([await self._delete_surplus(each) for each in surplus(self._index.of_state(state), owner, keep)])

    async def _apply_one(self, desired: Obj) -> Outcome:
        ref = ref_of(desired)
        if (unanswered := self._last_unanswered(ref)) is not None:
            return unanswered
        try:
            live = self._index.get(ref)
            if live is None:
                if (known := self._known_foreign(ref)) is not None:
                    return known
                live = await self._look(ref)
            if live is None:
                return await self._create(ref, desired)
            return await self._bring(live, desired)
        except _CURABLE:
            raise
        except Forbidden as error:
            # The rights of a namespace are gone with it, so that the refusal speaks of rights only.
            gone = ref.namespace and not await self._exists(Ref("Namespace", "", ref.namespace))
            return in_no_namespace(ref) if gone else refused(ref, error)
        except KubeError as error:
            return self._refused(ref, error)

    async def _exists(self, ref: Ref) -> bool:
        try:
            await self._kube.get(ref, metadata_only=True)
        except NotFound:
            return False
        except Forbidden:
            return True  # not ours to know
        return True

    def _known_foreign(self, ref: Ref) -> Outcome | None:
        seen, outcome = self._foreign.get(ref, (0.0, None))
        return outcome if outcome is not None and time.monotonic() - seen < FOREIGN_SECONDS else None

    def _refused(self, ref: Ref, error: KubeError) -> Outcome:
        outcome = refused(ref, error)
        if isinstance(error, Unanswered):
            self._unanswered[ref] = (time.monotonic() + UNANSWERED_SECONDS, outcome)
        return outcome

    def _last_unanswered(self, ref: Ref) -> Outcome | None:
        """What became of an attempt that had no answer and is not to be repeated yet."""
        until, outcome = self._unanswered.get(ref, (0.0, None))
        if outcome is not None and (left := until - time.monotonic()) > 0:
            return replace(outcome, again=left)
        self._unanswered.pop(ref, None)
        return None

    async def _look(self, ref: Ref) -> LiveObject | None:
        """Ask for an object that the index lacks: the label that it goes by may be missing, or it is not ours."""
        try:
            return decode_object(await self._kube.get(ref, metadata_only=True), ref.kind)
        except NotFound as error:
            if error.kind_unknown:
                raise
            return None

    async def _create(self, ref: Ref, desired: Obj) -> Outcome:
        # Without force: whatever appeared since we looked is not overwritten.
        await self._send(ref, desired, force=False)
        return Outcome(ref, Action.CREATED)

    async def _bring(self, live: LiveObject, desired: Obj) -> Outcome:
        if live.deleting:
            return Outcome(live.ref, Action.WAITING)
        if live.ref.kind == "CustomResourceDefinition" and (outcome := await self._standing_crd(live, desired)):
            return outcome
        if not live.ours:
            return self._leave(belongs_to_another(live))
        why = needs_apply(live.annotations, live.managed, desired)
        theirs = foreign_owners(live.managed, OBJECTS_MANAGER, desired)
        if not why or (self._is_inexact(live, desired) and not theirs):
            return Outcome(live.ref, Action.UNCHANGED)
        if live.annotations.get(HASH_ANNOTATION) != _hash(desired):
            claim = live.ref.kind == "PersistentVolumeClaim"
            return await (self._fit(live, desired) if claim else self._update(live, desired))
        if wait := self._repairs.wait(live.ref):
            return contested(live.ref, why, wait)
        outcome = await self._update(live, desired)
        if outcome.action is not Action.UPDATED or (self._is_inexact(live, desired) and not theirs):
            return outcome  # stored otherwise than sent before a restart, and now again: nobody changed it
        self._repairs.note(live.ref)
        return repaired(live.ref, why)

    async def _standing_crd(self, live: LiveObject, desired: Obj) -> Outcome | None:
        """The outcome for a CRD that is not to be written, or None for one of ours, to be judged like any object."""
        if live.ours and not needs_apply(live.annotations, live.managed, desired):
            return Outcome(live.ref, Action.UNCHANGED)
        if (known := self._known_foreign(live.ref)) is not None:
            return known
        outcome = crd_stands(live, await self._kube.get(live.ref), desired)
        return outcome and self._leave(outcome)

    async def _fit(self, live: LiveObject, desired: Obj) -> Outcome:
        """A volume claim: it may grow, and is not asked for what it cannot do on every pass."""
        if (known := self._known_foreign(live.ref)) is not None:
            return known
        raw = await self._kube.get(live.ref)
        wanted = fitted(raw, desired)
        try:
            return self._leave(stays(live.ref, raw)) if wanted is None else await self._update(live, wanted)
        except (Forbidden, Invalid) as error:
            if not cannot_grow(error):
                raise
            return self._leave(stays(live.ref, raw))

    def _leave(self, outcome: Outcome) -> Outcome:
        self._foreign[outcome.ref] = (time.monotonic(), outcome)
        return outcome

    async def _update(self, live: LiveObject, desired: Obj) -> Outcome:
        if foreign_owners(live.managed, OBJECTS_MANAGER, desired):
            await self._fold(live, desired)
        try:
            await self._send(live.ref, desired, force=True)
        except Invalid as error:
            if live.ref.kind in UNOWNED or not is_immutable(error):
                raise
            log.info("recreating object", extra={"object": str(live.ref), "error": str(error)})
            return await self._recreate(live, desired)
        return Outcome(live.ref, Action.UPDATED)

    async def _fold(self, live: LiveObject, desired: Obj) -> None:
        entries = folded(live.managed, OBJECTS_MANAGER, desired)
        patch = managed_fields_patch(entries, live.resource_version)
        await self._limiter.run(lambda: self._kube.json_patch(live.ref, patch, manager=OBJECTS_MANAGER))

    async def _send(self, ref: Ref, desired: Obj, *, force: bool) -> None:
        answer = await self._limiter.run(lambda: self._kube.apply(desired, manager=OBJECTS_MANAGER, force=force))
        live = self._index.learn(ref.kind, answer)
        self._foreign.pop(ref, None)
        if foreign_owners(live.managed, OBJECTS_MANAGER, desired):
            return  # somebody wrote at the same time: a matter for the next pass
        if why := drift(live.managed, desired):
            # A field that the server drops or a webhook rewrites would otherwise be sent again on every pass.
            self._inexact.add((live.uid, _hash(desired)))
            log.warning("object is not stored as sent", extra={"object": str(ref), "why": why})

    def _is_inexact(self, live: LiveObject, desired: Obj) -> bool:
        return (live.uid, _hash(desired)) in self._inexact

    async def _recreate(self, live: LiveObject, desired: Obj) -> Outcome:
        if not await self._delete(live, orphan=_is_driver(live)):
            return Outcome(live.ref, Action.WAITING)
        await self._send(live.ref, desired, force=False)
        return Outcome(live.ref, Action.RECREATED)

    async def _delete_surplus(self, live: LiveObject) -> Outcome:
        if live.deleting:
            return Outcome(live.ref, Action.WAITING)
        if (unanswered := self._last_unanswered(live.ref)) is not None:
            return unanswered
        try:
            gone = await self._delete(live, orphan=False)
        except _CURABLE:
            raise
        except KubeError as error:
            return self._refused(live.ref, error)
        return Outcome(live.ref, Action.DELETED if gone else Action.WAITING)

    async def _delete(self, live: LiveObject, *, orphan: bool) -> bool:
        """Delete this very object; True when it is gone at once, False when finalizers hold it."""
        propagation: Propagation = "Orphan" if orphan else "Background"
        try:
            answer = await self._limiter.run(lambda: self._kube.delete(live.ref, live.uid, propagation))
        except (NotFound, Conflict):  # gone, or another one under its name: the watch tells
            self._index.forget(live)
            return True
        if _is_status(answer):
            self._index.forget(live)
            return True
        self._index.learn(live.ref.kind, answer)
        return False


class _Kind(msgspec.Struct, frozen=True):
    kind: str = ""
    metadata: dict[str, msgspec.Raw] = {}


def _is_status(answer: bytes) -> bool:
    """A deletion that is done is answered by a Status; one that waits for finalizers by the object."""
    decoded = msgspec.json.decode(answer, type=_Kind)
    return decoded.kind == "Status" or "deletionTimestamp" not in decoded.metadata


def _is_driver(live: LiveObject) -> bool:
    """The driver's DaemonSet: its Pods must outlive it, since replacing one cuts the node's network."""
    template = live.workload.template if live.workload else {}
    labels = template.get("metadata", {}).get("labels") or {}
    return OFED_DRIVER_LABEL in live.labels or OFED_DRIVER_LABEL in labels


def _hash(desired: Obj) -> str:
    return str(desired["metadata"].get("annotations", {}).get(HASH_ANNOTATION, ""))
