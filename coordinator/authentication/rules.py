"""What the API server says of a token → whom it proves, or a finding that says why it does not. Pure.

A pod's projected token names its ServiceAccount, its pod and, from Kubernetes 1.30 on, its node. The API server refuses
one whose pod is gone; whether the node is still the one that was meant it does not ask, so we do.
(https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from coordinator.authentication.claims import Claims
from nicfleet.names import TOKEN_AUDIENCE, VIEW_PATH
from nicfleet.reasons import Finding, Reason

_CLAIM: Final = "authentication.kubernetes.io/"
_LONGEST_ERROR: Final = 300
_LONGEST_OF_AGENTS: Final = 4 << 10
"""Characters. A pod's has 1.2 KiB, and 2.5 with the longest names and an RSA key of 4096 bits."""
_LONGEST_OF_VIEWERS: Final = 12 << 10
"""That of an identity provider names a person's groups, of 200 of them in 11 KiB. More fits into no call, either."""

MOUNT_TOKEN: Final = f"mount a projected token for audience {TOKEN_AUDIENCE} and name it in --token-file"
SHOW_TOKEN: Final = (
    f"give one in --token-file (kubectl create token NAME --audience={TOKEN_AUDIENCE}), "
    "or come through kubectl port-forward, unless the coordinator has --trust-loopback=false"
)


@dataclass(frozen=True, slots=True)
class User:
    """Who a token is of, as the API server says."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def claim(self, name: str) -> str:
        """What a ServiceAccount's token is bound to: "node-name" and the like; empty when it is not."""
        return next(iter(self.extra.get(_CLAIM + name, ())), "")


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A TokenReview's answer. `user` is None when the token is not taken, and `error` may say why."""

    user: User | None
    audiences: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Agent:
    """A pod of the agents' DaemonSet, on this very Node, until `expires` (seconds since 1970)."""

    node: str
    node_uid: str
    pod: str
    expires: float


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who may read the fleet; `expires` None: the token does not end."""

    name: str
    expires: float | None


def unfit_for_agents(token: str) -> Finding | None:
    """Why nobody is asked about this token."""
    return _too_long(token, _LONGEST_OF_AGENTS, MOUNT_TOKEN) if token else NO_AGENT_TOKEN


def unfit_for_viewers(token: str) -> Finding | None:
    """Likewise of a viewer."""
    return _too_long(token, _LONGEST_OF_VIEWERS, SHOW_TOKEN) if token else NO_VIEWER_TOKEN


def end_of_agents(claims: Claims | None, now: float) -> float | Finding:
    """When an agent's token ends, by its own claims; or why it is none, whatever the API server may say of it."""
    if claims is None or claims.exp is None:
        return _unproven(f"what the agent shows is no token of a pod: {MOUNT_TOKEN}")
    if TOKEN_AUDIENCE not in claims.audiences:
        return _unproven(f"the agent's token is not for audience {TOKEN_AUDIENCE}: {MOUNT_TOKEN}")
    if claims.exp <= now:
        return _unproven("the agent's token has expired: see why the kubelet does not renew the file of --token-file")
    return claims.exp


def end_of_viewers(claims: Claims | None, now: float) -> float | Finding | None:
    """Likewise of a viewer, whose token need be no JWT, and may be for anybody; None: it does not say."""
    ends = claims.exp if claims is not None else None
    return _unproven(f"the token has expired: {SHOW_TOKEN}") if ends is not None and ends <= now else ends


def agent_of(reviewed: Reviewed, account: str, expires: float) -> Agent | Finding:
    """`account` is the agents' user name: "system:serviceaccount:NAMESPACE:NAME"; `expires` is the token's end."""
    user = reviewed.user
    if user is None or TOKEN_AUDIENCE not in reviewed.audiences:
        # A server that knows nothing of audiences takes a token that was made for somebody else.
        why = reviewed.error[:_LONGEST_ERROR] or f"it is not for audience {TOKEN_AUDIENCE}"
        return _unproven(f"the API server does not take the agent's token ({why}): {MOUNT_TOKEN}")
    if user.name != account:
        return _foreign(
            f"the token is of {user.name}, and agents are {account}: run the agent as that ServiceAccount, "
            "or give the coordinator the right --agent-service-account"
        )
    node, uid, pod = user.claim("node-name"), user.claim("node-uid"), user.claim("pod-name")
    if not node or not pod:
        return _foreign(f"the token is bound to no pod on a node: {MOUNT_TOKEN}; Kubernetes must be 1.30 or newer")
    return Agent(node, uid, pod, expires)


def objection(agent: Agent, node: str, known_uid: str) -> Finding | None:
    """Why this agent does not speak for a node; `known_uid` is that of the Node, empty when it is not known."""
    if agent.node != node:
        return _foreign(
            f"the token is of pod {agent.pod} on node {agent.node}, and the report is for {node}: "
            "give --node-name the name of the agent's own Node"
        )
    if agent.node_uid and known_uid and agent.node_uid != known_uid:
        return _foreign(
            f"the token is of an earlier Node {node} (uid {agent.node_uid}, now {known_uid}): "
            f"delete pod {agent.pod}, so that it gets a new token"
        )
    return None


def unknown_viewer(reviewed: Reviewed) -> Finding:
    """Nobody is known by this token."""
    why = reviewed.error[:_LONGEST_ERROR] or "it is for another audience"
    return _unproven(f"the API server does not take the token ({why}): {SHOW_TOKEN}")


def forbidden(user: User) -> Finding:
    """The API server says that this user may not."""
    return Finding(
        Reason.ViewForbidden,
        f"{user.name} may not read the fleet: bind the ClusterRole nicfleet-viewer (get on {VIEW_PATH}) to that user",
    )


NO_AGENT_TOKEN: Final = Finding(Reason.IdentityUnproven, f"the agent shows no token: {MOUNT_TOKEN}")
NO_VIEWER_TOKEN: Final = Finding(Reason.IdentityUnproven, f"reading the fleet needs a token; {SHOW_TOKEN}")


def _too_long(token: str, longest: int, fix: str) -> Finding | None:
    return (
        _unproven(f"the token has {len(token)} bytes, {longest} are allowed: {fix}") if len(token) > longest else None
    )


def _unproven(message: str) -> Finding:
    return Finding(Reason.IdentityUnproven, message)


def _foreign(message: str) -> Finding:
    return Finding(Reason.IdentityForeign, message)
