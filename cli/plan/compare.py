"""Desired and live objects → what the coordinator would create, change, delete or leave alone. Pure.

The conclusions are those of `coordinator.objects.apply`, which comes to them one by one while it writes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

import msgspec

from cli.plan.documents import NEW_UID
from cli.plan.fields import ours, part, taken_away, without
from cli.plan.outlook import Outlook, Wanted
from cli.plan.seen import Seen, live_objects
from coordinator.kube.errors import Forbidden, Invalid, KubeError
from coordinator.kube.objects import Obj, Ref, ref_of
from coordinator.networks.definition import NAD
from coordinator.objects.claims import cannot_grow, fitted, stays
from coordinator.objects.crds import crd_stands
from coordinator.objects.desired import UNOWNED, StateObjects
from coordinator.objects.live import LiveObject, decode_object
from coordinator.objects.outcome import Action, Outcome, belongs_to_another, is_immutable, refused
from coordinator.objects.ownership import foreign_owners, needs_apply
from coordinator.objects.revisions import what_runs
from coordinator.objects.served import Owner
from coordinator.objects.surplus import kept, surplus
from coordinator.states import STATES
from nicfleet.names import HASH_ANNOTATION, OBJECTS_MANAGER
from nicfleet.reasons import Finding


class Settled(bytes):
    """An object as the API server would store it once what others hold of it is taken over, its defaults filled in
    again. A bare apply leaves those fields, and takes none of them away."""


Answer = bytes | KubeError
"""What a dry run gave: of an apply, or Settled."""

_CRD: Final = "CustomResourceDefinition"
_CLAIM: Final = "PersistentVolumeClaim"
_NOTHING: Final = StateObjects(asked=False)

_NOISE: Final = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")
_NOISY_ANNOTATIONS: Final = (
    HASH_ANNOTATION,
    "deprecated.daemonset.template.generation",
    "kubectl.kubernetes.io/last-applied-configuration",
)
_NEW_OWNER: Final = "(given by the API server)"


class Act(StrEnum):
    """What would become of an object."""

    CREATE = "create"
    CHANGE = "change"
    REPLACE = "replace"
    """Deleted and made anew: it changes what cannot be changed."""
    DELETE = "delete"
    NONE = "none"
    REFUSED = "refused"
    """It is not as desired and stays so."""
    UNKNOWN = "unknown"
    """The account may not read it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One object before and after, without what the API server alone writes.

    `exact`: the API server has said what it would make of it; else the two show the coordinator's fields only.
    `taken_from` are the field managers whose fields of it become the coordinator's: upstream's operator, or somebody
    whose edit is put back.
    """

    act: Act
    ref: Ref
    owner: Owner
    state: str
    before: Obj | None = None
    after: Obj | None = None
    exact: bool = True
    finding: Finding | None = None
    taken_from: tuple[str, ...] = ()

    @property
    def written(self) -> bool:
        return self.act not in (Act.NONE, Act.REFUSED, Act.UNKNOWN)

    @property
    def rolls(self) -> bool:
        """Its pods are of another template afterwards, or outdated by one where nobody but a person replaces them."""
        return self.act in (Act.CHANGE, Act.REPLACE) and _template(self.before) != _template(self.after)


def to_ask(outlook: Outlook, seen: Seen) -> list[Obj]:
    """The objects that the coordinator would send, for dry runs."""
    live = live_objects(seen.objects)
    found = []
    for wanted in outlook.wanted():
        sent = _to_send(wanted.obj, live.get(wanted.ref), seen)
        if wanted.ref not in seen.hidden and not isinstance(sent, Outcome):
            found.append(sent)
    return found


def to_settle(seen: Seen, sent: Obj, answer: bytes) -> Obj | None:
    """What `answer`, a dry run of the apply, leaves of the object once what others hold of it is taken over; None when
    that takes nothing away. What the API server fills in by itself is not filled in again."""
    raw = seen.objects.get(ref_of(sent))
    if raw is None:
        return None
    kind = sent["kind"]
    gone = taken_away(decode_object(raw, kind), sent, decode_object(answer, kind))
    rest: Obj = without(msgspec.json.decode(answer), gone)
    return rest if gone else None


def compare(outlook: Outlook, seen: Seen, answers: Mapping[Ref, Answer]) -> tuple[Change, ...]:
    """Every object that is desired, in the order of applying, and then those that go."""
    live = live_objects(seen.objects)
    written = [_change(wanted, live.get(wanted.ref), seen, answers) for wanted in outlook.wanted()]
    return (*written, *_surplus(outlook, seen, live, written), *_moved(outlook, seen, live, written))


def clean(obj: Mapping[str, Any]) -> Obj:
    """An object without what the API server alone writes."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _NOISE}
    annotations = {k: v for k, v in (metadata.pop("annotations", None) or {}).items() if k not in _NOISY_ANNOTATIONS}
    if annotations:
        metadata["annotations"] = annotations
    if owners := metadata.get("ownerReferences"):
        metadata["ownerReferences"] = [
            {**owner, "uid": _NEW_OWNER} if owner.get("uid") == NEW_UID else owner for owner in owners
        ]
    return {key: value for key, value in obj.items() if key not in ("metadata", "status")} | {"metadata": metadata}


