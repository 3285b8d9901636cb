"""Which earlier templates of a DaemonSet run what the present one runs. Pure.

Kubernetes keeps the templates of a DaemonSet as ControllerRevisions, and a Pod's label names the one that it was made
of. A template that differs only in where Pods may run is no reason to replace a Pod that is where it belongs: nothing
in it would be another afterwards, and a driver would be reloaded for that.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec

from coordinator.workloads import Pod

_HASH: Final = "controller-revision-hash"
_PLACING: Final = frozenset({"nodeSelector", "affinity", "tolerations"})


class _Meta(msgspec.Struct, frozen=True):
    labels: dict[str, str] = {}


class _Spec(msgspec.Struct, frozen=True):
    template: dict[str, Any]


class _Data(msgspec.Struct, frozen=True):
    spec: _Spec


class _Revision(msgspec.Struct, frozen=True):
    metadata: _Meta
    data: _Data
    revision: int


_decode = msgspec.json.Decoder(_Revision).decode


def what_runs(template: Mapping[str, Any]) -> dict[str, Any]:
    """A Pod template without what it says of where its Pods may run."""
    spec: Mapping[str, Any] = template.get("spec") or {}
    return {**template, "spec": {key: value for key, value in spec.items() if key not in _PLACING}}


def alike(items: Iterable[msgspec.Raw]) -> frozenset[str]:
    """The hashes of those ControllerRevisions of one DaemonSet that run what its newest does, with the newest."""
    revisions = [_decode(item) for item in items]
    newest = max(revisions, key=lambda each: each.revision, default=None)
    if newest is None:
        return frozenset()
    wanted = what_runs(newest.data.spec.template)
    same = (each for each in revisions if what_runs(each.data.spec.template) == wanted)
    return frozenset(each.metadata.labels[_HASH] for each in same if _HASH in each.metadata.labels)


def as_current(pods: Iterable[Pod], generation: str, hashes: Collection[str]) -> tuple[Pod, ...]:
    """The Pods, in which those of these revisions count as of the present template."""
    return tuple(
        replace(pod, template_generation=generation) if pod.labels.get(_HASH) in hashes else pod for pod in pods
    )
