"""What an account did, as the API server's audit log tells it. Pure.

Two verbs are no requests and in no audit log: "escalate" and "bind" are asked for within a write of a role or binding
that hands on more than its writer has. They follow from such writes, whose bodies the log keeps for that.
"""

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from tests.rbac.rights import RBAC, Grant, Use, holds

Event = Mapping[str, Any]
"""An event of audit.k8s.io/v1."""

_ROLES: Final = frozenset({"roles", "clusterroles"})
_BINDINGS: Final = frozenset({"rolebindings", "clusterrolebindings"})
_PLURAL: Final = {"Role": "roles", "ClusterRole": "clusterroles"}

_REFUSED: Final = (" cannot ", "attempting to grant RBAC permissions")
"""The authorizer's words and the role registry's. Admission refuses in words of its own, whatever one's rights."""


def events_of(events: Iterable[Event], user: str) -> list[Event]:
    """Of this user. A watch is told of twice, when it begins and when it ends."""
    return [each for each in events if each["user"]["username"] == user]


def used(events: Iterable[Event], grants: frozenset[Grant]) -> frozenset[Use]:
    """Every right that these requests asked for, whatever the answer. `grants` are those of who made them."""
    found: set[Use] = set()
    rules: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}  # of the roles that were written, by Use's parts
    for event in events:
        if "objectRef" not in event:
            continue
        use = _use(event)
        found.add(use)
        if use.verb == "patch" and _code(event) == HTTPStatus.CREATED:
            # What server-side apply does not find it creates, and asks for that too.
            found.add(use._replace(verb="create"))
        if use.group == RBAC and use.verb in ("create", "patch", "update") and _code(event) < HTTPStatus.BAD_REQUEST:
            found |= set(_handed_on(use, event["requestObject"], grants, rules))
    return frozenset(found)


def refused(events: Iterable[Event]) -> list[str]:
    """What the answers said that refused a request for want of a right."""
    said = [event["responseStatus"].get("message", "") for event in events if _code(event) == HTTPStatus.FORBIDDEN]
    return [message for message in said if any(words in message for words in _REFUSED)]


def elsewhere(events: Iterable[Event]) -> frozenset[str]:
    """Paths that were asked for and are no objects: discovery, health, version."""
    return frozenset(event["requestURI"].partition("?")[0] for event in events if "objectRef" not in event)


def _use(event: Event) -> Use:
    ref, verb = event["objectRef"], event["verb"]
    subresource = f"/{ref['subresource']}" if ref.get("subresource") else ""
    # A POST has no name in its URL, and the authorizer sees none; the log takes it from the body.
    name = "" if verb == "create" and not subresource else ref.get("name", "")
    return Use(ref.get("namespace", ""), ref.get("apiGroup", ""), ref["resource"] + subresource, name, verb)


def _handed_on(
    use: Use, body: Mapping[str, Any], grants: frozenset[Grant], rules: dict[tuple[str, str, str], list[Any]]
) -> Iterator[Use]:
    if use.resource in _ROLES:
        rules[use.namespace, use.resource, use.name] = body["rules"]
        if not holds(grants, body["rules"], use.namespace):
            yield use._replace(verb="escalate")
    elif use.resource in _BINDINGS:
        resource, name = _PLURAL[body["roleRef"]["kind"]], body["roleRef"]["name"]
        given = rules.get((use.namespace if resource == "roles" else "", resource, name))
        if given is None or not holds(grants, given, use.namespace):
            yield Use(use.namespace, RBAC, resource, name, "bind")


def _code(event: Event) -> int:
    code: int = event.get("responseStatus", {}).get("code", 0)
    return code
