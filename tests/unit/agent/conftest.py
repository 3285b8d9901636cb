from pathlib import Path

import pytest

from tests.host_tree import HostTree


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    """A host with nothing on its PCI bus."""
    host = HostTree(tmp_path / "host")
    host.add_system()
    return host
