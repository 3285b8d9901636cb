"""Whose the Lease is: the account's that this coordinator runs as. Kubernetes removes it with that account."""

from typing import Final

import msgspec

from coordinator.kube.client import Kube
from coordinator.kube.errors import unreachable
from coordinator.kube.objects import Obj, Resource
from coordinator.leadership.lease import owner_of

_SELF_REVIEW: Final = Resource(
    "SelfSubjectReview", "authentication.k8s.io", "v1", "selfsubjectreviews", namespaced=False
)


class _User(msgspec.Struct, frozen=True):
    username: str = ""
    uid: str = ""


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    user_info: _User = _User()


class _Review(msgspec.Struct, frozen=True):
    status: _Status


async def own_account(kube: Kube, namespace: str) -> Obj | None:
    """An ownerReference to it; None when it is no account of this namespace. Raises KubeError."""
    body = await kube.review(_SELF_REVIEW)
    try:
        user = msgspec.json.decode(body, type=_Review).status.user_info
    except ValueError as error:  # msgspec's own, or that it is no UTF-8
        raise unreachable("ask for", _SELF_REVIEW.kind, f"its answer is no review: {error}") from error
    return owner_of(user.username, user.uid, namespace)
