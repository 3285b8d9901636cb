"""What the API server can answer instead of doing it, each as one sentence for a person.

KubeError
├── Unreachable        no answer within the deadline, a broken connection, 503, 504, or a 5xx of a proxy's
│   └── LeaseNotHeld   a write that was not sent, as another coordinator may lead
├── Failed             any other 5xx: the API server is there, and something that it needs for this request is not
│   └── Unanswered     a write without an answer within the deadline, while the API server answers other requests
├── TooManyRequests    429; `retry_after` in seconds
├── NotFound           404
├── Conflict           409: somebody else's change, or the object is there already
├── Gone               410, or a resourceVersion that the server cannot serve (expired, or from its future)
├── Unauthorized       401, or no credentials to send
├── Forbidden          403
└── Invalid            400, 415 and 422: the object itself is refused
"""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Final

import msgspec

from nicfleet.reasons import bounded

LONGEST_ANSWER: Final = 1024
"""Characters of an API server's answer that are told: one for an object with many mistakes has them all, and values."""

_VARYING: Final = re.compile(r"""[^\s"']*\d[^\s"']*""")


class StatusCause(msgspec.Struct, frozen=True):
    reason: str = ""
    message: str = ""
    field: str = ""


class StatusDetails(msgspec.Struct, frozen=True):
    kind: str = ""
    name: str = ""
    causes: tuple[StatusCause, ...] | None = None


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """metav1.Status, the parts we read."""

    kind: str = ""
    message: str = ""
    reason: str = ""
    code: int = 0
    details: StatusDetails | None = None

    @property
    def causes(self) -> tuple[StatusCause, ...]:
        return (self.details.causes if self.details else None) or ()


class KubeError(Exception):
    """A request that did not do what was asked. `str()` is one sentence: request, object, answer and fix."""

    fix: str = ""

    def __init__(self, action: str, target: str, status: Status) -> None:
        """`action` is a verb such as "apply"; `target` the object, e.g. "DaemonSet ns/name"."""
        self.action = action
        self.target = target
        self.status = status
        answer = bounded(status.message, LONGEST_ANSWER) or status.reason or f"HTTP {status.code}"
        sentence = f"cannot {action} {target}: {answer}"
        super().__init__(f"{sentence}; {self.fix}" if self.fix else sentence)

    @cached_property
    def cause(self) -> str:
        """What errors over several objects have in common: the sentence without the object's name, and without words
        in which there is a digit, which may be times, or numbers of requests."""
        name = self.target.partition(" ")[2].rpartition("/")[2]
        unnamed = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", "…", str(self)) if name else str(self)
        return _VARYING.sub("…", unnamed)


class Unreachable(KubeError):
    pass


class LeaseNotHeld(Unreachable):
    """The API server was not asked."""


class Failed(KubeError):
    """Most often a webhook, for admission or conversion, that does not work. It concerns this request, not the next."""

    fix = "if that names a webhook, see to the webhook; else read the API server's log"


class Unanswered(Failed):
    """An admission webhook that hangs is not told by the API server before the webhook's own time is over."""

    fix = (
        "look at the cluster's admission webhooks: "
        "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations"
    )


class TooManyRequests(KubeError):
    def __init__(self, action: str, target: str, status: Status, retry_after: float = 1.0) -> None:
        super().__init__(action, target, status)
        self.retry_after = retry_after


class NotFound(KubeError):
    def __init__(self, action: str, target: str, status: Status) -> None:
        self.status = status
        name = status.details.name if status.details else ""
        self.fix = f"kubectl create namespace {name}, or give --namespace another" if self.namespace_missing else ""
        super().__init__(action, target, status)

    @property
    def namespace_missing(self) -> bool:
        """It is the namespace that is not there, not the object."""
        return self.status.details is not None and self.status.details.kind == "namespaces"

    @property
    def kind_unknown(self) -> bool:
        """The server does not serve this kind at all: for a missing object it would name the object."""
        return self.status.details is None or not self.status.details.name


class Conflict(KubeError):
    pass


class Gone(KubeError):
    pass


class Unauthorized(KubeError):
    fix = "renew the kubeconfig or the ServiceAccount's token: the credentials have expired or are wrong"


class Forbidden(KubeError):
    """For want of a right, or by admission: a quota or pod security refuses in the same way, and says so itself."""

    def __init__(self, action: str, target: str, status: Status) -> None:
        self.fix = "give nicfleet's ServiceAccount the rights that are shipped with it" if _is_right(status) else ""
        super().__init__(action, target, status)


class Invalid(KubeError):
    pass


LONGEST_RETRY: Final = 30.0
"""Seconds: no server, nor a proxy before it, may ask for more, since whatever comes after the request waits as well."""

REFUSALS: Final = (Failed, Forbidden, Invalid, NotFound)
"""An answer to this request, which says nothing of the next: what asked goes on without."""


def _is_right(status: Status) -> bool:
    """The authorizer's words are 'User "…" cannot … resource "…"'."""
    return " cannot " in status.message


_BY_CODE: dict[int, type[KubeError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    415: Invalid,
    422: Invalid,
}


def error_of(action: str, target: str, code: int, headers: Mapping[str, str], body: bytes) -> KubeError:
    """Translate an answer of 400 and above."""
    return error_of_status(action, target, _status_in(code, body), _seconds(headers.get("Retry-After")))


def error_of_status(action: str, target: str, status: Status, retry_after: float = 1.0) -> KubeError:
    """Translate a Status, also one that arrives inside a watch."""
    if any(cause.reason == "ResourceVersionTooLarge" for cause in status.causes):
        return Gone(action, target, status)
    if status.code == 429:
        return TooManyRequests(action, target, status, retry_after)
    if status.code >= 500:
        return (Failed if _own_answer(status) else Unreachable)(action, target, status)
    return _BY_CODE.get(status.code, KubeError)(action, target, status)


def unreachable(action: str, target: str, why: str) -> Unreachable:
    return Unreachable(action, target, Status(message=f"the API server does not answer ({why})"))


def unanswered(action: str, target: str) -> Unanswered:
    message = "nothing came in time, though the API server answers other requests"
    return Unanswered(action, target, Status(message=message))


def lease_not_held(action: str, target: str) -> LeaseNotHeld:
    return LeaseNotHeld(action, target, Status(message="this coordinator does not hold the lease now"))


def _own_answer(status: Status) -> bool:
    """Whether the API server itself answered a 5xx: without a Status a proxy did, and by 503 or 504 it cannot yet."""
    return status.kind == "Status" and status.code not in {503, 504}


def _status_in(code: int, body: bytes) -> Status:
    try:
        status = msgspec.json.decode(body, type=Status)
    except msgspec.MsgspecError:  # not from the API server itself: a proxy, or its plain text
        text = " ".join(body[:200].decode(errors="replace").split())
        return Status(message=text, code=code)
    return msgspec.structs.replace(status, code=code)


def _seconds(retry_after: str | None) -> float:
    return min(float(retry_after), LONGEST_RETRY) if retry_after and retry_after.isdecimal() else 1.0
