"""The cluster is made once for all tests, which tell one story in their order."""

import os
from collections.abc import Iterator

import pytest

from tests.e2e import stopping
from tests.e2e.machine import alone, missing
from tests.e2e.site import Site


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    if not os.environ.get("NICFLEET_E2E"):
        pytest.skip("real nodes take minutes: make e2e")
    if lacking := missing():
        pytest.skip(lacking)
    with stopping.in_order(), alone(), Site() as made:
        yield made
        if request.session.testsfailed:
            made.keep_logs()
