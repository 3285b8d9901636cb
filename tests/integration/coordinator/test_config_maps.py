"""ConfigMaps that states read: what is there by name, and who hears of which change."""

import base64
from collections.abc import AsyncIterator, Iterator
from random import Random

import pytest

from coordinator.config_maps import ConfigMaps
from coordinator.kube.client import Kube
from nicfleet.names import DEFAULT_NAMESPACE
from tests.controlplane.cluster import ControlPlane
from tests.integration.coordinator.background import eventually, running
from tests.integration.coordinator.objects import config_map


@pytest.fixture(autouse=True)
def clean(installed: ControlPlane) -> Iterator[None]:
    yield
    installed.kubectl(
        "delete", "configmaps", "used", "unused", f"--namespace={DEFAULT_NAMESPACE}", "--ignore-not-found"
    )


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
async def config_maps(installed: ControlPlane, kube: Kube, heard: list[str]) -> AsyncIterator[ConfigMaps]:
    found = ConfigMaps(kube, DEFAULT_NAMESPACE, lambda: heard.append("changed"), Random(1))
    async with running(found.run()):
        await eventually(found.reflector.synced.is_set)
        yield found


async def test_what_is_there_is_read_by_name(installed: ControlPlane, config_maps: ConfigMaps) -> None:
    assert config_maps.read(["used", "missing"]) == {}
    binary = base64.b64encode(b"\xff").decode()
    installed.apply(config_map("used", a="1") | {"binaryData": {"b": binary}})
    await eventually(lambda: config_maps.read(["used", "missing"]) == {"used": {"a": "1", "b": binary}})
    installed.kubectl("delete", "configmap", "used", f"--namespace={DEFAULT_NAMESPACE}")
    await eventually(lambda: config_maps.read(["used"]) == {})


async def test_only_changes_of_content_in_use_are_told(
    installed: ControlPlane, config_maps: ConfigMaps, heard: list[str]
) -> None:
    config_maps.read(["used"])
    installed.apply(config_map("used", a="1"))
    await eventually(lambda: len(heard) == 1)

    installed.apply(config_map("unused", a="1"))
    installed.kubectl("label", "configmap", "used", "x=y", f"--namespace={DEFAULT_NAMESPACE}")
    installed.apply(config_map("used", a="2"))  # comes after the others, and is told alone
    await eventually(lambda: len(heard) == 2)
    assert config_maps.read(["used", "unused"]) == {"used": {"a": "2"}, "unused": {"a": "1"}}
    assert len(heard) == 2
