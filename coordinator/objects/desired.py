"""Policies and cluster to the objects that should exist, state by state. Pure: same input, same bytes.

Some objects have one name for all policies (the driver's ServiceAccount and roles). They are made once, and owned by
every policy that asks for them: the garbage collector removes them with the last one.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from coordinator.kube.objects import Ref, ref_of
from coordinator.objects.render import Obj
from coordinator.policy import InvalidSpec, NicClusterPolicySpec, ObjectMeta
from coordinator.states import STATES, NotYet, State, Values
from coordinator.states.cluster import Cluster
from coordinator.states.images import own_versions
from nicfleet import names
from nicfleet.reasons import Finding, Reason

Render = Callable[[str, Values], tuple[Obj, ...]]
"""A template folder and its values to objects; `coordinator.objects.render.Renderer` is one."""

UNOWNED: Final = frozenset({"CustomResourceDefinition", "PersistentVolumeClaim"})
"""Kinds that hold users' data: never owned by a policy, so that its deletion cannot take the data with it."""


class Owning(Protocol):
    """A policy or network as far as an ownerReference depends on it."""

    @property
    def api_version(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def metadata(self) -> ObjectMeta: ...


class Asking(Owning, Protocol):
    """A policy as far as desired objects depend on it."""

    @property
    def spec(self) -> NicClusterPolicySpec: ...


@dataclass(frozen=True, slots=True)
class StateObjects:
    """What one state of a policy should have in the cluster.

    asked     the policy asks for the state
    objects   what should exist, in the order of applying; empty when not asked for
    problem   what keeps us from knowing: the user's mistake, mostly. What exists must then be left as it is
    caveats   sentences on what the policy asks for and does not get
    own       images of a version that is not `spec.global`'s, each as "path is version"
    offers    a device plugin's configuration: what it should offer
    """

    asked: bool
    objects: tuple[Obj, ...] = ()
    problem: Finding | None = None
    caveats: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    offers: str | None = None


def desired(policy: Asking, cluster: Cluster, render: Render) -> dict[str, StateObjects]:
    """The desired objects of one policy, by upstream's name of the state and in upstream's order."""
    return desired_of_all([(policy, cluster)], render, {})[0]


def desired_of_all(
    asked: Sequence[tuple[Asking, Cluster]], render: Render, conflicts: Mapping[tuple[str, str], Mapping[str, Finding]]
) -> list[dict[str, StateObjects]]:
    """The desired objects of several policies, each with the cluster as it sees it, in their order.

    Of an object that several make, the first one's content and labels count. `conflicts` has, by kind and name of the
    policy, the states that must stay as they are.
    """
    rendered = [
        _rendered(policy.spec, cluster, render, conflicts.get((policy.kind, policy.metadata.name), {}))
        for policy, cluster in asked
    ]
    makers: defaultdict[Ref, list[tuple[Asking, Obj]]] = defaultdict(list)
    for (policy, _), states in zip(asked, rendered, strict=True):
        for obj in (obj for state in states.values() for obj in state.objects):
            makers[ref_of(obj)].append((policy, obj))
    marked = {ref: _marked(made[0][1], [policy for policy, _ in made]) for ref, made in makers.items()}
    return [
        {
            name: replace(state, objects=tuple(marked[ref_of(obj)] for obj in state.objects))
            for name, state in states.items()
        }
        for states in rendered
    ]


def section(spec: NicClusterPolicySpec, path: str) -> object:
    """What a spec has at a dotted path of JSON names; None when it has nothing there."""
    found: object = spec.model_dump(by_alias=True, exclude_none=True)
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _rendered(
    spec: NicClusterPolicySpec, cluster: Cluster, render: Render, conflicts: Mapping[str, Finding]
) -> dict[str, StateObjects]:
    """The states' objects with their labels and without what depends on other policies."""
    found = {}
    for state in STATES:
        if state.name in conflicts:
            found[state.name] = StateObjects(asked=True, problem=conflicts[state.name])
        elif state.per_node or not cluster.scope.name_suffix:
            found[state.name] = _state_objects(state, spec, cluster, render)
    return found


def _state_objects(state: State, spec: NicClusterPolicySpec, cluster: Cluster, render: Render) -> StateObjects:
    try:
        values = state.values(spec, cluster)
    except InvalidSpec as problem:
        return StateObjects(asked=True, problem=Finding(Reason.InvalidSpec, str(problem)))
    except NotYet as missing:
        return StateObjects(asked=True, problem=Finding(Reason.NotYetKnown, str(missing)))
    if values is None:
        return StateObjects(asked=False)
    rendered = render(state.folder, {"ds_owner": cluster.scope.owner, **values})
    objects = tuple(_labelled(obj, state, cluster.scope.owner) for obj in rendered)
    return StateObjects(
        asked=True,
        objects=objects,
        caveats=state.caveats(spec, cluster),
        own=own_versions(state.field, spec),
        offers=state.offers(spec, cluster),
    )


def _labelled(obj: Obj, state: State, owner: str) -> Obj:
    labels = obj["metadata"].get("labels", {}) | {names.STATE_LABEL: state.name}
    if state.per_node:
        labels[names.OWNER_LABEL] = owner
    return obj | {"metadata": obj["metadata"] | {"labels": labels}}


def _marked(obj: Obj, owners: Iterable[Asking]) -> Obj:
    """The object with what tells it is ours: its owners, and the hash by which a change is seen."""
    metadata = obj["metadata"]
    if obj["kind"] not in UNOWNED:
        references = [owner_reference(policy, controller=rank == 0) for rank, policy in enumerate(owners)]
        metadata = metadata | {"ownerReferences": references}
    return hashed(obj | {"metadata": metadata})


def hashed(obj: Obj) -> Obj:
    """The object with an annotation of 32 hexadecimal digits that change with its content and nothing else."""
    canonical = json.dumps(obj, sort_keys=True, separators=(",", ":"))
    digits = hashlib.sha256(canonical.encode()).hexdigest()[:32]
    annotations: Mapping[str, Any] = obj["metadata"].get("annotations", {})
    return obj | {"metadata": obj["metadata"] | {"annotations": {**annotations, names.HASH_ANNOTATION: digits}}}


def owner_reference(owner: Owning, *, controller: bool) -> Obj:
    """By which an object goes with its owner."""
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.metadata.name,
        "uid": owner.metadata.uid,
        "controller": controller,
        "blockOwnerDeletion": True,
    }
