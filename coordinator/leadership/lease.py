"""The Lease: what it says, what to write into it, and when another may take it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from coordinator.kube.objects import LEASE, Obj

NAME: Final = "nicfleet-coordinator"
ADDRESS_ANNOTATION: Final = "nicfleet.io/leader-address"
"""HOST:PORT of the leader's gRPC side, for agents that call another coordinator."""


@dataclass(frozen=True, slots=True)
class Times:
    """In seconds.

    held           without a renewal the Lease lasts so long
    writing        and its holder writes so long at most: what is under way then still ends before `held`
    margin         before the end of `held` no write is under way any more
    renewed_every  between two renewals
    answered       for an answer to a renewal
    looked_every   between two looks of those that wait
    doubted        a Lease that has not changed for so long may well become free
    """

    held: float
    writing: float
    margin: float
    renewed_every: float
    answered: float
    looked_every: float
    doubted: float


TIMES: Final = Times(held=10.0, writing=6.0, margin=1.0, renewed_every=2.0, answered=3.0, looked_every=1.0, doubted=4.0)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One process. `identity` is its alone, and begins with the Pod's name; `address` as in the annotation.

    `owner` is an ownerReference to the account that it runs as: with that the Lease goes.
    """

    identity: str
    address: str
    owner: Obj | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """What a Lease says. Without a holder it is free."""

    holder: str
    address: str
    seconds: float
    renewed: str
    transitions: int

    @classmethod
    def of(cls, lease: Obj) -> Self:
        """What somebody else wrote into it may lack anything."""
        spec: Mapping[str, Any] = lease.get("spec") or {}
        annotations: Mapping[str, str] = lease["metadata"].get("annotations") or {}
        return cls(
            holder=spec.get("holderIdentity") or "",
            address=annotations.get(ADDRESS_ANNOTATION, ""),
            seconds=float(spec.get("leaseDurationSeconds") or TIMES.held),
            renewed=spec.get("renewTime") or "",
            transitions=spec.get("leaseTransitions") or 0,
        )

    @property
    def pod(self) -> str:
        """The holder's, for a person."""
        return self.holder.rpartition("_")[0] or self.holder


@dataclass(frozen=True, slots=True)
class Sighting:
    """A Lease, and since when it is known to be just so, in seconds of the own clock."""

    record: Record
    since: float

    def is_free(self, candidate: Candidate, now: float) -> bool:
        """Whether this candidate may take it. What it holds already it may take at any time."""
        return self.record.holder in ("", candidate.identity) or now >= self.ends_at

    def in_doubt(self, now: float, times: Times = TIMES) -> bool:
        """Whether it may soon have another holder."""
        return not self.record.holder or now >= self.since + times.doubted

    @property
    def ends_at(self) -> float:
        """Unless it changes before."""
        return self.since + self.record.seconds


def owner_of(user: str, uid: str, namespace: str) -> Obj | None:
    """An ownerReference to the ServiceAccount that this user is.

    None to one of another namespace: it would not be found here, and what has no owner left is removed.
    """
    name = user.removeprefix(f"system:serviceaccount:{namespace}:")
    if name == user or not uid:
        return None
    return {"apiVersion": "v1", "kind": "ServiceAccount", "name": name, "uid": uid}


def seen(before: Sighting | None, lease: Obj | None, now: float) -> Sighting | None:
    """What is known after a look that found this.

    A Lease that was deleted may have a holder that does not know it yet: it counts as long as it would have lasted.
    """
    if lease is None:
        return before
    record = Record.of(lease)
    return before if before is not None and before.record == record else Sighting(record, now)


def claimed(lease: Obj | None, namespace: str, candidate: Candidate, now: datetime, times: Times = TIMES) -> Obj:
    """A Lease that this candidate holds: to be created in place of none, else to replace this one."""
    before = Record.of(lease) if lease is not None else None
    metadata: Mapping[str, Any] = lease["metadata"] if lease is not None else {"name": NAME, "namespace": namespace}
    annotations = {**(metadata.get("annotations") or {}), ADDRESS_ANNOTATION: candidate.address}
    spec = {
        "holderIdentity": candidate.identity,
        "leaseDurationSeconds": int(times.held),
        "acquireTime": _micro_time(now),
        "renewTime": _micro_time(now),
        "leaseTransitions": 0 if before is None else before.transitions + (before.holder != candidate.identity),
    }
    owned = {"ownerReferences": [candidate.owner]} if candidate.owner is not None else {}
    return _lease({**metadata, "annotations": annotations, **owned}, spec)


def renewed(lease: Obj, now: datetime) -> Obj:
    """The same for a while longer."""
    return _lease(lease["metadata"], {**lease["spec"], "renewTime": _micro_time(now)})


def released(lease: Obj, now: datetime) -> Obj:
    """One that anybody may take."""
    kept = lease["metadata"].get("annotations") or {}
    annotations = {key: value for key, value in kept.items() if key != ADDRESS_ANNOTATION}
    spec = {**lease["spec"], "holderIdentity": "", "renewTime": _micro_time(now)}
    return _lease({**lease["metadata"], "annotations": annotations}, spec)


def _lease(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> Obj:
    # managedFields are the server's; sent back as they are they would only be taken for ours.
    sent = {key: value for key, value in metadata.items() if key != "managedFields"}
    return {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": sent, "spec": dict(spec)}


def _micro_time(now: datetime) -> str:
    """As Kubernetes writes a MicroTime."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
