"""Options of the whole test suite."""

import pytest
from hypothesis import HealthCheck, settings

# A loaded machine must not fail a property test: how long an example takes proves nothing about it.
settings.register_profile("nicfleet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nicfleet")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the code makes into tests/unit/golden/**/*.output.yaml, to be reviewed as a diff",
    )
