"""What is in the images, what is not, and that a second build gives the same."""

import re
import sys

import pytest

from tests.images.conftest import VERSION, Built
from tests.images.store import PYTHON, SIDES

SITE = f"opt/nicfleet/lib/python{PYTHON}/site-packages/"
MOST_MEBIBYTES = 120
INSTALLERS = re.compile(
    r"(^|/)(pip|setuptools|ensurepip|pkg_resources|pip[0-9.]*\.pyz?|pip-[^/]*\.whl)/"
    r"|bin/(pip[0-9.]*|easy_install.*|cc|gcc(-[0-9]+)?|g\+\+|clang|c\+\+|make|uv)$"
)

pytestmark = pytest.mark.parametrize("side", SIDES)


def test_nothing_that_installs_or_compiles_is_left(built: Built, side: str) -> None:
    assert any(INSTALLERS.search(path) for path in built.base.files), "the base has pip, else this proves nothing"
    documentation = "usr/share/doc/"
    found = [path for path in built.images[side].files if INSTALLERS.search(path)]
    assert [path for path in found if not path.startswith(documentation)] == []


def test_a_side_carries_only_its_own_code(built: Built, side: str) -> None:
    packages = {path.removeprefix(SITE).split("/")[0] for path in built.images[side].files if path.startswith(SITE)}
    other = {"agent": {"coordinator", "kubernetes", "pydantic", "aiohttp"}, "coordinator": {"agent", "pyroute2"}}
    assert side in packages
    assert not packages & (other[side] | {"cli", "typer", "tests", "grpc_tools", "hatchling"})
    commands = {path for path in built.images[side].files if path.startswith("opt/nicfleet/bin/")}
    assert commands == {f"opt/nicfleet/bin/nicfleet-{side}"}


def test_it_is_small(built: Built, side: str, capsys: pytest.CaptureFixture[str]) -> None:
    image = built.images[side]
    own, over = image.mebibytes("opt/nicfleet/"), image.mebibytes() - built.base.mebibytes()
    with capsys.disabled():
        sys.stdout.write(f"\n{side}: {own:.1f} MiB in /opt/nicfleet, {over:+.1f} MiB to a base that has pip\n")
    assert own < MOST_MEBIBYTES
    assert over < MOST_MEBIBYTES


def test_every_module_of_it_is_compiled(built: Built, side: str) -> None:
    """The root file system may be read-only: what is not compiled would be compiled at each start."""
    files = built.images[side].files
    sources = [path for path in files if path.startswith("opt/nicfleet/") and path.endswith(".py")]
    lacking = [
        path for path in sources if re.sub(r"([^/]+)\.py$", r"__pycache__/\1.cpython-311.pyc", path) not in files
    ]
    assert len(sources) > 100
    assert lacking == []


def test_it_says_what_it_is(built: Built, side: str) -> None:
    config = built.images[side].config
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert labels["title"] == f"nicfleet-{side}"
    assert labels["version"] == VERSION
    assert labels["revision"] == "0" * 40
    assert labels["source"] == "https://git.example/nicfleet"
    assert labels["licenses"] == "Apache-2.0"
    assert config["User"] == {"agent": "0:0", "coordinator": "65532:65532"}[side]
    assert config["Entrypoint"] == [f"/opt/nicfleet/bin/nicfleet-{side}"]


def test_a_build_of_another_copy_gives_the_same_image(built: Built, side: str) -> None:
    first, second = built.images[side], built.again[side]
    assert first.layers == second.layers
    assert first.id == second.id


def test_no_file_starts_programs_as_another_user(built: Built, side: str) -> None:
    image = built.images[side]
    assert [path for path in image.files if (image.root / path).stat().st_mode & 0o6000] == []
