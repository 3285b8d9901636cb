"""What the documentation says that the accounts may do, and what the shipped roles say."""

from pathlib import Path
from typing import Final

import yaml

from nicfleet import names
from tests.rbac.rights import Grant, Obj, granted
from tests.rbac.table import EXCEPTION, Row, rows

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs/reference/permissions.md"
MANIFEST: Final = ROOT / "deploy/nicfleet.yaml"
"""What the chart makes by default; a test of the chart compares them."""
NAMESPACE: Final = names.DEFAULT_NAMESPACE

COORDINATOR: Final = "nicfleet-coordinator"
HOOK: Final = "nicfleet-install-crds"
CHECK: Final = "nicfleet-check"
AGENT: Final = "nicfleet-agent"


def documented(heading: str) -> tuple[Row, ...]:
    """The page's table for an account."""
    return rows(PAGE.read_text(), heading, NAMESPACE)


def shipped() -> list[Obj]:
    """All objects of an installation."""
    return list(yaml.safe_load_all(MANIFEST.read_text()))


def coordinators_rights() -> frozenset[Grant]:
    """By the shipped roles."""
    return granted(shipped(), (NAMESPACE, COORDINATOR))


def rights_of(table: tuple[Row, ...]) -> frozenset[Grant]:
    return frozenset(grant for row in table for grant in row.grants)


def exceptions_of(table: tuple[Row, ...]) -> frozenset[Grant]:
    return frozenset(grant for row in table if row.step == EXCEPTION for grant in row.grants)
