"""What became of one desired or superfluous object in a pass, and why the API server refused, in words."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from coordinator.kube.errors import Failed, KubeError, NotFound
from coordinator.kube.objects import Ref
from coordinator.objects.live import LiveObject
from nicfleet.reasons import Finding, Reason

_FIXES_BY_GROUP: Final = {
    "cert-manager.io": "install cert-manager, or set spec.nvIpam.enableWebhook to false",
    "k8s.cni.cncf.io": "install its CRD: kubectl apply --server-side -f deploy/crds",
}
"""What to do about kinds that the cluster does not know; of others, the CRD is to be installed."""

FAILED_SECONDS: Final = 10.0
"""Between attempts at an object over which the API server fails: no watch tells when a webhook works again."""


class Action(StrEnum):
    UNCHANGED = "unchanged"
    CREATED = "created"
    UPDATED = "updated"
    REPAIRED = "repaired"
    """Somebody had changed it; `finding` is DriftRepaired and says who."""
    RECREATED = "recreated"
    DELETED = "deleted"
    WAITING = "waiting"
    """Not yet as desired and nobody's fault: it is being deleted, or its repair has to wait."""
    REFUSED = "refused"
    """Not as desired; `finding` says why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    ref: Ref
    action: Action
    finding: Finding | None = None
    again: float | None = None
    """Seconds after which another look is due, even if no watch says so."""

    @property
    def written(self) -> bool:
        """The object was written in this pass: counters known of it are of the time before."""
        return self.action in {Action.CREATED, Action.UPDATED, Action.REPAIRED, Action.RECREATED}


def in_no_namespace(ref: Ref) -> Outcome:
    """There is no namespace for it."""
    message = f'namespace "{ref.namespace}" does not exist; create it: kubectl create namespace {ref.namespace}'
    return Outcome(ref, Action.REFUSED, Finding(Reason.NamespaceMissing, message))


def refused(ref: Ref, error: KubeError) -> Outcome:
    """The API server does not write it, or does not let us."""
    if isinstance(error, NotFound) and error.namespace_missing:
        return in_no_namespace(ref)
    if isinstance(error, NotFound) and error.kind_unknown:
        fix = _FIXES_BY_GROUP.get(ref.resource.group, "install its CRD")
        message = f"cannot apply {ref}: the cluster does not know {ref.resource.api_version} {ref.kind}; {fix}"
        return Outcome(ref, Action.REFUSED, Finding(Reason.ApplyFailed, message))
    again = FAILED_SECONDS if isinstance(error, Failed) else None
    return Outcome(ref, Action.REFUSED, Finding(Reason.ApplyFailed, str(error)), again)


def is_immutable(error: KubeError) -> bool:
    """It changes what cannot be changed: only another object under the same name can be so."""
    text = error.status.message
    return "immutable" in text or "cannot change roleRef" in text


def belongs_to_another(live: LiveObject) -> Outcome:
    ref = live.ref
    where = f" -n {ref.namespace}" if ref.namespace else ""
    fix = f"remove it there, or delete it: kubectl delete {_word(ref)}{where} {ref.name}"
    if ref.kind == "PersistentVolumeClaim":  # whose files would go with it
        fix = "to use it set nicFirmwareStorage.create to false, else choose another pvcName"
    message = f"{ref} belongs to {live.holder} and is left alone; {fix}"
    return Outcome(ref, Action.REFUSED, Finding(Reason.ObjectConflict, message))


def repaired(ref: Ref, why: str) -> Outcome:
    return Outcome(ref, Action.REPAIRED, Finding(Reason.DriftRepaired, f"{ref} was put back: {why}"))


def contested(ref: Ref, why: str, wait: float) -> Outcome:
    """Drift that comes back after each repair."""
    message = f"{ref} is changed again after each repair ({why}); find out who does it, or change the policy instead"
    return Outcome(ref, Action.WAITING, Finding(Reason.DriftRepaired, message), again=wait)


def _word(ref: Ref) -> str:
    """The kind as kubectl takes it: in the singular where that is the kind's name in small letters."""
    singular = ref.kind.lower()
    return singular if ref.resource.plural.startswith(singular) else ref.resource.plural
