"""Rights, their use, and what is told of either without the other. No cluster."""

from typing import Any

import pytest

from tests.rbac.compare import Differences, differences
from tests.rbac.rights import RBAC, Grant, NotUnderstood, Use, granted
from tests.rbac.used import elsewhere, events_of, refused, used

HOME = "home"
ACCOUNT = (HOME, "account")
USER = "system:serviceaccount:home:account"

Obj = dict[str, Any]


def role(rules: list[Obj], namespace: str = "", subjects: list[Obj] | None = None) -> list[Obj]:
    """A role of the account, or of others, with its binding."""
    kind = "Role" if namespace else "ClusterRole"
    metadata = {"name": "r"} | ({"namespace": namespace} if namespace else {})
    mine = [{"kind": "ServiceAccount", "namespace": HOME, "name": "account"}]
    binding = {"kind": f"{kind}Binding", "metadata": metadata, "roleRef": {"kind": kind, "name": "r"}}
    return [{"kind": kind, "metadata": metadata, "rules": rules}, binding | {"subjects": subjects or mine}]


def rule(resource: str, *verbs: str, group: str = "", **more: Any) -> Obj:
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)} | more


def event(verb: str, resource: str, name: str = "", namespace: str = "", code: int = 200, **more: Any) -> Obj:
    ref = {"resource": resource, "name": name, "namespace": namespace}
    answer = {"user": {"username": USER}, "verb": verb, "responseStatus": {"code": code}}
    return answer | {"objectRef": ref | more.pop("ref", {})} | more


# What is granted.


def test_every_verb_on_every_name_is_a_right_of_its_own() -> None:
    objects = [
        *role([rule("nodes", "get", "patch"), rule("proxies", "list", group="g", resourceNames=["a", "b"])]),
        *role([rule("pods/log", "get")], HOME),
    ]

    assert granted(objects, ACCOUNT) == {
        Grant("", "", "nodes", "", "get"),
        Grant("", "", "nodes", "", "patch"),
        Grant("", "g", "proxies", "a", "list"),
        Grant("", "g", "proxies", "b", "list"),
        Grant(HOME, "", "pods/log", "", "get"),
    }


def test_the_rights_of_another_account_are_not_its() -> None:
    other = [{"kind": "ServiceAccount", "namespace": "elsewhere", "name": "account"}]
    assert granted(role([rule("nodes", "get")], subjects=other), ACCOUNT) == frozenset()


GROUP = {"kind": "Group", "name": "system:serviceaccounts:home"}
MINE = {"kind": "ServiceAccount", "namespace": HOME, "name": "account"}


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        pytest.param(role([rule("nodes", "*")]), "wildcard", id="every-verb"),
        pytest.param(role([rule("*", "get")]), "wildcard", id="every-resource"),
        pytest.param(role([rule("*/status", "get")]), "wildcard", id="every-status"),
        pytest.param(role([rule("nodes", "get", group="*")]), "wildcard", id="every-group"),
        pytest.param(role([{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]), "URLs", id="urls"),
        pytest.param(role([], subjects=[GROUP]), "not of one ServiceAccount", id="a-group"),
        pytest.param(role([], subjects=[MINE, MINE | {"name": "b"}]), "not of one ServiceAccount", id="shared"),
    ],
)
def test_what_gives_more_than_can_be_told_is_refused(objects: list[Obj], said: str) -> None:
    with pytest.raises(NotUnderstood, match=said):
        granted(objects, ACCOUNT)


# What was used.

CREATED = event("patch", "configmaps", "c", HOME, code=201)
SECRETS = [rule("secrets", "get")]
NODES = [rule("nodes", "get", resourceNames=["n"])]
WRITTEN: Obj = {"ref": {"apiGroup": RBAC}}
BINDING = {"roleRef": {"kind": "ClusterRole", "name": "r"}}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([event("get", "nodes", "n")], {Use("", "", "nodes", "n", "get")}, id="get"),
        pytest.param([event("watch", "pods")], {Use("", "", "pods", "", "watch")}, id="all-namespaces"),
        pytest.param(
            [event("update", "things", "t", ref={"apiGroup": "g", "subresource": "status"})],
            {Use("", "g", "things/status", "t", "update")},
            id="subresource",
        ),
        pytest.param([event("get", "nodes", "n", code=404)], {Use("", "", "nodes", "n", "get")}, id="not-found"),
        pytest.param(
            [CREATED],
            {Use(HOME, "", "configmaps", "c", "patch"), Use(HOME, "", "configmaps", "c", "create")},
            id="apply-creates",
        ),
        pytest.param(
            [CREATED | {"responseStatus": {"code": 200}}],
            {Use(HOME, "", "configmaps", "c", "patch")},
            id="apply-changes",
        ),
        pytest.param(
            [event("create", "events", "e", HOME, code=201)],
            {Use(HOME, "", "events", "", "create")},
            id="a-post-has-no-name",
        ),
        pytest.param([{"verb": "get", "requestURI": "/version"}], set(), id="no-object"),
    ],
)
def test_a_request_uses_what_its_authorizer_sees(events: list[Obj], expected: set[Use]) -> None:
    assert used(events, frozenset()) == expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param(SECRETS, {"escalate", "bind"}, id="more-than-it-has"),
        pytest.param(NODES, set(), id="what-it-has"),
        pytest.param([*NODES, *SECRETS], {"escalate", "bind"}, id="both"),
        pytest.param([rule("*", "*")], {"escalate", "bind"}, id="everything"),
        pytest.param([{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}], {"escalate", "bind"}, id="urls"),
    ],
)
def test_a_role_that_gives_more_than_its_writer_has_needs_two_rights_more(rules: list[Obj], expected: set[str]) -> None:
    events = [
        event("patch", "clusterroles", "r", requestObject={"rules": rules}, **WRITTEN),
        event("patch", "clusterrolebindings", "b", requestObject=BINDING, **WRITTEN),
    ]

    found = used(events, frozenset({Grant("", "", "nodes", "", "get")}))

    assert {use.verb for use in found} == expected | {"patch"}
    assert {use for use in found if use.verb != "patch"} == {Use("", RBAC, "clusterroles", "r", v) for v in expected}


