"""An admission webhook of somebody else hangs on one object of a policy: all the others, and the status, go on."""

from pathlib import Path
from typing import Any

from nicfleet import names
from tests.integration.coordinator.hanging_webhook import hanging
from tests.integration.coordinator.objects import config_map
from tests.integration.system.api import NODE_POLICIES
from tests.integration.system.fleet import WITH_DRIVER
from tests.integration.system.product import Product, sections
from tests.integration.system.waiting import eventually

STATE = "state-RDMA-device-plugin"


def test_one_object_waits_and_its_policy_says_why(fresh: Product, tmp_path: Path) -> None:
    fresh.coordinator.start()
    fresh.register("node")
    fresh.simulated.report("node", WITH_DRIVER)
    eventually(lambda: fresh.coordinator.ready)
    probe = config_map("probe")
    probe["metadata"]["labels"] = {names.STATE_LABEL: STATE}

    def told() -> dict[str, Any] | None:
        found = fresh.api.condition("RDMASharedDevicePluginReady")
        return found if found["reason"] == "ApplyFailed" else None

    with hanging(fresh.plane, tmp_path, probe):
        fresh.apply(**sections("rdmaSharedDevicePlugin"))
        fresh.apply_for_nodes("few", {"role": "few"}, **sections("ofedDriver"))
        message = eventually(told)["message"]
        assert eventually(lambda: fresh.api.status("few", NODE_POLICIES)["state"]) == "ready"
        assert fresh.api.daemonset("rdma-shared-dp-ds")
        assert fresh.coordinator.ready
    assert "/rdma-devices: nothing came within 12 s, though the API server answers other requests" in message
    assert fresh.coordinator.logged("key failed") == []
    assert not any("does not answer" in line["why"] for line in fresh.coordinator.logged("health changed"))

    fresh.wait_ready(seconds=120)
