"""The driver container of the demo leaves a host as a real one does, in the eyes of the agent."""

from pathlib import Path

import pytest

from agent import inventory
from agent.host import Host
from demo.driver_container import DriverContainer, module_version
from nicfleet.inventory import DriverContainer as Files
from nicfleet.inventory import Flavour, Inventory, NodeName
from tests import hosts


@pytest.fixture
def root(tmp_path: Path) -> Path:
    hosts.connectx5(tmp_path)
    return tmp_path


def seen(root: Path) -> Inventory:
    return inventory.read(Host.at(root), None, NodeName("worker-1"))


def run(root: Path, *pods: tuple[str, str]) -> None:
    """Pods come one after the other, each replacing the one before; the last stays, unless its image is empty."""
    container = DriverContainer(root, step_seconds=0.0)
    for uid, image in pods:
        if image:
            container.pod_runs(uid, image)
        else:
            container.pod_is_gone(uid)
    container.close()


def test_a_running_pod_means_the_requested_driver_with_its_devices(root: Path) -> None:
    run(root, ("a", "nvcr.io/nvidia/mellanox/mofed:23.04-0.5.3.3.1-ubuntu22.04-amd64"))

    driver = seen(root).driver
    assert (driver.flavour, driver.version) == (Flavour.OFED, "23.04-0.5.3")
    assert driver.rdma_cm
    assert driver.container == Files(ready=True, running=True, reloading=False)
    assert [device.char_devices for function in seen(root).functions for device in function.rdma_devices] == [
        ("infiniband/issm0", "infiniband/umad0", "infiniband/uverbs0"),
        ("infiniband/issm1", "infiniband/umad1", "infiniband/uverbs1"),
    ]


def test_when_the_pod_goes_the_modules_stay(root: Path) -> None:
    run(root, ("a", "mofed:23.04-0.5.3.3.1"), ("a", ""))

    driver = seen(root).driver
    assert (driver.flavour, driver.version) == (Flavour.OFED, "23.04-0.5.3")
    assert driver.container == Files(ready=False, running=False, reloading=False)


def test_the_end_of_a_replaced_pod_does_not_stop_its_successor(root: Path) -> None:
    run(root, ("a", "mofed:23.04-0.5.3.3.1"), ("b", "mofed:24.10-1.1.4.0-0"), ("a", ""))

    driver = seen(root).driver
    assert driver.version == "24.10-1.1.4"
    assert driver.container.ready


def test_an_image_without_a_version_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^the image mofed:latest tells no driver version$"):
        module_version("mofed:latest")
