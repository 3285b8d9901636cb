"""helm, and a control plane on which it installs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chart.helm import NAMESPACE, Helm
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.errors import ControlPlaneError
from tests.controlplane.nodes import fake_node
from tests.controlplane.tools import ensure_tools


@pytest.fixture(scope="session")
def program(pytestconfig: pytest.Config) -> Path:
    """The tests that need helm are skipped, and say why, where it is not and cannot be built."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            return ensure_tools(["helm"])["helm"]
    except (ControlPlaneError, OSError) as error:
        raise pytest.skip.Exception(f"helm is not here and cannot be built: {error}") from None


@pytest.fixture(scope="session")
def helm(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Without a cluster."""
    return Helm(program, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """One of its own, with a node and the release's namespace: CRDs, and who deletes what, are the whole cluster's."""
    try:
        with ControlPlane() as control_plane:
            control_plane.apply(fake_node("worker-1"))
            control_plane.kubectl("create", "namespace", NAMESPACE)
            yield control_plane
    except ControlPlaneError as error:
        raise pytest.fail.Exception(f"no control plane: {error}", pytrace=False) from None


@pytest.fixture(scope="module")
def installer(program: Path, plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """With the control plane as its cluster."""
    return Helm(program, tmp_path_factory.mktemp("helm"), plane.kubeconfig)