def test_a_role_that_was_refused_gives_nothing() -> None:
    events = [event("patch", "clusterroles", "r", code=403, requestObject={"rules": SECRETS}, **WRITTEN)]
    assert {use.verb for use in used(events, frozenset())} == {"patch"}


def test_whoever_else_asks_does_not_count() -> None:
    other = event("get", "nodes") | {"user": {"username": "admin"}}
    mine = event("get", "nodes")
    assert events_of([other, mine], USER) == [mine]


def test_only_the_authorizers_refusals_are_for_want_of_a_right() -> None:
    said = [
        'nodes is forbidden: User "x" cannot list resource "nodes" in API group "" at the cluster scope',
        'clusterroles "r" is forbidden: user "x" is attempting to grant RBAC permissions not currently held',
        'pods "p" is forbidden: exceeded quota: none',
    ]
    events = [event("list", "nodes") | {"responseStatus": {"code": 403, "message": text}} for text in said]
    assert refused([*events, event("get", "nodes")]) == said[:2]


def test_paths_that_are_no_objects() -> None:
    assert elsewhere([{"requestURI": "/apis?timeout=32s"}, event("get", "nodes")]) == {"/apis"}


# What differs.

GET, PATCH, DELETE = (Grant("", "", "nodes", "", verb) for verb in ("get", "patch", "delete"))
USED = frozenset({Use("", "", "nodes", "a", "get"), Use("", "", "nodes", "b", "patch")})
MAPS = Grant("", "", "configmaps", "", "get")


def in_namespaces(*namespaces: str) -> frozenset[Use]:
    return frozenset(Use(each, "", "configmaps", "c", "get") for each in namespaces)


@pytest.mark.parametrize(
    ("grants", "uses", "exceptions", "expected"),
    [
        pytest.param({GET, PATCH}, USED, (), Differences(), id="as-used"),
        pytest.param({GET}, USED, (), Differences(ungranted=("patch nodes b",)), id="a-verb-less"),
        pytest.param(
            {GET, PATCH, DELETE}, USED, (), Differences(unneeded=("delete nodes (any) in the cluster",)), id="one-more"
        ),
        pytest.param({GET, PATCH, DELETE}, USED, (DELETE,), Differences(), id="an-exception"),
        pytest.param(
            {GET, PATCH}, USED, (PATCH,), Differences(stale=("patch nodes (any) in the cluster",)), id="used-after-all"
        ),
        pytest.param(
            {GET, PATCH},
            USED,
            (DELETE,),
            Differences(stale=("delete nodes (any) in the cluster",)),
            id="exception-of-nothing",
        ),
        pytest.param(
            {GET, PATCH._replace(name="a")},
            USED,
            (),
            Differences(ungranted=("patch nodes b",), unneeded=("patch nodes a in the cluster",)),
            id="another-name",
        ),
        pytest.param(
            {MAPS, MAPS._replace(place=HOME)},
            in_namespaces("", HOME),
            (),
            Differences(unneeded=("get configmaps (any) in home",)),
            id="granted-twice",
        ),
        pytest.param(
            {MAPS},
            in_namespaces(HOME),
            (),
            Differences(too_wide=("get configmaps (any) in the cluster",)),
            id="a-role-would-do",
        ),
        pytest.param({MAPS}, in_namespaces(HOME), (MAPS,), Differences(), id="a-role-would-not-do"),
        pytest.param({MAPS}, in_namespaces(HOME, "elsewhere"), (), Differences(), id="in-two-namespaces"),
        pytest.param({MAPS}, in_namespaces(""), (), Differences(), id="in-all-at-once"),
        pytest.param(
            {MAPS._replace(place=HOME)},
            in_namespaces("elsewhere"),
            (),
            Differences(ungranted=("get configmaps c in elsewhere",), unneeded=("get configmaps (any) in home",)),
            id="in-the-wrong-namespace",
        ),
    ],
)
def test_what_differs_is_told(
    grants: set[Grant], uses: frozenset[Use], exceptions: tuple[Grant, ...], expected: Differences
) -> None:
    assert differences(frozenset(grants), uses, frozenset(exceptions)) == expected
