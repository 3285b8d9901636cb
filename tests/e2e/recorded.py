"""A node that is another machine for whoever looks at its files: a recorded host, bound over this machine's.

Kubelet and containerd of that node see it too, so the mounts of the agent's pod lead there as they would anywhere; the
chart knows nothing of it. What the kernel is asked otherwise, it answers for this machine: `uname`, netlink.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from demo.driver_container import DriverContainer
from tests import hosts
from tests.host_tree import HostTree

BOOT_ID: Final = "proc/sys/kernel/random/boot_id"
PORT: Final = "ens2f0"
"""The first port of `hosts.connectx5`."""

_FOLDERS: Final = (
    *("sys/bus", "sys/class", "sys/dev", "sys/devices", "sys/module", "dev"),
    *("etc/modprobe.d", "run/mellanox", "var/lib/kubelet", "var/opt/mofed-container"),
)
_FILES: Final = (BOOT_ID, "proc/sys/kernel/osrelease", "proc/locks", "proc/1/mountinfo", "usr/lib/os-release")
_DEVICES: Final = ("null", "zero", "full", "random", "urandom", "tty", "kmsg")
"""What programs need that are started on the node."""


class RecordedHost:
    """Its tree below `root`, and the driver container's part on it, which `driver` plays."""

    def __init__(self, root: Path) -> None:
        hosts.connectx5(root)
        self.root = root
        self.tree = HostTree(root)
        self.driver = DriverContainer(root)
        for folder in _FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "sys/devices/system").mkdir()
        self.tree.remove("var/lib/kubelet/device-plugins/kubelet.sock")  # a real kubelet makes it
        for name in _DEVICES:
            os.mknod(root / "dev" / name, (machine := Path("/dev", name).stat()).st_mode, machine.st_rdev)

    def close(self) -> None:
        self.driver.close()

    @property
    def mounts(self) -> Sequence[tuple[Path, str]]:
        """What is bound over the machine's own."""
        # The kubelet counts processors and memory there.
        system = (Path("/sys/devices/system"), str(self.root / "sys/devices/system"))
        return [system, *((self.root / path, f"/{path}") for path in (*_FOLDERS, *_FILES))]

    @property
    def ports(self) -> Sequence[str]:
        """Names of its network interfaces, which the kernel is to have as well."""
        return self.tree.names("sys/class/net")

    def reboot(self, boot_id: str) -> None:
        """Tell another boot id, in the same file: a node that has it bound sees it."""
        self.tree.write(BOOT_ID, boot_id)
