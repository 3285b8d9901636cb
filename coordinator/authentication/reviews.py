"""What the API server says of a token, and of what a user may do. Every function raises KubeError."""

from typing import Final, TypeVar

import msgspec

from coordinator.authentication.rules import Reviewed, User
from coordinator.kube.client import Kube
from coordinator.kube.errors import unreachable
from coordinator.kube.objects import Resource
from nicfleet.names import VIEW_PATH

_TOKEN_REVIEW: Final = Resource("TokenReview", "authentication.k8s.io", "v1", "tokenreviews", namespaced=False)
_ACCESS_REVIEW: Final = Resource(
    "SubjectAccessReview", "authorization.k8s.io", "v1", "subjectaccessreviews", namespaced=False
)


T = TypeVar("T")


class _User(msgspec.Struct, frozen=True):
    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] | None = None
    extra: dict[str, tuple[str, ...]] | None = None


class _TokenStatus(msgspec.Struct, frozen=True):
    authenticated: bool = False
    user: _User = _User()
    audiences: tuple[str, ...] | None = None
    error: str = ""


class _AccessStatus(msgspec.Struct, frozen=True):
    allowed: bool


class _TokenReview(msgspec.Struct, frozen=True):
    status: _TokenStatus


class _AccessReview(msgspec.Struct, frozen=True):
    status: _AccessStatus


async def whose(kube: Kube, token: str, *audiences: str) -> Reviewed:
    """Without audiences: that of the API server itself."""
    spec = {"token": token} | ({"audiences": audiences} if audiences else {})
    status = _decode(await kube.review(_TOKEN_REVIEW, spec), _TokenReview).status
    user = status.user
    known = User(user.username, user.uid, user.groups or (), user.extra or {}) if status.authenticated else None
    return Reviewed(known, status.audiences or (), status.error)


async def may_view(kube: Kube, user: User) -> bool:
    """Whether this user may read the fleet."""
    spec = {
        "user": user.name,
        "uid": user.uid,
        "groups": user.groups,
        "extra": user.extra,
        "nonResourceAttributes": {"path": VIEW_PATH, "verb": "get"},
    }
    return _decode(await kube.review(_ACCESS_REVIEW, spec), _AccessReview).status.allowed


def _decode(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except ValueError as error:  # msgspec's own, or that it is no UTF-8
        raise unreachable("ask for", kind.__name__.strip("_"), f"its answer is no review: {error}") from error
