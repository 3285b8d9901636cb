"""What an account may do, as roles grant it: one Grant for each thing, so that they can be compared. Pure.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/ says how a rule is read.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

Obj = Mapping[str, Any]

RBAC: Final = "rbac.authorization.k8s.io"


class NotUnderstood(ValueError):
    """A rule that is no list of single rights; one sentence."""


class Use(NamedTuple):
    """One thing that was asked for, as the authorizer sees it."""

    namespace: str
    """Empty for a cluster-scoped object, and for all namespaces at once."""
    group: str
    resource: str
    """Plural, with the subresource after a slash."""
    name: str
    """Empty for a whole collection."""
    verb: str

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {_kind(self.group, self.resource)} {self.name or '(any)'}{where}"


class Grant(NamedTuple):
    """One thing that is allowed."""

    place: str
    """The Role's namespace; empty for the whole cluster."""
    group: str
    resource: str
    name: str
    """Empty for any."""
    verb: str

    def covers(self, use: Use) -> bool:
        return (
            (self.verb, self.group, self.resource) == (use.verb, use.group, use.resource)
            and self.place in ("", use.namespace)
            and self.name in ("", use.name)
        )

    def __str__(self) -> str:
        where = f"in {self.place}" if self.place else "in the cluster"
        return f"{self.verb} {_kind(self.group, self.resource)} {self.name or '(any)'} {where}"


def granted(objects: Iterable[Obj], account: tuple[str, str]) -> frozenset[Grant]:
    """The rights of a ServiceAccount (namespace, name) by the roles and bindings among these objects.

    Raises NotUnderstood for a wildcard, for a rule on URLs, and for a binding that shares them with others or is of a
    group: each gives more than can be told here, and than anything of nicfleet's needs.
    """
    objects = list(objects)
    roles = {_key(obj): obj for obj in objects if obj["kind"] in ("Role", "ClusterRole")}
    found: set[Grant] = set()
    for binding in objects:
        if binding["kind"] not in ("RoleBinding", "ClusterRoleBinding") or not _is_of(binding, account):
            continue
        place = binding["metadata"].get("namespace", "")
        reference = binding["roleRef"]
        role = roles[reference["kind"], place if reference["kind"] == "Role" else "", reference["name"]]
        found.update(grant for rule in role["rules"] for grant in expanded(rule, place))
    return frozenset(found)


def expanded(rule: Mapping[str, Any], place: str) -> Iterator[Grant]:
    """Each right of a rule of its own. Raises NotUnderstood."""
    if "nonResourceURLs" in rule:
        raise NotUnderstood(f"a rule is about URLs: {rule['nonResourceURLs']}")
    if any("*" in part for parts in (rule["apiGroups"], rule["resources"], rule["verbs"]) for part in parts):
        raise NotUnderstood(f"a rule has a wildcard: {dict(rule)}")
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            for name in rule.get("resourceNames") or ("",):
                for verb in rule["verbs"]:
                    yield Grant(place, group, resource, name, verb)


def holds(grants: frozenset[Grant], rules: Iterable[Mapping[str, Any]], place: str) -> bool:
    """Whether who has these grants has all that the rules give, so that it may hand them on without more."""
    try:
        wanted = [each for rule in rules for each in expanded(rule, place)]
    except NotUnderstood:
        return False  # nobody here has a wildcard
    return all(any(have.covers(Use(*each)) for have in grants) for each in wanted)


def _is_of(binding: Obj, account: tuple[str, str]) -> bool:
    """Raises NotUnderstood unless it is of one ServiceAccount, this or another."""
    subjects = [(each["kind"], each.get("namespace", ""), each["name"]) for each in binding["subjects"]]
    if len(subjects) != 1 or subjects[0][0] != "ServiceAccount":
        raise NotUnderstood(f"{binding['kind']} {binding['metadata']['name']} is not of one ServiceAccount")
    return subjects[0][1:] == account


def _key(role: Obj) -> tuple[str, str, str]:
    return role["kind"], role["metadata"].get("namespace", ""), role["metadata"]["name"]


def _kind(group: str, resource: str) -> str:
    return f"{resource}.{group}" if group else resource