def _to_send(desired: Obj, live: LiveObject | None, seen: Seen) -> Obj | Outcome:
    """What is sent for an object, or why nothing is."""
    if live is None:
        return desired
    if live.deleting:
        return desired  # made anew when it is gone
    raw, why = seen.objects[live.ref], needs_apply(live.annotations, live.managed, desired)
    standing = crd_stands(live, raw, desired) if live.ref.kind == _CRD and (why or not live.ours) else None
    if standing is not None:
        return standing
    if not live.ours:
        return belongs_to_another(live)
    if not why:
        return Outcome(live.ref, Action.UNCHANGED)
    if live.ref.kind == _CLAIM and live.annotations.get(HASH_ANNOTATION) != _hash(desired):
        return fitted(raw, desired) or stays(live.ref, raw)
    return desired


def _change(wanted: Wanted, live: LiveObject | None, seen: Seen, answers: Mapping[Ref, Answer]) -> Change:
    """What becomes of one desired object."""
    ref = wanted.ref
    about = _About(wanted.owner, wanted.state, ref)
    if ref in seen.hidden:
        return about.change(Act.UNKNOWN)
    sent = _to_send(wanted.obj, live, seen)
    if isinstance(sent, Outcome):
        before = clean(msgspec.json.decode(seen.objects[ref]))
        if sent.action is Action.UNCHANGED:
            return about.change(Act.NONE, before, before)
        return about.change(Act.REFUSED, before, before, finding=sent.finding)
    answer = answers.get(ref)
    unasked = answer is None or (isinstance(answer, Forbidden) and bool(answer.fix))
    if live is None or live.deleting:
        if isinstance(answer, KubeError) and not unasked:
            return about.change(Act.REFUSED, finding=refused(ref, answer).finding)
        return about.change(Act.CREATE, None, clean(sent), exact=not unasked)
    return _of_answer(about, sent, live, seen, None if unasked else answer)


