"""What decisions need of an inventory, in a form small enough to keep for every node. Pure.

Sentences carry no node name: readiness puts the nodes with the same sentence together.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from coordinator.fleet.driver import DriverFacts, driver_facts
from coordinator.fleet.hardware_labels import hardware_labels
from coordinator.fleet.management import NicInterface, nic_interfaces
from coordinator.fleet.plugin_view import PluginView, plugin_view
from coordinator.fleet.uplinks import Uplink, uplinks
from nicfleet.inventory import Function, Inventory
from nicfleet.reasons import Finding, Reason

_LOUD_ERRNOS: Final = frozenset({errno.EIO, errno.EACCES, errno.EPERM, errno.ETIMEDOUT})
"""A device that fails, or a right that is missing. Others (ENOENT, EINVAL, …) are how sysfs says 'not here'."""

_REGISTRATION_DIRECTORIES: Final = ("var/lib/kubelet/device-plugins", "var/lib/kubelet/plugins_registry")
_MOST_NAMED: Final = 3

_DECIDING: Final = frozenset({"vendor", "device", "class", "osrelease", "os-release"})
"""Without these of a PCI device it is not known to be a NIC; without the others the system is not known."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Derived from one complete inventory.

    `labels` are the hardware labels it justifies, `models` the marketing names of the PFs, sorted without doubles,
    `interfaces` those on a 15b3 port that carry an address or a default route, `plugin_view` what device plugins go
    by, `uplinks` what a secondary network can build on. `partial`: what is missing may only be out of sight, so no
    label may go away for it.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    driver: DriverFacts = field(default_factory=DriverFacts)
    functions: int = 0
    models: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    interfaces: tuple[NicInterface, ...] = ()
    root_on_nvme: bool | None = None
    plugin_directories: tuple[str, ...] = ()
    plugin_view: PluginView = field(default_factory=PluginView)
    uplinks: tuple[Uplink, ...] = ()
    partial: bool = False


def derive(inventory: Inventory) -> Facts:
    """The facts of one inventory."""
    labels = hardware_labels(inventory)
    return Facts(
        labels=labels.values,
        driver=driver_facts(inventory),
        functions=sum(1 for _ in inventory.all_functions()),
        models=tuple(sorted({function.model for function in inventory.functions if function.model})),
        findings=(*labels.invalid, *_findings(inventory)),
        interfaces=nic_interfaces(inventory),
        root_on_nvme=inventory.node.root_on_nvme,
        plugin_directories=inventory.node.plugin_directories,
        plugin_view=plugin_view(inventory),
        uplinks=uplinks(inventory),
        partial=_is_partial(inventory),
    )


def _is_partial(inventory: Inventory) -> bool:
    """The driver container replaces the driver, or what tells what the node is could not be read.

    An agent that starts in the middle of a reload has not seen what was there before. A host without os-release or
    kernel release is a mount that was forgotten, not a system without a name.
    """
    container, node = inventory.driver.container, inventory.node
    replacing = container.reloading or (container.running and not container.ready)
    nameless = node.os_id is None or node.kernel_release is None
    return replacing or nameless or any(unread.path.rpartition("/")[2] in _DECIDING for unread in node.unread)


def _findings(inventory: Inventory) -> Iterator[Finding]:
    yield from _broken_cards(inventory)
    yield from _unsupported(inventory.functions)
    if inventory.driver.peermem_stale:
        yield Finding(
            Reason.GpuDirectStale,
            "GPUDirect stale: nvidia_peermem was loaded against an earlier RDMA driver; reload the GPU driver",
        )
    yield from _unreadable(inventory)
    if inventory.functions:
        yield from _missing_directories(inventory.node.plugin_directories)
        for path in inventory.node.absent_cni_directories:
            yield Finding(
                Reason.CniDirectoryMissing,
                f"there is no {path}: the container runtime looks for CNI files elsewhere; set "
                "operator.cniBinDirectory and operator.cniNetworkDirectory to what it uses",
            )


def _broken_cards(inventory: Inventory) -> Iterator[Finding]:
    for device in inventory.node.other_devices:
        if device.recovery:
            yield Finding(
                Reason.DeviceInRecovery,
                f"{device.model or 'the card'} at {device.address} runs its recovery firmware and cannot work; "
                "flash it again or replace it",
            )


def _unsupported(functions: Iterable[Function]) -> Iterator[Finding]:
    """One finding per model: the ports of a card say the same."""
    addresses: dict[str, list[str]] = {}
    for function in functions:
        if function.supported is False:
            reason = function.unsupported_reason or f"{function.model or 'the device'} is not supported"
            addresses.setdefault(reason, []).append(function.address)
    for reason, places in sorted(addresses.items()):
        yield Finding(Reason.UnsupportedDevice, f"{reason} ({', '.join(sorted(places))})")


def _unreadable(inventory: Inventory) -> Iterator[Finding]:
    """One finding per errno, with at most three paths: a failing card has hundreds of attributes.

    A read that hangs is told once: all functions of the card name it as the one they were left out for.
    """
    by_errno: dict[int, list[str]] = {}
    for unread in set(inventory.all_unread()):
        if unread.errno in _LOUD_ERRNOS:
            by_errno.setdefault(unread.errno, []).append("/" + unread.path.lstrip("/"))
    for number, paths in sorted(by_errno.items()):
        shown, rest = sorted(paths)[:_MOST_NAMED], len(paths) - _MOST_NAMED
        more = f" and {rest} more" if rest > 0 else ""
        yield Finding(
            Reason.AttributeUnreadable,
            f"cannot read {', '.join(shown)}{more}: {errno.errorcode[number]} ({os.strerror(number)})",
        )


def _missing_directories(present: tuple[str, ...]) -> Iterator[Finding]:
    existing = {path.strip("/") for path in present}
    missing = [f"/{path}" for path in _REGISTRATION_DIRECTORIES if path not in existing]
    if missing:
        yield Finding(
            Reason.RegistrationDirectoryMissing,
            f"no kubelet looks into {' and '.join(missing)}: device plugins cannot register",
        )
