"""The cluster is made once for all tests, which tell one story in their order."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.machine import alone, missing
from tests.e2e.site import Site


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    if not os.environ.get("NICFLEET_E2E"):
        pytest.skip("real nodes take minutes: make e2e")
    folder = Path(tempfile.mkdtemp(prefix="nicfleet-e2e-"))
    try:
        if lacking := missing(folder):
            pytest.skip(lacking)
        with alone(), Site(folder) as made:
            yield made
            if request.session.testsfailed:
                made.keep_logs()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
