"""An admission webhook of somebody else hangs on one object of a policy: all the others, and the status, go on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nicfleet import names
from tests.controlplane.cluster import ControlPlane
from tests.integration.coordinator.hanging_webhook import hanging
from tests.integration.coordinator.objects import config_map
from tests.integration.system.api import NODE_POLICIES
from tests.integration.system.fleet import WITH_DRIVER
from tests.integration.system.product import Product, sections
from tests.integration.system.waiting import eventually

STATE = "state-RDMA-device-plugin"


@pytest.fixture
def leading(plane: ControlPlane, tmp_path: Path) -> Iterator[Product]:
    """As the chart installs it: its writes have no longer than its lease."""
    installed = Product(plane, tmp_path, "--leader-elect")
    yield installed
    installed.remove()


def test_one_object_waits_and_its_policy_says_why(leading: Product, tmp_path: Path) -> None:
    leading.coordinator.start()
    leading.register("node")
    leading.simulated.report("node", WITH_DRIVER)
    eventually(lambda: leading.coordinator.ready)
    probe = config_map("probe")
    probe["metadata"]["labels"] = {names.STATE_LABEL: STATE}

    def told() -> dict[str, Any] | None:
        found = leading.api.condition("RDMASharedDevicePluginReady")
        return found if found["reason"] == "ApplyFailed" else None

    with hanging(leading.plane, tmp_path, probe):
        leading.apply(**sections("rdmaSharedDevicePlugin"))
        leading.apply_for_nodes("few", {"role": "few"}, **sections("ofedDriver"))
        message = eventually(told)["message"]
        assert eventually(lambda: leading.api.status("few", NODE_POLICIES)["state"]) == "ready"
        assert leading.api.daemonset("rdma-shared-dp-ds")
        assert leading.coordinator.ready
    assert "/rdma-devices: nothing came in time, though the API server answers other requests" in message
    assert leading.coordinator.logged("key failed") == []
    assert not any("does not answer" in line["why"] for line in leading.coordinator.logged("health changed"))

    leading.wait_ready(seconds=120)
