"""Pods and Events, decoded to the few fields that explain why a workload is not complete."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from coordinator.workloads import ContainerState, Pod

REFUSAL_CURRENT: Final = timedelta(minutes=20)
"""A refusal that lasts is told again within this time: controllers try again after at most 1000 s."""

_EPOCH: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class EventNote:
    """A Kubernetes Event that somebody recorded. `last` is when it happened last."""

    reason: str
    message: str
    kind: str
    name: str
    last: datetime


class _Partial(msgspec.Struct, frozen=True, rename="camel"):
    pass


class _Waiting(_Partial, frozen=True):
    reason: str = ""
    message: str = ""


class _Terminated(_Partial, frozen=True):
    reason: str = ""
    message: str = ""
    exit_code: int | None = None


class _Running(_Partial, frozen=True):
    started_at: str | None = None


class _State(_Partial, frozen=True):
    running: _Running | None = None
    waiting: _Waiting | None = None
    terminated: _Terminated | None = None


class _Container(_Partial, frozen=True):
    name: str
    image: str = ""
    ready: bool = False
    restart_count: int = 0
    state: _State | None = None
    last_state: _State | None = None


class _Condition(_Partial, frozen=True):
    type: str
    status: str
    message: str = ""


class _Meta(_Partial, frozen=True):
    name: str
    namespace: str = ""
    creation_timestamp: datetime | None = None
    labels: dict[str, str] | None = None
    deletion_timestamp: str | None = None


class _Spec(_Partial, frozen=True):
    node_name: str = ""


class _Status(_Partial, frozen=True):
    phase: str = ""
    start_time: str = ""
    conditions: tuple[_Condition, ...] | None = None
    container_statuses: tuple[_Container, ...] | None = None
    init_container_statuses: tuple[_Container, ...] | None = None


class _Pod(_Partial, frozen=True):
    metadata: _Meta
    spec: _Spec
    status: _Status


class _Involved(_Partial, frozen=True):
    kind: str = ""
    name: str = ""


class _Event(_Partial, frozen=True):
    involved_object: _Involved
    reason: str = ""
    message: str | None = ""
    last_timestamp: datetime | None = None
    event_time: datetime | None = None


class _Events(_Partial, frozen=True):
    items: tuple[_Event, ...]


_decode_pod = msgspec.json.Decoder(_Pod).decode
_decode_events = msgspec.json.Decoder(_Events).decode


def decode_pods(items: Iterable[msgspec.Raw]) -> tuple[Pod, ...]:
    return tuple(_pod(_decode_pod(item)) for item in items)


def decode_events(body: bytes) -> tuple[EventNote, ...]:
    """The Events of a list, the newest last."""
    notes = [
        EventNote(
            event.reason,
            event.message or "",
            event.involved_object.kind,
            event.involved_object.name,
            event.last_timestamp or event.event_time or _EPOCH,
        )
        for event in _decode_events(body).items
    ]
    return tuple(sorted(notes, key=lambda note: note.last))


def latest_refusal(events: Sequence[EventNote], pods: Iterable[Pod], now: datetime) -> str:
    """The message of the newest FailedCreate among a workload's Events; empty when that trouble is over.

    It is over when a Pod was created since, as the Pods tell, and SuccessfulCreate Events of Pods that are gone again;
    or when it was not repeated for REFUSAL_CURRENT, as Events stay for an hour. Where a quota lets some Pods pass, the
    refusal comes after them; times have seconds, so one of the same second counts as after.
    """
    refusals = (event for event in events if event.reason == "FailedCreate")
    newest = max(refusals, key=lambda event: event.last, default=None)
    created = (pod.created for pod in pods if pod.created is not None)
    told = (event.last for event in events if event.reason == "SuccessfulCreate")
    progress = max((now - REFUSAL_CURRENT, *created, *told))
    return newest.message if newest is not None and newest.last >= progress else ""


def _pod(pod: _Pod) -> Pod:
    conditions = {condition.type: condition for condition in pod.status.conditions or ()}
    ready, scheduled = conditions.get("Ready"), conditions.get("PodScheduled")
    labels = pod.metadata.labels or {}
    first, then = pod.status.init_container_statuses or (), pod.status.container_statuses or ()
    return Pod(
        namespace=pod.metadata.namespace,
        name=pod.metadata.name,
        node=pod.spec.node_name,
        phase=pod.status.phase,
        labels=labels,
        ready=ready is not None and ready.status == "True",
        started=pod.status.start_time,
        created=pod.metadata.creation_timestamp,
        deleting=pod.metadata.deletion_timestamp is not None,
        unschedulable=scheduled.message if scheduled is not None and scheduled.status == "False" else "",
        template_generation=labels.get("pod-template-generation", ""),
        containers=(*(_container(c, init=True) for c in first), *(_container(c, init=False) for c in then)),
    )


def _container(container: _Container, *, init: bool) -> ContainerState:
    now, before = container.state or _State(), container.last_state or _State()
    running, waiting = now.running or _Running(), now.waiting or _Waiting()
    last = now.terminated or before.terminated or _Terminated()
    return ContainerState(
        name=container.name,
        image=container.image,
        init=init,
        ready=container.ready,
        started=running.started_at or "",
        restarts=container.restart_count,
        waiting_reason=waiting.reason,
        waiting_message=waiting.message,
        last_reason=last.reason,
        last_message=last.message,
        last_exit_code=last.exit_code,
    )
