"""A control plane of its own: moving over concerns the whole cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chart.helm import Helm
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.errors import ControlPlaneError
from tests.controlplane.tools import ensure_tools


@pytest.fixture(scope="session")
def program(pytestconfig: pytest.Config) -> Path:
    """helm. The tests that need it are skipped, and say why, where it is not and cannot be built."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            return ensure_tools(["helm"])["helm"]
    except (ControlPlaneError, OSError) as error:
        raise pytest.skip.Exception(f"helm is not here and cannot be built: {error}") from None


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    try:
        with ControlPlane() as control_plane:
            yield control_plane
    except ControlPlaneError as error:
        raise pytest.fail.Exception(f"no control plane: {error}", pytrace=False) from None


@pytest.fixture(scope="module")
def helm(program: Path, plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(program, tmp_path_factory.mktemp("helm"), plane.kubeconfig)
