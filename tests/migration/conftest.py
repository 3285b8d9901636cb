"""A control plane of its own: moving over concerns the whole cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chart.helm import Helm
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.errors import ControlPlaneError


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    try:
        with ControlPlane() as control_plane:
            yield control_plane
    except ControlPlaneError as error:
        raise pytest.fail.Exception(f"no control plane: {error}", pytrace=False) from None


@pytest.fixture(scope="module")
def helm(helm_program: Path, plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(helm_program, tmp_path_factory.mktemp("helm"), plane.kubeconfig)
