"""Pods that name a NetworkAttachmentDefinition in their annotation, as multus reads it. Pure.

The annotation is a list in JSON, of objects with `name` and `namespace`, or of `[namespace/]name[@interface]` separated
by commas; without a namespace it is the Pod's. Source: the Network Plumbing Working Group's multi-network standard.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from coordinator.kube.objects import Ref

NETWORKS_ANNOTATION: Final = "k8s.v1.cni.cncf.io/networks"


class _Meta(msgspec.Struct, frozen=True):
    name: str
    namespace: str
    annotations: dict[str, str] | None = None


class _Pod(msgspec.Struct, frozen=True):
    metadata: _Meta


_decode: Final = msgspec.json.Decoder(_Pod).decode


def users(pods: Iterable[msgspec.Raw], nads: Iterable[Ref]) -> Iterator[tuple[Ref, str]]:
    """Of Pods (their metadata is enough) those that name one of these NADs: it, and the Pod as `namespace/name`."""
    by_name = {(nad.namespace, nad.name): nad for nad in nads}
    for raw in pods:
        metadata = _decode(raw).metadata
        if text := (metadata.annotations or {}).get(NETWORKS_ANNOTATION):
            for nad in by_name.keys() & named(text, metadata.namespace):
                yield by_name[nad], f"{metadata.namespace}/{metadata.name}"


def named(annotation: str, namespace: str) -> set[tuple[str, str]]:
    """Namespace and name of the NADs that an annotation of a Pod in `namespace` names; none when it is unreadable."""
    if annotation.lstrip().startswith("["):
        return set(_from_json(annotation, namespace))
    return {_from_word(word.strip(), namespace) for word in annotation.split(",")}


def _from_json(text: str, namespace: str) -> Iterator[tuple[str, str]]:
    try:
        items: list[Any] = msgspec.json.decode(text, type=list[Any])
    except msgspec.MsgspecError:
        return
    for item in items:
        if isinstance(item, dict) and isinstance(name := item.get("name"), str):
            where = item.get("namespace")
            yield (where if isinstance(where, str) and where else namespace), name


def _from_word(word: str, namespace: str) -> tuple[str, str]:
    where, slash, rest = word.rpartition("/")
    return (where if slash else namespace), rest.partition("@")[0]
