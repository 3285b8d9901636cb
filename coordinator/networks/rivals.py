"""Two networks that want one NetworkAttachmentDefinition: the one made first has it. Pure."""

from collections.abc import Iterable

from coordinator.kube.objects import Ref
from coordinator.networks.definition import NAD
from coordinator.networks.kinds import DEFAULT_NAMESPACE, Document, lives
from coordinator.objects.live import LiveObject
from nicfleet.reasons import Finding, Reason


def claim(document: Document) -> Ref:
    """The NAD that a network asks for, whether it can be made or not."""
    spec = document.get("spec") or {}
    return Ref(NAD, spec.get("networkNamespace") or DEFAULT_NAMESPACE, document["metadata"]["name"])


def rival(document: Document, networks: Iterable[Document]) -> Finding | None:
    """What keeps a network from its NAD: another one, made before it, asks for the same."""
    wanted = claim(document)
    earlier = [
        other for other in networks if lives(other) and claim(other) == wanted and _rank(other) < _rank(document)
    ]
    if not earlier:
        return None
    first = min(earlier, key=_rank)
    message = (
        f"{wanted} is already that of {first['kind']} {first['metadata']['name']}, which was made first: "
        "use another name or another spec.networkNamespace"
    )
    return Finding(Reason.NetworkConflict, message)


def holder(live: LiveObject | None, document: Document, networks: Iterable[Document]) -> Finding | None:
    """What keeps a network from a NAD for a moment: one that does not want it any more has it still."""
    uids = {owner.uid for owner in live.owners} if live is not None else set()
    for other in networks:
        held = other["metadata"]["uid"] in uids and other["metadata"]["uid"] != document["metadata"]["uid"]
        if live is not None and held and not (lives(other) and claim(other) == live.ref):
            return Finding(
                Reason.Removing, f"{live.ref} is still that of {other['kind']} {other['metadata']['name']}, and goes"
            )
    return None


def _rank(document: Document) -> tuple[str, str, str]:
    metadata = document["metadata"]
    return metadata["creationTimestamp"], document["kind"], metadata["name"]