def _of_answer(about: "_About", sent: Obj, live: LiveObject, seen: Seen, answer: Answer | None) -> Change:
    """What becomes of an object that is there and that is sent again."""
    raw: Mapping[str, Any] = msgspec.json.decode(seen.objects[live.ref])
    about = replace(about, taken_from=foreign_owners(live.managed, OBJECTS_MANAGER, sent))
    if isinstance(answer, bytes):
        gone = {} if isinstance(answer, Settled) else taken_away(live, sent, decode_object(answer, live.ref.kind))
        before, after = clean(raw), clean(without(msgspec.json.decode(answer), gone))
        return about.change(Act.NONE if before == after else Act.CHANGE, before, after)
    head: dict[str, Any] = {"apiVersion": sent["apiVersion"], "kind": sent["kind"], "metadata": {}}
    named = {key: raw["metadata"][key] for key in ("name", "namespace") if key in raw["metadata"]}
    owned = head | part(raw, ours(live, sent))
    before, after = clean({**owned, "metadata": named | owned["metadata"]}), clean(sent)
    if answer is None:
        return about.change(Act.CHANGE, before, after, exact=False)
    if isinstance(answer, Invalid) and is_immutable(answer) and live.ref.kind not in UNOWNED:
        return about.change(Act.REPLACE, before, after, exact=False)
    outcome = stays(live.ref, seen.objects[live.ref]) if _claim_stays(live, answer) else refused(live.ref, answer)
    return about.change(Act.REFUSED, before, after, exact=False, finding=outcome.finding)


def _claim_stays(live: LiveObject, answer: KubeError) -> bool:
    return live.ref.kind == _CLAIM and isinstance(answer, Forbidden | Invalid) and cannot_grow(answer)


def _surplus(
    outlook: Outlook, seen: Seen, live: Mapping[Ref, LiveObject], written: Iterable[Change]
) -> Iterable[Change]:
    """What the policies' states have left over."""
    refusals = {change.ref for change in written if change.act is Act.REFUSED}
    for state in (state.name for state in STATES):
        of_state = [item for item in live.values() if item.state == state]
        wanted = {each.policy.owner: each.states.get(state, _NOTHING) for each in outlook.plans}
        spared = outlook.intake.untouched | {
            owner
            for owner, objects in wanted.items()
            if objects.problem or any(ref_of(obj) in refusals for obj in objects.objects)
        }
        keep, owners = kept(of_state, wanted, spared)
        going = {item.ref: owner for owner in owners for item in surplus(of_state, owner, keep) if not item.deleting}
        for ref, owner in going.items():
            yield _About(owner, state, ref).change(Act.DELETE, clean(msgspec.json.decode(seen.objects[ref])))


def _moved(outlook: Outlook, seen: Seen, live: Mapping[Ref, LiveObject], written: Iterable[Change]) -> Iterable[Change]:
    """What networks have left in other namespaces: it goes when the new one is there."""
    there = {change.ref: change for change in written if change.ref.kind == NAD}
    for network in outlook.networks:
        if network.wanted is None or there[network.wanted.ref].act in (Act.REFUSED, Act.UNKNOWN):
            continue
        uid = network.document["metadata"]["uid"]
        for item in live.values():
            own = item.state == network.state and any(owner.uid == uid for owner in item.owners)
            if own and item.ref != network.wanted.ref and not item.deleting:
                before = clean(msgspec.json.decode(seen.objects[item.ref]))
                yield _About(network.owner, network.state, item.ref).change(Act.DELETE, before)


@dataclass(frozen=True, slots=True)
class _About:
    """Which object a change is about."""

    owner: Owner
    state: str
    ref: Ref
    taken_from: tuple[str, ...] = ()

    def change(
        self,
        act: Act,
        before: Obj | None = None,
        after: Obj | None = None,
        *,
        exact: bool = True,
        finding: Finding | None = None,
    ) -> Change:
        taken_from = self.taken_from if act in (Act.CHANGE, Act.REPLACE) else ()
        return Change(act, self.ref, self.owner, self.state, before, after, exact, finding, taken_from)


def _template(obj: Obj | None) -> object:
    spec = (obj or {}).get("spec", {})
    template = spec.get("template")
    on_delete = (spec.get("updateStrategy") or {}).get("type") == "OnDelete"
    return what_runs(template) if on_delete and template else template


def _hash(desired: Obj) -> str:
    return str(desired["metadata"].get("annotations", {}).get(HASH_ANNOTATION, ""))
