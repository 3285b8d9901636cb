"""Volume claims that are there already: they grow if their storage class allows it, and change in nothing else. Pure.

What a policy asks for otherwise later is told, not tried again and again.
"""

from collections.abc import Mapping, Sequence

import msgspec

from coordinator.kube.errors import KubeError
from coordinator.kube.objects import Obj, Ref
from coordinator.objects.outcome import Action, Outcome
from coordinator.states.quantities import amount
from nicfleet.reasons import Finding, Reason


class _Resources(msgspec.Struct, frozen=True):
    requests: Mapping[str, str] = {}


class _Spec(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    access_modes: Sequence[str] = ()
    resources: _Resources = _Resources()
    storage_class_name: str | None = None

    @property
    def size(self) -> str:
        return self.resources.requests.get("storage", "0")


class _Claim(msgspec.Struct, frozen=True):
    spec: _Spec


def fitted(raw: bytes, desired: Obj) -> Obj | None:
    """What to apply to a claim that is there: as desired, but never smaller; None when it is of another class.

    Whoever enlarged it by hand keeps what they have.
    """
    live, wanted = _decode(raw), msgspec.convert(desired["spec"], _Spec)
    if None not in (live.storage_class_name, wanted.storage_class_name) and _class(live) != _class(wanted):
        return None
    larger = (amount(live.size) or 0) > (amount(wanted.size) or 0)
    spec = msgspec.structs.replace(
        wanted,
        access_modes=live.access_modes,
        resources=live.resources if larger else wanted.resources,
        storage_class_name=live.storage_class_name or wanted.storage_class_name,
    )
    return {**desired, "spec": msgspec.to_builtins(spec)}


def stays(ref: Ref, raw: bytes) -> Outcome:
    """The outcome for a claim that is not as desired, and which Kubernetes keeps as it is."""
    live = _decode(raw)
    message = (
        f"{ref} keeps its size {live.size} and {_class(live)}: Kubernetes lets a claim grow only while it is bound and "
        "its class allows volume expansion, and changes nothing else; ask for what it has, or for another pvcName"
    )
    return Outcome(ref, Action.REFUSED, Finding(Reason.ApplyFailed, message))


def cannot_grow(error: KubeError) -> bool:
    """Whether a refusal says so: of a claim that is not bound, of one whose class does not allow it."""
    text = error.status.message
    return "spec is immutable" in text or "can be resized" in text


def _decode(raw: bytes) -> _Spec:
    return msgspec.json.decode(raw, type=_Claim).spec


def _class(spec: _Spec) -> str:
    return f"storage class {spec.storage_class_name}" if spec.storage_class_name else "no storage class"
