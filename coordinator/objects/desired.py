"""Policy and cluster to the objects that should exist, state by state. Pure: same input, same bytes."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from coordinator.objects.render import Obj
from coordinator.policy import InvalidSpec, NicClusterPolicy, NicClusterPolicySpec
from coordinator.states import STATES, UNBUILT, State, Values
from coordinator.states.cluster import Cluster
from nicfleet import names

Render = Callable[[str, Values], tuple[Obj, ...]]
"""A template folder and its values to objects; `coordinator.objects.render.Renderer` is one."""

UNOWNED: Final = frozenset({"CustomResourceDefinition", "PersistentVolumeClaim"})
"""Kinds that hold users' data: never owned by a policy, so that its deletion cannot take the data with it."""


@dataclass(frozen=True, slots=True)
class StateObjects:
    """What one state should have in the cluster.

    asked     the policy asks for the state
    objects   what should exist, in the order of applying; empty when not asked for
    problem   the user's mistake that keeps us from knowing; what exists must then be left as it is
    caveats   sentences on what the policy asks for and does not get
    """

    asked: bool
    objects: tuple[Obj, ...] = ()
    problem: InvalidSpec | None = None
    caveats: tuple[str, ...] = ()


def desired(policy: NicClusterPolicy, cluster: Cluster, render: Render) -> dict[str, StateObjects]:
    """The desired objects of every state this version knows, by upstream's name and in its order."""
    return {state.name: _state_objects(state, policy, cluster, render) for state in STATES}


def unbuilt(spec: NicClusterPolicySpec) -> tuple[tuple[str, str], ...]:
    """The sections asked for that this version cannot deploy: path below `spec` and upstream's state name."""
    asked = spec.model_dump(by_alias=True, exclude_none=True)
    return tuple((path, state) for path, state in UNBUILT if _present(asked, path))


def _present(asked: Obj, path: str) -> bool:
    section: object = asked
    for part in path.split("."):
        section = section.get(part) if isinstance(section, dict) else None
    return section is not None


def _state_objects(state: State, policy: NicClusterPolicy, cluster: Cluster, render: Render) -> StateObjects:
    try:
        values = state.values(policy.spec, cluster)
    except InvalidSpec as problem:
        return StateObjects(asked=True, problem=problem)
    if values is None:
        return StateObjects(asked=False)
    rendered = render(state.folder, {"ds_owner": policy.kind, **values})
    objects = tuple(_marked(obj, state, policy) for obj in rendered)
    return StateObjects(asked=True, objects=objects, caveats=state.caveats(policy.spec))


def _marked(obj: Obj, state: State, policy: NicClusterPolicy) -> Obj:
    """The object with what tells it is ours: labels, owner, and the hash by which a change is seen."""
    labels = obj["metadata"].get("labels", {}) | {names.STATE_LABEL: state.name}
    if state.per_node:
        labels[names.OWNER_LABEL] = policy.kind
    metadata = obj["metadata"] | {"labels": labels}
    if obj["kind"] not in UNOWNED:
        metadata["ownerReferences"] = [_owner_reference(policy)]
    annotations = metadata.get("annotations", {}) | {names.HASH_ANNOTATION: _hash(obj | {"metadata": metadata})}
    return obj | {"metadata": metadata | {"annotations": annotations}}


def _owner_reference(policy: NicClusterPolicy) -> Obj:
    return {
        "apiVersion": policy.api_version,
        "kind": policy.kind,
        "name": policy.metadata.name,
        "uid": policy.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _hash(obj: Obj) -> str:
    """32 hexadecimal digits that change with the object's content and nothing else."""
    canonical = json.dumps(obj, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]
