"""Which disk the root file system lies on: proc(5) mountinfo, then the block devices below it in sysfs."""

import re
from collections.abc import Iterable
from typing import Final

from agent.reader import Reader

INIT_MOUNTS: Final = "proc/1/mountinfo"
OWN_MOUNTS: Final = "proc/self/mountinfo"

_MOUNTS_LIMIT: Final = 4 * 1024 * 1024
_ROOTS: Final = ("/", "/sysroot")
"""With an overlay as root (ostree's composefs) the disk is mounted on /sysroot."""

_MOUNT: Final = re.compile(r"[0-9]+ [0-9]+ (?P<device>[0-9]+:[0-9]+) \S+ (?P<point>\S+) \S+ .*?- \S+ (?P<source>\S+)")
_BLOCK_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_NVME: Final = re.compile(r"nvme[0-9]+(?:c[0-9]+)?n[0-9]+")
_MOST_LEVELS: Final = 8


def root_on_nvme(reader: Reader) -> bool | None:
    """Whether the root file system's disk is NVMe, also below device-mapper or MD; None when the disk is not known."""
    disks = _mounted_disks(_mounts(reader))
    for point in _ROOTS:
        disk = next((disk for path in disks.get(point, ()) if (disk := reader.real(path))), None)
        if disk is not None:
            return _is_nvme(reader, disk, _MOST_LEVELS)
    return None


def _mounts(reader: Reader) -> tuple[str, ...]:
    """Lines of mountinfo: init's, whose mounts are the host's, or our own where an ordinary user may not see those."""
    lines = reader.lines(INIT_MOUNTS, _MOUNTS_LIMIT)
    return lines if any(lines) else reader.lines(OWN_MOUNTS, _MOUNTS_LIMIT)


def _mounted_disks(lines: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """By mount point, where sysfs may show its disk. A later mount on the same point hides an earlier one."""
    matches = (_MOUNT.match(line) for line in lines)
    return {match["point"]: _places(match["device"], match["source"]) for match in matches if match}


def _places(device: str, source: str) -> tuple[str, ...]:
    """By device number, and by name for file systems that have none of their own, as btrfs."""
    name = source.removeprefix("/dev/")
    by_name = (f"sys/class/block/{name}",) if _BLOCK_NAME.fullmatch(name) else ()
    return (f"sys/dev/block/{device}", *by_name)


def _is_nvme(reader: Reader, disk: str, levels: int) -> bool:
    if any(_NVME.fullmatch(part) for part in disk.split("/")):
        return True
    if levels == 0:
        return False
    # A partition's slaves are those of its disk, the folder above.
    whole = disk.rpartition("/")[0] if reader.exists(f"{disk}/partition") else disk
    below = (reader.real(f"{whole}/slaves/{name}") for name in reader.entries(f"{whole}/slaves"))
    return any(_is_nvme(reader, path, levels - 1) for path in below if path is not None)
