"""Kube: what nicfleet asks of the API server, and nothing else."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

import msgspec

from coordinator.kube.errors import NotFound, unreachable
from coordinator.kube.objects import EVENT, POD, Obj, Ref, Resource, ref_of
from coordinator.kube.permit import ALWAYS, Permit
from coordinator.kube.pods import EventNote, decode_events, decode_pods
from coordinator.kube.session import Session
from coordinator.kube.transport import COORDINATOR, JSON, Call, Reachability, Transport
from coordinator.kube.watching import ResourceVersion, WatchEvent, watch_events
from coordinator.workloads import Pod

PAGE_SIZE: Final = 500
"""Objects in a page of a list: 7 MiB of Nodes."""

Propagation = Literal["Background", "Orphan"]

_APPLY: Final = "application/apply-patch+yaml"
_JSON_PATCH: Final = "application/json-patch+json"
_MERGE_PATCH: Final = "application/merge-patch+json"
_METADATA: Final = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"


@dataclass(frozen=True, slots=True)
class Source:
    """What a list or watch is about."""

    resource: Resource
    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""
    metadata_only: bool = False

    def __str__(self) -> str:
        return self.resource.plural


class _ListMeta(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: ResourceVersion
    continue_: str = msgspec.field(default="", name="continue")


class Page(msgspec.Struct, frozen=True):
    """A page of a list. Its parts are required: an answer without them is not a list, and so no proof of absence."""

    kind: str
    metadata: _ListMeta
    items: tuple[msgspec.Raw, ...] | None
    """None is how the server writes an empty list of metadata."""

    @property
    def last(self) -> bool:
        return not self.metadata.continue_

    @property
    def version(self) -> int:
        return int(self.metadata.resource_version)


class _Served(msgspec.Struct, frozen=True):
    name: str


class _Resources(msgspec.Struct, frozen=True):
    resources: tuple[_Served, ...] = ()


_decode_page = msgspec.json.Decoder(Page).decode
_decode_served = msgspec.json.Decoder(_Resources).decode


class Kube:
    """The API server. Every method raises KubeError, at the latest some seconds after the transport's deadline."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @classmethod
    async def connect(
        cls,
        kubeconfig: Path | None,
        context: str | None = None,
        program: str = COORDINATOR,
        *,
        permit: Permit = ALWAYS,
    ) -> Self:
        """By a kubeconfig, or as the Pod's ServiceAccount without one. Sends nothing yet; raises ConfigurationError.

        `context` is one of the kubeconfig's; None: its current one. `program` is who the API server's log says it was.
        `permit` is asked before every write, which then may raise LeaseNotHeld.
        """
        return cls(Transport(await Session.open(kubeconfig, context), program=program, permit=permit))

    async def close(self) -> None:
        await self._transport.close()

    async def quiet(self) -> None:
        """Return when no write is under way."""
        await self._transport.quiet()

    @property
    def server(self) -> str:
        """The API server's address."""
        return self._transport.server

    @property
    def reachability(self) -> Reachability:
        return self._transport.reachability

    async def serves(self, resource: Resource) -> bool:
        """Whether the cluster has this kind; everybody may ask that, whatever they may do with it."""
        prefix = f"/apis/{resource.group}" if resource.group else "/api"
        call = Call("look for", str(resource.plural), "GET", f"{prefix}/{resource.version}")
        try:
            found = _decode_served(await self._transport.call(call))
        except NotFound:
            return False
        return any(each.name == resource.plural for each in found.resources)

    async def get(self, ref: Ref, *, metadata_only: bool = False) -> bytes:
        accept = _METADATA.format("") if metadata_only else JSON
        path = ref.resource.path(ref.namespace, ref.name)
        return await self._transport.call(Call("read", str(ref), "GET", path, accept=accept))

    async def pages(self, source: Source) -> AsyncIterator[Page]:
        """List consistently, page by page; complete only when a page is `last`. Raises Gone if it expires midway."""
        query: dict[str, str | int] = {"limit": PAGE_SIZE}
        while True:
            page = _page(await self._list(source, query), source)
            yield page
            if page.last:
                return
            query["continue"] = page.metadata.continue_

    async def can_serve(self, source: Source, resource_version: str) -> None:
        """Ask whether the server's data are at least as new as ours. Raises Gone if it does not get there."""
        match: dict[str, str | int] = {
            "limit": 1,
            "resourceVersion": resource_version,
            "resourceVersionMatch": "NotOlderThan",
        }
        await self._list(source, match)

    async def watch(
        self, source: Source, since: str | None, *, timeout_seconds: int, tick: float
    ) -> AsyncGenerator[WatchEvent, None]:
        """Watch from a resourceVersion or, without one, from a complete list that the server sends first.

        The end of that list is a BOOKMARK with `initial_end`. Each `tick` seconds of silence yield QUIET. Ends when
        the server closes the watch, at the latest after `timeout_seconds`. Raises Gone when the resourceVersion has
        expired; Invalid when the server does not send initial events.
        """
        query: dict[str, str | int] = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": timeout_seconds,
        }
        if since is None:
            query |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        else:
            query["resourceVersion"] = since
        accept = _METADATA.format("") if source.metadata_only else JSON
        call = Call("watch", str(source), "GET", _path(source), query | _selector(source), accept=accept)
        async with self._transport.stream(call) as stream:
            async for event in watch_events(stream, str(source), tick):
                yield event

    async def apply(self, obj: Obj, *, manager: str, force: bool) -> bytes:
        """Server-side apply; returns the object as it is now. It is created when it is not there, unless it has a uid.

        Raises Conflict, without `force`, when another manager owns a field with another value.
        """
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        return await self._write("apply", "PATCH", ref_of(obj), query, obj, _APPLY)

    async def would_apply(self, obj: Obj, *, manager: str, force: bool) -> bytes:
        """What `apply` would return, or raise: the API server does all of it but the writing."""
        query = {"fieldManager": manager, "force": "true" if force else "false", "dryRun": "All"}
        return await self._write("apply", "PATCH", ref_of(obj), query, obj, _APPLY, asks=True)

    async def would_take(self, obj: Obj) -> bytes:
        """What the API server would make of a user's object, all of it: with a resourceVersion as a replacement, else
        as a new one. Unknown fields are refused. Nothing is written."""
        query = {"dryRun": "All", "fieldValidation": "Strict"}
        action, method = ("replace", "PUT") if "resourceVersion" in obj["metadata"] else ("create", "POST")
        return await self._write(action, method, ref_of(obj), query, obj, asks=True)

    async def create(self, obj: Obj, *, manager: str) -> bytes:
        """Raises Conflict when there is one of its name."""
        return await self._write("create", "POST", ref_of(obj), {"fieldManager": manager}, obj)

    async def replace(self, obj: Obj, *, manager: str) -> bytes:
        """PUT an object that carries its resourceVersion. Raises Conflict when that is not the newest."""
        return await self._write("replace", "PUT", ref_of(obj), {"fieldManager": manager}, obj)

    async def json_patch(self, ref: Ref, operations: list[dict[str, Any]], *, manager: str) -> bytes:
        return await self._write("patch", "PATCH", ref, {"fieldManager": manager}, operations, _JSON_PATCH)

    async def merge_patch(self, ref: Ref, patch: Obj, *, manager: str) -> bytes:
        """What `patch` has becomes so, and nothing else changes. With a uid in it another object is a Conflict."""
        return await self._write("patch", "PATCH", ref, {"fieldManager": manager}, patch, _MERGE_PATCH)

    async def replace_status(self, obj: Obj, *, manager: str) -> bytes:
        """PUT the status of an object that carries its resourceVersion. Raises Conflict when that is not the newest."""
        query = {"fieldManager": manager}
        return await self._write("write status of", "PUT", ref_of(obj), query, obj, subresource="status")

    async def delete(self, ref: Ref, uid: str, propagation: Propagation) -> bytes:
        """Delete this very object: another one under its name is a Conflict."""
        options = {"preconditions": {"uid": uid}, "propagationPolicy": propagation}
        return await self._write("delete", "DELETE", ref, None, options)

    async def review(self, resource: Resource, spec: Obj | None = None) -> bytes:
        """Ask by a review, for example a TokenReview: it is answered, and nothing is kept."""
        body = {"apiVersion": resource.api_version, "kind": resource.kind} | ({"spec": spec} if spec else {})
        return await self._transport.call(Call("ask for", resource.kind, "POST", resource.path(), body=body, asks=True))

    async def create_event(self, event: Obj) -> None:
        """Raises Conflict when an Event of this name is there already."""
        await self._write("create", "POST", ref_of(event), None, event)

    async def pods(self, namespace: str, label_selector: str) -> tuple[Pod, ...]:
        source = Source(POD, namespace, label_selector)
        return tuple([pod async for page in self.pages(source) for pod in decode_pods(page.items or ())])

    async def events(self, namespace: str, field_selector: str) -> tuple[EventNote, ...]:
        """Events by field selector, e.g. "involvedObject.uid=…,reason=FailedCreate"; the newest last."""
        query = {"fieldSelector": field_selector}
        call = Call("list", str(EVENT.plural), "GET", EVENT.path(namespace), query)
        return decode_events(await self._transport.call(call))

    async def _write(
        self,
        action: str,
        method: str,
        ref: Ref,
        query: Mapping[str, str | int] | None,
        body: Any,
        content_type: str = JSON,
        *,
        subresource: str = "",
        asks: bool = False,
    ) -> bytes:
        """Raises Unanswered where this write alone has no answer, as with an admission webhook that hangs."""
        beside = ref.resource.path(ref.namespace)
        path = beside if method == "POST" else ref.resource.path(ref.namespace, ref.name, subresource)
        call = Call(action, str(ref), method, path, query, body, content_type, asks=asks, beside=beside)
        return await self._transport.call(call)

    async def _list(self, source: Source, query: Mapping[str, str | int]) -> bytes:
        accept = f"{_METADATA.format('List')},{JSON}" if source.metadata_only else JSON
        return await self._transport.call(
            Call("list", str(source), "GET", _path(source), {**query, **_selector(source)}, accept=accept)
        )


def _page(body: bytes, source: Source) -> Page:
    try:
        return _decode_page(body)
    except msgspec.MsgspecError as error:
        raise unreachable("list", str(source), f"its answer is no list: {error}") from error


def _path(source: Source) -> str:
    return source.resource.path(source.namespace)


def _selector(source: Source) -> dict[str, str | int]:
    selectors = {"labelSelector": source.label_selector, "fieldSelector": source.field_selector}
    return {name: selector for name, selector in selectors.items() if selector}
