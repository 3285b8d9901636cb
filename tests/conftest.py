"""Options of the whole test suite."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.controlplane.errors import ControlPlaneError
from tests.controlplane.tools import ensure_tools

# A loaded machine must not fail a property test: how long an example takes proves nothing about it.
settings.register_profile("nicfleet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nicfleet")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the code makes into tests/unit/golden/**/*.output.yaml, to be reviewed as a diff",
    )


@pytest.fixture(scope="session")
def helm_program(pytestconfig: pytest.Config) -> Path:
    """The tests that need helm are skipped, and say why, where it is not and cannot be built."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            return ensure_tools(["helm"])["helm"]
    except (ControlPlaneError, OSError) as error:
        raise pytest.skip.Exception(f"helm is not here and cannot be built: {error}") from None
