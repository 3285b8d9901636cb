"""One look at a host tree, for tests."""

from agent.host import Host
from agent.inventory import read
from agent.links import Links
from agent.record import Record, RecordedFiles
from nicfleet.inventory import Inventory, NodeName
from tests.host_tree import HostTree

NAME = NodeName("node-1")


def look(
    tree: HostTree,
    links: Links | None = None,
    errnos: dict[str, int] | None = None,
    cni_directories: tuple[str, ...] = (),
) -> Inventory:
    """The inventory of a tree. Reads of the paths in `errnos` fail so."""
    host = Host.at(tree.root)
    real = {tree.real(path): code for path, code in (errnos or {}).items()}
    files = RecordedFiles(host.files, Record(errnos=real))
    return read(Host(tree.root, files, cni_directories=cni_directories), links, NAME)
