"""Kernel uevents by pyudev: what happens to PCI functions, RDMA devices and modules, in the moment it happens.

The kernel's own messages, not udevd's: those reach only the network namespace in which udevd runs. A message is never
read for its content: names change between event and look.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import pyudev

_log: Final = logging.getLogger(__name__)

_SUBSYSTEMS: Final = ("pci", "net", "infiniband", "infiniband_verbs", "infiniband_mad", "misc", "auxiliary", "module")
"""`queues` is left out in libudev already: one function can bring a hundred of them. `misc` holds rdma_cm."""

_VIRTUAL_LINKS: Final = "/devices/virtual/net/"
"""veths come and go with every pod; what matters of a bond or VLAN, netlink tells."""


class UeventsUnavailable(Exception):
    """Uevents cannot be heard here; the text says why."""


class UeventMonitor:
    """Calls `nudge` in the running event loop when a device or a module comes, goes, or is bound or renamed."""

    def __init__(self, nudge: Callable[[], None]) -> None:
        """Opens the socket. Raises UeventsUnavailable without libudev, or where the kernel or a sandbox forbids it."""
        self._nudge = nudge
        try:
            self._monitor = pyudev.Monitor.from_netlink(pyudev.Context(), source="kernel")
            for subsystem in _SUBSYSTEMS:
                self._monitor.filter_by(subsystem)
            self._monitor.start()
        except (ImportError, OSError) as error:
            raise UeventsUnavailable(str(error)) from error

    def fileno(self) -> int:
        return int(self._monitor.fileno())

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen, in the running event loop, for as long as the context lasts."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self.fileno(), self._on_readable)
        try:
            yield
        finally:
            loop.remove_reader(self.fileno())

    def _on_readable(self) -> None:
        try:
            heard = self._drain()
        except OSError:
            # After a loss every poll raises, for ever, until the socket's error state is read.
            self._clear_error()
            _log.warning("uevents lost, reading everything")
            heard = True
        if heard:
            self._nudge()

    def _drain(self) -> bool:
        heard = False
        while (device := self._monitor.poll(timeout=0)) is not None:
            heard |= not device.device_path.startswith(_VIRTUAL_LINKS)
        return heard

    def _clear_error(self) -> None:
        with socket.fromfd(self.fileno(), socket.AF_NETLINK, socket.SOCK_RAW) as duplicate:
            duplicate.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
