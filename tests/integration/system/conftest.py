"""The whole product on a control plane of its own: these tests stop the API server and count its audit log."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.controlplane.cluster import ControlPlane
from tests.controlplane.errors import ControlPlaneError
from tests.integration.coordinator.proxy import Proxy
from tests.integration.system.faults import faulty
from tests.integration.system.product import Product, account, install


@pytest.fixture(scope="package")
def plane() -> Iterator[ControlPlane]:
    """A control plane on which nicfleet is installed, and nothing of it runs."""
    try:
        with ControlPlane() as control_plane:
            install(control_plane)
            yield control_plane
    except ControlPlaneError as error:
        raise pytest.fail.Exception(f"no control plane: {error}", pytrace=False) from None


@pytest.fixture(scope="module")
def product(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Nothing runs yet; after the module's tests all is gone but what was installed."""
    installed = Product(plane, tmp_path_factory.mktemp("product"))
    yield installed
    installed.remove()


@pytest.fixture
def fresh(plane: ControlPlane, tmp_path: Path) -> Iterator[Product]:
    """The same for one test."""
    installed = Product(plane, tmp_path)
    yield installed
    installed.remove()


@dataclass(frozen=True, slots=True)
class Behind:
    """A product whose coordinator reaches the API server through a network that plays faults."""

    product: Product
    network: Proxy


@pytest.fixture
def behind(plane: ControlPlane, tmp_path: Path) -> Iterator[Behind]:
    """The same behind a network without faults yet."""
    with faulty(account(plane), tmp_path) as (network, kubeconfig):
        installed = Product(plane, tmp_path, kubeconfig=kubeconfig)
        yield Behind(installed, network)
        installed.remove()
