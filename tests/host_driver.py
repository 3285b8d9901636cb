"""Plays the NIC driver on a host tree: modules and RDMA devices come and go, the driver container leaves its files."""

import hashlib
from pathlib import Path
from typing import Final

from agent import driver
from agent.files import DirectoryFiles
from nicfleet.inventory import Flavour
from tests.host_tree import HostTree

MODULES: Final = (
    *("mlx5_core", "mlx5_ib", "ib_core", "ib_uverbs", "ib_umad", "ib_cm", "iw_cm", "rdma_cm", "rdma_ucm", "ib_ipoib"),
)
_HOLDERS: Final = {
    "ib_core": ("ib_cm", "ib_ipoib", "ib_umad", "ib_uverbs", "iw_cm", "mlx5_ib", "rdma_cm", "rdma_ucm"),
    "ib_uverbs": ("mlx5_ib", "rdma_ucm"),
    "mlx5_core": ("mlx5_ib",),
    "ib_cm": ("ib_ipoib", "rdma_cm"),
    "iw_cm": ("rdma_cm",),
    "rdma_cm": ("rdma_ucm",),
}


def load_driver(root: Path, flavour: Flavour, version: str | None = None) -> None:
    """Load the whole stack in place of what is loaded: modules, an RDMA device for each NIC function, the RDMA CM.

    A function whose auxiliary devices are laid out without one for RDMA gets none.
    `version` is what mlx5_core gives as its own, e.g. "24.10-1.1.4"; recent inbox drivers give none.
    """
    unload_driver(root)
    tree = HostTree(root)
    ofed = flavour is Flavour.OFED
    for name in (*MODULES, "mlx_compat") if ofed else MODULES:
        add_module(root, name, version=version, out_of_tree=ofed)
    tree.write("sys/module/ib_core/parameters/netns_mode", "Y")
    for path in filter(tree.may_have_rdma, tree.network_functions()):
        infiniband = tree.text(f"{path}/class").startswith("0x0207")
        tree.add_rdma_device(path, _free_name(tree), infiniband=infiniband)
    tree.write(driver.RDMA_CM, b"")


def unload_driver(root: Path) -> None:
    """Unload the stack: no module, RDMA device or character device is left. Netdevs keep their names, and stay."""
    tree = HostTree(root)
    tree.remove(driver.RDMA_CM)
    for name in tree.names("sys/class/infiniband"):
        tree.remove_rdma_device(name)
    for name in (*MODULES, "mlx_compat"):
        tree.remove(f"sys/module/{name}")


def add_module(
    root: Path, name: str, *, version: str | None = None, out_of_tree: bool = False, references: int | None = None
) -> None:
    """One live module. It is used by those of the stack that use it, and by `references` in all."""
    holders = _HOLDERS.get(name, ())
    attributes = {
        "initstate": "live",
        "refcnt": str(len(holders) if references is None else references),
        "srcversion": hashlib.blake2b(f"{name} {version}".encode(), digest_size=12).hexdigest().upper(),
        "taint": "OE" if out_of_tree else "",
        **{f"holders/{holder}": "" for holder in holders},
    }
    HostTree(root).directory(f"sys/module/{name}", attributes if version is None else attributes | {"version": version})


def set_ready(root: Path, ready: bool) -> None:
    """The driver container's ready file."""
    _set_file(root, driver.READY, ready)


def set_reloading(root: Path, reloading: bool) -> None:
    """The blacklist that stands while the driver is being reloaded."""
    _set_file(root, driver.BLACKLIST, reloading)


def set_running(root: Path, running: bool) -> None:
    """The driver container's lock, held by a process as /proc/locks shows it."""
    tree = HostTree(root)
    tree.write(driver.LOCK, b"")
    file = DirectoryFiles(root).identity(driver.LOCK)
    held = f"2: FLOCK  ADVISORY  WRITE 4242 {file.major:02x}:{file.minor:02x}:{file.inode} 0 EOF"
    tree.write(driver.LOCKS, held if running else "1: POSIX  ADVISORY  WRITE 811 00:19:620 0 EOF")


def add_build(root: Path, kernel: str, version: str) -> None:
    """A finished build in the driver container's inventory."""
    tree = HostTree(root)
    tree.write(f"{driver.BUILDS}/{kernel}/{version}/mlnx-ofed-kernel.deb", b"")
    tree.write(f"{driver.BUILDS}/{kernel}/{version}.checksum", "d41d8cd98f00b204e9800998ecf8427e")


def _set_file(root: Path, path: str, present: bool) -> None:
    tree = HostTree(root)
    if present:
        tree.write(path, b"")
    else:
        tree.remove(path)


def _free_name(tree: HostTree) -> str:
    taken = tree.names("sys/class/infiniband")
    return next(name for number in range(len(taken) + 1) if (name := f"mlx5_{number}") not in taken)
