"""Control groups of a node: a root of its own, that two kubelets do not meet."""

from pathlib import Path
from typing import Final

PARENT: Final = "nicfleet-e2e"
_MOUNT: Final = Path("/sys/fs/cgroup")
_INHERITED: Final = ("cpuset.cpus", "cpuset.mems")
"""Version 1 starts a group without any, and then nothing can run in it."""


def add(name: str) -> str:
    """Make the root of a node's groups, and return it as a kubelet is told it."""
    for top in _hierarchies():
        for group in (top / PARENT, top / PARENT / name):
            group.mkdir(exist_ok=True)
            for file in _INHERITED:
                if (group.parent / file).exists() and not (group.parent / "cgroup.controllers").exists():
                    (group / file).write_text((group.parent / file).read_text())
    return f"/{PARENT}/{name}"


def remove() -> None:
    """Those of all nodes, whose processes have ended."""
    for top in _hierarchies():
        parent = top / PARENT
        if parent.is_dir():
            for group in sorted((path for path in parent.rglob("*") if path.is_dir()), reverse=True):
                group.rmdir()
            parent.rmdir()


def version() -> int:
    return 2 if (_MOUNT / "cgroup.controllers").exists() else 1


def _hierarchies() -> list[Path]:
    """Where groups are made: one place in version 2, one for each controller in version 1; runc uses all it finds."""
    if version() == 2:
        return [_MOUNT]
    return [top for top in _MOUNT.iterdir() if top.is_dir() and not top.is_symlink() and _is_hierarchy(top)]


def _is_hierarchy(top: Path) -> bool:
    """Version 1 has `tasks`; version 2, mounted beside it, the list of its controllers."""
    return (top / "tasks").exists() or (top / "cgroup.controllers").exists()
