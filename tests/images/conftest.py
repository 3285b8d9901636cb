"""What takes minutes is made once: bases, wheels, images."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.images.store import MACHINES, REPOSITORY, SIDES, Image, Store, copy_context

VERSION = "v0.0.1-test"
BASE = "localhost/base:all"
TOOLS = {"buildah": "buildah", "mmdebstrap": "mmdebstrap", "runc": "runc"}


@dataclass(frozen=True)
class Built:
    """What `make image` left, twice, from two copies of the checkout."""

    base: Image
    images: dict[str, Image]
    again: dict[str, Image]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    if not os.environ.get("NICFLEET_TEST_IMAGES"):
        pytest.skip("building images takes minutes: make test-images")
    if os.geteuid() != 0:
        pytest.skip("building an image on a base of Debian packages needs root")
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        pytest.skip(f"not installed: apt-get install {' '.join(TOOLS[tool] for tool in missing)}")
    if os.uname().machine not in MACHINES.values():
        pytest.skip(f"images are made for amd64 and arm64, and this is {os.uname().machine}")
    store = Store(tmp_path_factory.mktemp("images"))
    architectures = sorted(MACHINES)
    store.download(architectures)
    store.buildah("manifest", "create", BASE)
    for architecture in architectures:
        store.add_base(f"localhost/base:{architecture}", architecture)
        store.buildah("manifest", "add", BASE, f"localhost/base:{architecture}")
    yield store
    store.buildah("rm", "--all")  # unmounts, so that the folder can be removed
    shutil.rmtree(store.folder)


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_context(REPOSITORY, tmp_path_factory.mktemp("context") / "checkout")


@pytest.fixture(scope="session")
def native() -> str:
    """This machine's architecture, in the words of images."""
    return next(name for name, machine in MACHINES.items() if machine == os.uname().machine)


@pytest.fixture(scope="session")
def built(store: Store, context: Path, native: str, tmp_path_factory: pytest.TempPathFactory) -> Built:
    other = copy_context(context, tmp_path_factory.mktemp("other-context") / "a-copy")
    return Built(
        store.image(f"localhost/base:{native}"),
        _made(store, context, "registry.example/first"),
        _made(store, other, "registry.example/second"),
    )


def _made(store: Store, context: Path, registry: str) -> dict[str, Image]:
    done = store.make(context, "image", f"REGISTRY={registry}", "IMAGE_NAME=net", f"VERSION={VERSION}", f"BASE={BASE}")
    assert done.returncode == 0, done.stdout + done.stderr
    names = {"coordinator": f"{registry}/net:{VERSION}", "agent": f"{registry}/net-agent:{VERSION}"}
    return {side: store.image(names[side]) for side in SIDES}
