"""state-SRIOV-device-plugin: gives NIC functions, virtual or whole, to single pods."""

import re
from typing import Final

from coordinator.plugins import sriov_config
from coordinator.states import device_plugin

PLUGIN: Final = device_plugin.Plugin(
    field="spec.sriovDevicePlugin",
    section=lambda spec: spec.sriov_device_plugin,
    container="kube-sriovdp",
    config_map="network-operator-sriovdp-config",
    problems=sriov_config.problems,
    cautions=sriov_config.cautions,
    cdi_since="v3.6.0",
    before_cdi=re.compile(r"v?(?:[12]\.\d|3\.[0-5](?!\d))"),
)

STATE: Final = device_plugin.state_of(
    PLUGIN, "state-SRIOV-device-plugin", "SRIOVDevicePluginReady", "sriov-device-plugin"
)
