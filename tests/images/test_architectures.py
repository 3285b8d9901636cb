"""Images for another architecture, and the list of both in a registry."""

import json
import shutil
import struct
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane.loopback import free_ports
from tests.images.conftest import BASE, VERSION
from tests.images.store import SIDES, Store

ELF_MACHINES = {"amd64": 62, "arm64": 183}
INDEX = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
SECONDS = 60.0


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry on the loopback, HOST:PORT."""
    if shutil.which("docker-registry") is None:
        pytest.skip("no registry to push to: apt-get install docker-registry")
    folder = tmp_path_factory.mktemp("registry")
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    settings = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": address},
    }
    (folder / "config.yml").write_text(json.dumps(settings))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + SECONDS
        while not _answers(address):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.05)
        yield address
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def names(store: Store, context: Path, registry: str) -> dict[str, str]:
    """Names of the images that were built for both architectures."""
    words = (f"REGISTRY={registry}/team", "IMAGE_NAME=net", f"VERSION={VERSION}")
    done = store.make(context, "image-build-multiarch", *words, f"BASE={BASE}")
    assert done.returncode == 0, done.stdout + done.stderr
    done = store.make(context, "image-push-multiarch", *words, "IMAGE_PUSH_OPTS=--tls-verify=false")
    assert done.returncode == 0, done.stdout + done.stderr
    return {"coordinator": f"{registry}/team/net", "agent": f"{registry}/team/net-agent"}


@pytest.mark.parametrize("architecture", ELF_MACHINES)
@pytest.mark.parametrize("side", SIDES)
def test_libraries_are_of_the_images_architecture(
    store: Store, names: dict[str, str], side: str, architecture: str
) -> None:
    image = store.image(f"{names[side]}:{VERSION}-{architecture}", architecture)
    assert image.inspected["OCIv1"]["architecture"] == architecture
    libraries = [path for path in image.files if path.startswith("opt/nicfleet/") and path.endswith(".so")]
    machines = {struct.unpack_from("<H", (image.root / path).read_bytes(), 18)[0] for path in libraries}
    assert machines == {ELF_MACHINES[architecture]}


@pytest.mark.parametrize("side", SIDES)
def test_a_node_of_each_architecture_finds_its_image_by_the_version(
    registry: str, names: dict[str, str], side: str
) -> None:
    name = names[side].removeprefix(f"{registry}/")
    listed = _get(f"http://{registry}/v2/{name}/manifests/{VERSION}", INDEX)["manifests"]
    assert sorted(entry["platform"]["architecture"] for entry in listed) == ["amd64", "arm64"]
    for entry in listed:
        manifest = _get(f"http://{registry}/v2/{name}/manifests/{entry['digest']}", MANIFEST)
        config = _get(f"http://{registry}/v2/{name}/blobs/{manifest['config']['digest']}", "*/*")
        assert config["architecture"] == entry["platform"]["architecture"]


def _get(address: str, accept: str) -> Any:
    with urllib.request.urlopen(urllib.request.Request(address, headers={"Accept": accept}), timeout=SECONDS) as answer:
        return json.load(answer)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/v2/", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False
