"""CRDs that are there already: another product's, or a newer nicfleet's, are used as they stand. Pure."""

from collections.abc import Iterable

import msgspec

from coordinator.kube.objects import Obj
from coordinator.objects.live import LiveObject
from coordinator.objects.outcome import Action, Outcome
from nicfleet.reasons import Finding, Reason


class _Version(msgspec.Struct, frozen=True):
    name: str
    served: bool = False


class _Spec(msgspec.Struct, frozen=True):
    versions: tuple[_Version, ...]


class _Crd(msgspec.Struct, frozen=True):
    spec: _Spec


def crd_stands(live: LiveObject, raw: bytes, desired: Obj) -> Outcome | None:
    """The outcome for a CRD that must not be written: not ours, or ours and newer. None when it may be written."""
    served = _served(msgspec.json.decode(raw, type=_Crd).spec.versions)
    wanted = _served(msgspec.convert(desired["spec"]["versions"], tuple[_Version, ...]))
    if live.ours and not served > wanted:
        return None
    if served >= wanted:
        return Outcome(live.ref, Action.UNCHANGED)
    missing = ", ".join(sorted(wanted - served))
    message = (
        f"{live.ref} of {live.holder} does not serve {missing}, which is needed; "
        f"upgrade the product that installed it, or remove it"
    )
    return Outcome(live.ref, Action.REFUSED, Finding(Reason.CrdUnusable, message))


def _served(versions: Iterable[_Version]) -> frozenset[str]:
    return frozenset(version.name for version in versions if version.served)
