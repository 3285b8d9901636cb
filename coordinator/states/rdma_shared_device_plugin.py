"""state-RDMA-device-plugin: lets pods share RDMA devices."""

import re
from typing import Final

from coordinator.plugins import rdma_config
from coordinator.states import device_plugin

PLUGIN: Final = device_plugin.Plugin(
    field="spec.rdmaSharedDevicePlugin",
    section=lambda spec: spec.rdma_shared_device_plugin,
    container="rdma-shared-dp",
    config_map="rdma-devices",
    problems=rdma_config.problems,
    cautions=rdma_config.cautions,
    cdi_since="v1.4.0",
    before_cdi=re.compile(r"v?1\.[0-3](?!\d)"),
)

STATE: Final = device_plugin.state_of(
    PLUGIN, "state-RDMA-device-plugin", "RDMASharedDevicePluginReady", "rdma-shared-device-plugin"
)
