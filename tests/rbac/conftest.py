"""The coordinator's account, as it is installed, on a control plane of its own, through all that it can do."""

from collections.abc import Iterator

import pytest

from tests.controlplane.cluster import ControlPlane
from tests.controlplane.errors import ControlPlaneError
from tests.integration.coordinator.registry_server import Registry, serving
from tests.integration.system.faults import faulty
from tests.integration.system.product import Product, account
from tests.integration.system.simulated import EventLoop
from tests.integration.system.test_driver_images import TAG
from tests.rbac.documented import ROOT, shipped
from tests.rbac.scenario import DRIVER_IMAGE, USER, OverTls, Scenario

LEFT_OUT = ("DaemonSet", "Deployment", "Lease")
"""What runs; and what is made anew where somebody has deleted it, which is a right too."""


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """Of its own, since every request of the account counts. With all that is shipped but what is left out."""
    try:
        with ControlPlane() as control_plane:
            control_plane.apply(*(each for each in shipped() if each["kind"] not in LEFT_OUT))
            control_plane.install(ROOT / "deploy/crds")
            yield control_plane
    except ControlPlaneError as error:
        raise pytest.fail.Exception(f"no control plane: {error}", pytrace=False) from None


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    """On this machine, with one precompiled image, and for one user."""
    loop = EventLoop()
    served = serving(Registry({DRIVER_IMAGE: [TAG]}, access="basic", user=USER))
    yield loop.run(served.__aenter__())
    loop.run(served.__aexit__(None, None, None))
    loop.close()


@pytest.fixture(scope="module")
def played(plane: ControlPlane, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    """The scenario, at its end."""
    folder = tmp_path_factory.mktemp("product")
    with faulty(account(plane), folder) as (network, kubeconfig):
        product = Product(plane, folder, "--leader-elect", "--driver-image-poll-minutes=30", kubeconfig=kubeconfig)
        scenario = Scenario(product, network, registry, OverTls(kubeconfig, folder))
        try:
            scenario.play()
            yield scenario
        finally:
            scenario.over_tls.process.kill()
            product.stop()
