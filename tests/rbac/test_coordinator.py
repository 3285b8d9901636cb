"""The coordinator does what its account may, all of it and nothing else: by the audit log of a real API server."""

import pytest

from tests.integration.system.audit import COORDINATOR
from tests.rbac.compare import Differences, differences
from tests.rbac.documented import coordinators_rights, documented, exceptions_of
from tests.rbac.rights import Grant, Use
from tests.rbac.scenario import Scenario
from tests.rbac.table import EXCEPTION
from tests.rbac.used import elsewhere, events_of, refused, used

TABLE = documented("The coordinator")
EXCEPTIONS = exceptions_of(TABLE)

Steps = dict[str, frozenset[Use]]


@pytest.fixture(scope="module")
def steps(played: Scenario) -> Steps:
    """What was used in each step."""
    rights = coordinators_rights()
    return {step: used(events_of(events, COORDINATOR), rights) for step, events in played.events.items()}


@pytest.fixture(scope="module")
def uses(steps: Steps) -> frozenset[Use]:
    return frozenset().union(*steps.values())


def test_every_right_is_used_and_every_use_is_granted(uses: frozenset[Use]) -> None:
    assert differences(coordinators_rights(), uses, EXCEPTIONS) == Differences()


def test_nothing_was_refused_for_want_of_a_right(played: Scenario) -> None:
    assert [said for events in played.events.values() for said in refused(events_of(events, COORDINATOR))] == []


def test_it_asks_for_objects_only(played: Scenario) -> None:
    """For discovery every account has rights that are not in our roles."""
    assert frozenset().union(*(elsewhere(events_of(e, COORDINATOR)) for e in played.events.values())) == frozenset()


def test_each_rule_is_needed_in_the_step_that_the_page_names(steps: Steps) -> None:
    wrong = [
        (row.why, row.step)
        for row in TABLE
        if row.step != EXCEPTION and not any(grant.covers(use) for use in steps[row.step] for grant in row.grants)
    ]
    assert wrong == []


def test_one_right_less_or_more_is_found(uses: frozenset[Use]) -> None:
    """Whichever it is: a verb that is missing or too many fails the first test here."""
    rights = coordinators_rights()
    for right in rights:
        found = differences(rights - {right}, uses, EXCEPTIONS)
        assert found.stale == (str(right),) if right in EXCEPTIONS else found.ungranted
    more = {right._replace(verb=verb) for right in rights for verb in ("get", "list", "update", "deletecollection")}
    for right in more - rights:
        assert str(right) in differences(rights | {right}, uses, EXCEPTIONS).unneeded


def test_a_wider_right_is_found(uses: frozenset[Use]) -> None:
    rights = coordinators_rights()
    configmaps = next(each for each in rights if (each.resource, each.verb) == ("configmaps", "patch"))

    found = differences((rights - {configmaps}) | {configmaps._replace(place="")}, uses, EXCEPTIONS)

    assert found == Differences(too_wide=(str(Grant("", "", "configmaps", "", "patch")),))
