"""One host to look at: a root directory and what a record says beside its files."""

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.files import DirectoryFiles, Files
from agent.links import Links
from agent.paths import Paths
from agent.reader import Reader

BOOT_ID: Final = "proc/sys/kernel/random/boot_id"


@dataclass(frozen=True, slots=True)
class Host:
    """A host's files below one root.

    `live`: the root shows the machine that this process runs on, so that netlink and uevents speak of the same host.
    `links`: what netlink said when the host was recorded; None when that is not known.
    `machine`: architecture as uname gives it; None when the tree does not say.
    `cni_directories`: where the components are told to put CNI plugins and their configurations, absolute.
    """

    root: Path
    files: Files
    live: bool = False
    machine: str | None = None
    links: Links | None = None
    cni_directories: tuple[str, ...] = ()

    @classmethod
    def at(cls, root: Path) -> "Host":
        """The host whose root file system is `root`: this machine's, one of it mounted elsewhere, or a plain tree."""
        files = DirectoryFiles(root)
        boot_id = _boot_id(files)
        live = boot_id is not None and boot_id == _boot_id(DirectoryFiles(Path("/")))
        return cls(root, files, live, platform.machine() if live else None)

    def reader(self) -> Reader:
        """A reader for a new look."""
        return Reader(self.files, Paths(self.files))


def _boot_id(files: Files) -> str | None:
    return Reader(files, Paths(files)).text(BOOT_ID)
