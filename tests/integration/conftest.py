"""One real control plane for all integration tests of a run (of a worker, under xdist)."""

from collections.abc import Iterator

import pytest

from tests.controlplane.cluster import ControlPlane
from tests.controlplane.errors import ControlPlaneError


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Iterator[ControlPlane]:
    """A control plane that tests share: use a namespace, node names and labels of your own, and clean up.

    Without its programs the tests that need it fail, and say why; they are never skipped.
    """
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():  # the first build takes minutes, and its progress should be seen
            control_plane = ControlPlane()
        with control_plane:
            yield control_plane
    except ControlPlaneError as error:
        raise pytest.fail.Exception(f"no control plane: {error}", pytrace=False) from None
