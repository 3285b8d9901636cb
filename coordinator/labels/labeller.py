"""Node labels written by server-side apply: one request per node and change, none without one.

A label key that is no longer in the applied set goes away, if we are its only owner. Keys to take over from another
manager are therefore folded into our managed fields first, and keys to leave to another one taken out of them.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from coordinator.kube.client import Kube
from coordinator.kube.errors import Conflict, Failed, Forbidden, Invalid, KubeError, NotFound
from coordinator.kube.limiter import Limiter
from coordinator.kube.objects import Ref
from coordinator.kube.reflector import Reflector
from coordinator.labels.refusals import LabelRefusals
from coordinator.labels.rules import LabelChange
from coordinator.nodes import KubeNode
from coordinator.objects.live import decode_object
from coordinator.objects.ownership import folded_labels, managed_fields_patch, released_labels
from nicfleet.names import LABELS_MANAGER
from nicfleet.reasons import Reason

log = logging.getLogger(__name__)

_SCHEMA: Final = "v1"


class Labeller:
    """Brings the labels of a node in step with `wanted`, which returns None when there is nothing to change."""

    def __init__(
        self,
        kube: Kube,
        nodes: Reflector[KubeNode],
        limiter: Limiter,
        wanted: Callable[[KubeNode], LabelChange | None],
    ) -> None:
        self._kube = kube
        self._nodes = nodes
        self._limiter = limiter
        self._wanted = wanted
        self._refused: dict[str, dict[str, str]] = {}  # by node uid: labels that the API server does not accept
        self.refusals = LabelRefusals()

    async def sync(self, name: str, *, urgent: bool) -> bool:
        """Write what differs; returns whether anything was written. Raises KubeError for what a retry may cure.

        A node that is gone, or was registered anew in the meantime, is left to the watch. What the API server refuses
        is noted too.
        """
        try:
            written = await self._sync(name, urgent)
        except (Failed, Forbidden, Invalid) as error:
            if self._nodes.get(name) is not None:  # it may have gone meanwhile, and nobody would forget it then
                self.refusals.note(name, error)
            raise
        self.refusals.forget(name)
        return written

    async def _sync(self, name: str, urgent: bool) -> bool:
        node = self._nodes.get(name)
        if node is None:
            return False
        change = self._wanted(node)
        if change is None:
            return False
        try:
            written = await self._write(node, change, urgent)
        except NotFound:
            return False
        except (Conflict, Invalid) as error:
            if not _is_another_node(error):
                raise
            log.info("node was registered anew under its labels", extra={"node": name})
            return False
        for finding in change.findings if written else ():
            log.info("node finding", extra={"node": name, "reason": finding.reason, "why": finding.message})
        return written

    def forget(self, node: KubeNode) -> None:
        """The node is gone."""
        self._refused.pop(node.uid, None)
        self.refusals.forget(node.name)

    async def _write(self, node: KubeNode, change: LabelChange, urgent: bool) -> bool:
        refused = self._refused.get(node.uid, {})
        labels = {key: value for key, value in change.labels.items() if refused.get(key) != value}
        if not change.fold and labels == {key: node.labels.get(key) for key in node.owned}:
            return False  # all that is missing has been refused
        if change.fold or change.released:
            await self._limiter.run(lambda: self._change_owners(node, change), urgent=urgent)
        try:
            answer = await self._limiter.run(lambda: self._apply(node, labels), urgent=urgent)
        except Invalid as error:
            bad = _refused_labels(error, labels)
            if not bad:
                raise
            self._note_refusal(node, bad)
            return await self._write(node, change, urgent)
        self._nodes.learn(answer)
        return True

    async def _apply(self, node: KubeNode, labels: Mapping[str, str]) -> bytes:
        body = {
            "apiVersion": _SCHEMA,
            "kind": "Node",
            # The uid keeps an apply from creating the node: a missing one is a Conflict then.
            "metadata": {"name": node.name, "uid": node.uid, "labels": dict(labels)},
        }
        return await self._kube.apply(body, manager=LABELS_MANAGER, force=True)

    async def _change_owners(self, node: KubeNode, change: LabelChange) -> bytes:
        ref = Ref("Node", "", node.name)
        live = decode_object(await self._kube.get(ref, metadata_only=True), ref.kind)
        entries = folded_labels(live.managed, change.fold, LABELS_MANAGER, _SCHEMA)
        entries = released_labels(entries, change.released, LABELS_MANAGER)
        patch = managed_fields_patch(entries, live.resource_version)
        return await self._kube.json_patch(ref, patch, manager=LABELS_MANAGER)

    def _note_refusal(self, node: KubeNode, bad: Mapping[str, tuple[str, str]]) -> None:
        for key, (value, rule) in bad.items():
            self._refused.setdefault(node.uid, {})[key] = value
            fields: dict[str, Any] = {"reason": Reason.InvalidLabel, "node": node.name, "key": key, "value": value}
            log.warning("label refused", extra=fields | {"rule": rule})


def _is_another_node(error: KubeError) -> bool:
    """The uid did not match: a missing node answers Conflict, one that was registered anew Invalid."""
    in_field = any(cause.field == "metadata.uid" for cause in error.status.causes)
    return in_field or "uid mismatch" in error.status.message


def _refused_labels(error: Invalid, labels: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The labels that the API server names in its answer → value and the rule they break.

    It quotes the value (as JSON), or the key, that it does not accept.
    """
    found = {}
    for cause in error.status.causes:
        for key, value in labels.items():
            quoted = (msgspec.json.encode(text).decode() for text in (key, value) if text)
            if cause.field.startswith("metadata.labels") and any(text in cause.message for text in quoted):
                found[key] = (value, cause.message)
    return found
