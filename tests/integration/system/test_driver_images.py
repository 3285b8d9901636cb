"""What the driver's DaemonSet is made from besides the policy: a registry's answers, and ConfigMaps of the user."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nicfleet import names
from nicfleet.reasons import Reason
from tests.controlplane.cluster import ControlPlane
from tests.integration.coordinator.registry_server import Registry, errors, serving
from tests.integration.system.api import WORKLOADS
from tests.integration.system.fleet import WITH_DRIVER
from tests.integration.system.product import DRIVER_VERSION, Product
from tests.integration.system.simulated import EventLoop
from tests.integration.system.waiting import eventually
from tests.unit.coordinator.inventories import KERNEL

STATE = "state-OFED"
TAG = f"{DRIVER_VERSION}-{KERNEL}-ubuntu22.04-amd64"


@pytest.fixture
def registry() -> Iterator[Registry]:
    """On this machine, with one precompiled image."""
    loop = EventLoop()
    served = serving(Registry({"nic/mofed": [TAG]}))
    yield loop.run(served.__aenter__())
    loop.run(served.__aexit__(None, None, None))
    loop.close()


@pytest.fixture
def asking(plane: ControlPlane, tmp_path: Path) -> Iterator[Product]:
    """A product that asks registries, with one node whose driver is loaded."""
    installed = Product(plane, tmp_path, "--driver-image-poll-minutes=30")
    installed.register("node")
    installed.simulated.report("node", WITH_DRIVER)
    yield installed
    installed.remove()


def driver(registry: Registry, **fields: Any) -> dict[str, Any]:
    repository, _, image = registry.image("nic/mofed").rpartition("/")
    return {"repository": repository, "image": image, "version": DRIVER_VERSION} | fields


def running(product: Product) -> dict[str, Any]:
    """The driver's DaemonSet. Raises LookupError while there is none."""
    return product.api.items(f"{WORKLOADS}/daemonsets")[0]


def image(product: Product) -> str:
    containers = running(product)["spec"]["template"]["spec"]["containers"]
    found: str = containers[0]["image"]
    return found


def test_a_precompiled_image_stays_when_the_coordinator_restarts_and_the_registry_is_away(
    asking: Product, registry: Registry
) -> None:
    asking.apply(ofedDriver=driver(registry))
    asking.coordinator.start()
    eventually(lambda: image(asking) == f"{registry.image('nic/mofed')}:{TAG}")
    asking.wait_ready()

    asking.coordinator.kill()
    registry.answer = errors(503, "down")
    asking.audit.mark()
    asking.coordinator.start()
    eventually(lambda: "has precompiled images" in asking.api.condition("OFEDDriverReady")["message"])

    told = asking.api.condition("OFEDDriverReady")
    assert (told["status"], told["reason"]) == ("True", Reason.ComponentReady)
    assert f"127.0.0.1:{registry.port} answers 503 (down): the precompiled image stays on" in told["message"]
    assert asking.audit.objects() == []


def test_an_image_is_not_decided_on_before_the_registry_answers(asking: Product, registry: Registry) -> None:
    registry.answer = errors(503, "starting")
    asking.apply(ofedDriver=driver(registry, forcePrecompiled=True))
    asking.coordinator.start()
    eventually(lambda: asking.api.condition("Ready")["reason"] == Reason.NotYetKnown)
    assert asking.api.state(STATE)["state"] == "notReady"
    assert asking.api.items(f"{WORKLOADS}/daemonsets") == []

    registry.answer = None

    eventually(lambda: image(asking) == f"{registry.image('nic/mofed')}:{TAG}")
    asking.wait_ready()

    asking.apply(ofedDriver=driver(registry, version="24.01-0.3.3.1-0", forcePrecompiled=True))
    eventually(lambda: asking.api.state(STATE)["state"] == "error")
    assert "there is no precompiled image" in asking.api.state(STATE)["message"]
    assert image(asking) == f"{registry.image('nic/mofed')}:{TAG}"


def test_a_config_map_that_is_named_is_waited_for_and_followed(asking: Product, registry: Registry) -> None:
    asking.apply(ofedDriver=driver(registry, certConfig={"name": "own-ca"}))
    asking.coordinator.start()
    eventually(lambda: "has no such ConfigMap" in asking.api.state(STATE)["message"])

    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "own-ca", "namespace": names.DEFAULT_NAMESPACE},
        "data": {"a.crt": "PEM"},
    }
    asking.plane.apply(config_map)
    eventually(lambda: mounted(asking) == ["a.crt"])
    asking.plane.apply(config_map | {"data": {"a.crt": "PEM", "b.crt": "PEM"}})
    eventually(lambda: mounted(asking) == ["a.crt", "b.crt"])
    asking.plane.kubectl("delete", "configmap", "own-ca", f"--namespace={names.DEFAULT_NAMESPACE}")
    eventually(lambda: "has no such ConfigMap" in asking.api.state(STATE)["message"])
    assert mounted(asking) == ["a.crt", "b.crt"]


def mounted(product: Product) -> list[str]:
    """The files of ConfigMaps in the driver container."""
    mounts = running(product)["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    return [mount["subPath"] for mount in mounts if "subPath" in mount]
