"""Facts about the node that do not depend on the NIC driver. Section "node"."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from agent.host import BOOT_ID, Host
from agent.mounts import root_on_nvme
from agent.pci import PciDevice
from agent.reader import Reader
from nicfleet.inventory import Gpu, Node, NodeName, OtherDevice
from nicfleet.models import in_recovery, other_model

KERNEL_RELEASE: Final = "proc/sys/kernel/osrelease"
ARCHITECTURE: Final = "proc/sys/kernel/arch"
"""uname's machine; since Linux 6.1."""
OS_RELEASE: Final = ("etc/os-release", "usr/lib/os-release")
PLUGIN_DIRECTORIES: Final = ("var/lib/kubelet/device-plugins", "var/lib/kubelet/plugins_registry")
KUBELET_SOCKET: Final = "var/lib/kubelet/device-plugins/kubelet.sock"
"""Made by the kubelet itself, whatever its --root-dir, which `plugins_registry` alone follows: another is not seen.

The directories are no sign of a kubelet: a pod that mounts one makes it."""

_TEXT_LIMIT: Final = 65536
_ASSIGNMENT: Final = re.compile(r"([A-Z_][A-Z0-9_]*)=(.*)")


def node(reader: Reader, name: NodeName, host: Host, devices: Sequence[PciDevice]) -> Node:
    """The node without its links."""
    os_release = _os_release(reader)
    found = Node(
        name=name,
        boot_id=reader.text(BOOT_ID),
        os_id=os_release.get("ID"),
        os_version_id=os_release.get("VERSION_ID"),
        kernel_release=reader.text(KERNEL_RELEASE),
        architecture=reader.text(ARCHITECTURE) or host.machine,
        root_on_nvme=root_on_nvme(reader),
        gpus=tuple(Gpu(device.address, device.device) for device in devices if device.is_gpu),
        other_devices=_other_devices(devices),
        plugin_directories=_plugin_directories(reader),
        absent_cni_directories=tuple(path for path in host.cni_directories if _is_absent(reader, path.lstrip("/"))),
    )
    return replace(found, unread=reader.unread)


def _plugin_directories(reader: Reader) -> tuple[str, ...]:
    """Where a kubelet of this node looks for plugins; none when it has no socket here."""
    if _is_absent(reader, KUBELET_SOCKET):
        return ()
    return tuple(f"/{path}" for path in PLUGIN_DIRECTORIES if reader.exists(path))


def _is_absent(reader: Reader, path: str) -> bool:
    """What could not be told is not absent: the reader notes it."""
    return not reader.exists(path) and not reader.failed(path)


def _os_release(reader: Reader) -> dict[str, str]:
    """Assignments of os-release(5), quotes removed; empty when there is no such file."""
    for path in OS_RELEASE:
        matches = (_ASSIGNMENT.fullmatch(line.strip()) for line in reader.lines(path, _TEXT_LIMIT))
        values = {match[1]: _unquoted(match[2]) for match in matches if match}
        if values:
            return {name: value for name, value in values.items() if value and value.isprintable()}
    return {}


def _unquoted(value: str) -> str:
    """A shell word: quotes taken off, escapes resolved."""
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return re.sub(r"\\(.)", r"\1", value)


def _other_devices(devices: Iterable[PciDevice]) -> tuple[OtherDevice, ...]:
    """Devices of vendor 15b3 that are no network functions that can work."""
    return tuple(
        OtherDevice(
            address=device.address,
            device=device.device,
            pci_class=device.pci_class,
            model=other_model(device.device),
            recovery=in_recovery(device.device),
        )
        for device in devices
        if device.is_mellanox and not device.is_network_function
    )
