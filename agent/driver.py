"""The NIC driver as it is loaded, and what the driver container keeps on the host. Section "driver"."""

from dataclasses import replace
from typing import Final

from agent.modules import CORE, NIC, PEERMEM, flavour
from agent.reader import Reader
from nicfleet.inventory import Driver, DriverBuild, DriverContainer, Module

READY: Final = "run/mellanox/drivers/.driver-ready"
LOCK: Final = "run/mellanox/drivers/.lock"
BLACKLIST: Final = "etc/modprobe.d/blacklist-ofed-modules.conf"
BUILDS: Final = "var/opt/mofed-container/inventory"
RDMA_CM: Final = "dev/infiniband/rdma_cm"
LOCKS: Final = "proc/locks"
NETNS_MODE: Final = "sys/module/ib_core/parameters/netns_mode"

_LOCKS_LIMIT: Final = 4 * 1024 * 1024
_CHECKSUM: Final = ".checksum"
_BOOLEANS: Final = {"Y": True, "1": True, "N": False, "0": False}


def driver(reader: Reader, loaded: tuple[Module, ...]) -> Driver:
    """The driver, given the modules that are loaded. `peermem_stale` is left to `with_peermem`."""
    nic = next((module for module in loaded if module.name == NIC), None)
    found = Driver(
        flavour=flavour(loaded),
        version=nic.version if nic else None,
        modules=loaded,
        container=_container(reader),
        netns_shared=reader.parsed(NETNS_MODE, _BOOLEANS.get),
        rdma_cm=reader.exists(RDMA_CM),
    )
    return replace(found, unread=reader.unread)


def with_peermem(previous: Driver | None, current: Driver) -> Driver:
    """Say whether nvidia_peermem was loaded against another RDMA core than the present one.

    It keeps the symbols of the core it was loaded against. So it is stale once the core changes or goes away beneath
    it, and stays so until it is gone or replaced itself. `previous` is the last driver seen, as this function gave it.
    """
    if previous is None or current.module(PEERMEM) is None or _build(previous, PEERMEM) != _build(current, PEERMEM):
        return replace(current, peermem_stale=False)
    changed = _build(previous, CORE) != _build(current, CORE)
    return replace(current, peermem_stale=previous.peermem_stale or changed)


def _build(seen: Driver, name: str) -> tuple[str | None, str | None] | None:
    """What tells one build of a module from another; None when it is not loaded."""
    module = seen.module(name)
    return None if module is None else (module.version, module.srcversion)


def _container(reader: Reader) -> DriverContainer:
    return DriverContainer(
        ready=reader.exists(READY),
        running=_is_locked(reader, LOCK),
        reloading=reader.exists(BLACKLIST),
        builds=tuple(build for kernel in reader.entries(BUILDS) for build in _builds(reader, kernel)),
    )


def _is_locked(reader: Reader, path: str) -> bool:
    """Whether a process holds a flock on the file, by /proc/locks: to try the lock would stop a starting container."""
    file = reader.identity(path)
    if file is None:
        return False
    wanted = f"{file.major:02x}:{file.minor:02x}:{file.inode}"
    return any(
        fields[1] == "FLOCK" and fields[5] == wanted
        for line in reader.lines(LOCKS, _LOCKS_LIMIT)
        # "->" marks a process that waits for the lock, one field more.
        if len(fields := line.split()) >= 6
    )


def _builds(reader: Reader, kernel: str) -> tuple[DriverBuild, ...]:
    """Finished builds for a kernel: a folder for each driver version, its checksum beside it once it is whole."""
    folder = f"{BUILDS}/{kernel}"
    names = frozenset(reader.entries(folder))
    return tuple(
        DriverBuild(kernel, version, f"/{folder}/{version}")
        for version in sorted(names)
        if version + _CHECKSUM in names
    )
