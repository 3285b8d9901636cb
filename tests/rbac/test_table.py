"""The page of permissions says what the roles say. No cluster."""

from collections import Counter

import pytest

from nicfleet import names
from tests.rbac.documented import NAMESPACE, coordinators_rights, documented, rights_of
from tests.rbac.rights import Grant
from tests.rbac.scenario import STEPS
from tests.rbac.table import EXCEPTION, Row, rows

REVIEWS = ("tokenreviews", "subjectaccessreviews", "selfsubjectreviews")
"""Questions: the API server keeps nothing of them."""

NODES = Grant("", "", "nodes", "", "patch")
PAGE = """
# Permissions

## An account

Text.

| Where | API group | Resources | Names | Verbs | Why | Step |
|---|---|---|---|---|---|---|
| cluster | core | `nodes` | | `patch` | Labels | nodes |
| own | `apps` | `daemonsets` `deployments/scale` | `a` `b` | `get` | `x` is read | exception |

## Another

| Where | API group | Resources | Names | Verbs | Why | Step |
|---|---|---|---|---|---|---|
| default | core | `events` | | `create` | | |
"""


def test_a_table_is_read_as_rights() -> None:
    first, second = rows(PAGE, "An account", "home")

    assert first == Row(frozenset({NODES}), "Labels", "nodes")
    assert (second.why, second.step) == ("`x` is read", EXCEPTION)
    assert second.grants == {
        Grant("home", "apps", resource, name, "get")
        for resource in ("daemonsets", "deployments/scale")
        for name in ("a", "b")
    }


def test_a_table_with_other_columns_is_not_read() -> None:
    with pytest.raises(ValueError, match="has the columns"):
        rows(PAGE.replace("| Why |", "| Because |", 1), "An account", "home")


def test_the_page_has_every_rule_of_the_coordinators_roles_once_and_no_other() -> None:
    table = documented("The coordinator")
    shown = Counter(grant for row in table for grant in row.grants)

    assert {str(each) for each in coordinators_rights() - rights_of(table)} == set()
    assert {str(each) for each in rights_of(table) - coordinators_rights()} == set()
    assert [str(grant) for grant, times in shown.items() if times > 1] == []


def test_every_rule_has_a_reason_and_a_step_that_there_is() -> None:
    for row in documented("The coordinator"):
        assert row.why
        assert row.step in {*STEPS, EXCEPTION}
        assert row.why.startswith("Exception: ") is (row.step == EXCEPTION)


def test_what_the_roles_must_never_have() -> None:
    rights = coordinators_rights()

    secrets = {(grant.place, grant.name, grant.verb) for grant in rights if grant.resource == "secrets"}
    assert secrets == {(NAMESPACE, "", "get"), (NAMESPACE, names.TLS_SECRET, "patch")}
    handed_on = [grant for grant in rights if grant.verb in ("escalate", "bind", "impersonate")]
    assert handed_on
    assert all(grant.name for grant in handed_on)
    deletable = {grant.resource for grant in rights if grant.verb.startswith("delete")}
    assert deletable.isdisjoint({"customresourcedefinitions", "persistentvolumeclaims", "nodes", "pods", "namespaces"})
    writes = ("create", "update", "patch", "delete", "deletecollection")
    anywhere = {grant.resource for grant in rights if not grant.place and not grant.name and grant.verb in writes}
    own = {"nodes", "network-attachment-definitions", "ipoibnetworks", "macvlannetworks", *REVIEWS}
    assert {each for each in anywhere if not each.endswith(("/status", "/finalizers"))} == own
