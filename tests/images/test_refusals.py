"""What `make image` cannot do it refuses in one sentence, before anything is built."""

import subprocess

import pytest

from tests.images.store import REPOSITORY, Store


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(
            ["image", "VERSION=a b"],
            "image: VERSION is 'a b': give a tag of letters, digits, '.', '_' and '-', for example v0.1.0",
            id="a-version-that-is-no-tag",
        ),
        pytest.param(
            ["image", "REGISTRY=Registry/Team"],
            "image: REGISTRY/IMAGE_NAME is 'Registry/Team/nicfleet': give a host, then lower-case names, "
            "for example registry.example/team/nicfleet",
            id="capitals",
        ),
        pytest.param(
            ["image", "IMAGE_BUILDER=no-such-builder"],
            "image: IMAGE_BUILDER is no-such-builder: there is no such program",
            id="a-builder-that-is-not-installed",
        ),
        pytest.param(
            ["image", "IMAGE_BUILDER=true"],
            "image: IMAGE_BUILDER is true: give docker or buildah",
            id="a-program-that-builds-no-image",
        ),
        pytest.param(
            ["image-build-multiarch", "BUILD_ARCH=amd64 s390x"],
            "image: BUILD_ARCH has 's390x': images are made for amd64 and arm64",
            id="an-architecture",
        ),
        pytest.param(
            ["image-push"],
            "image: REGISTRY is localhost: give the registry to push to",
            id="nowhere-to-push-to",
        ),
    ],
)
def test_wrong_variables(words: list[str], sentence: str) -> None:
    done = subprocess.run(
        ["make", "--silent", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == sentence


def test_a_base_with_a_compiler(store: Store, native: str) -> None:
    container = store.buildah("from", f"localhost/base:{native}")
    store.buildah("copy", container, str(REPOSITORY / "LICENSE"), "/usr/bin/gcc")
    store.buildah("commit", "--quiet", "--rm", container, "localhost/base:compiler")
    done = store.make(REPOSITORY, "image", "BASE=localhost/base:compiler", "VERSION=refused")
    assert done.returncode != 0
    assert "install.sh: BASE has a compiler, /usr/bin/gcc: give a slim image" in done.stderr
