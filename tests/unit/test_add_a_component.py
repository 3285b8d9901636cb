"""docs/how-to/add-a-component.md, carried out to the letter in a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs/how-to/add-a-component.md"

COPIED = (
    "coordinator",
    "nicfleet",
    "agent",
    "cli",
    "templates",
    "deploy",
    "docs",
    "tests",
    "pyproject.toml",
    "README.md",
)
FENCED = r"\n\n```\w+\n(?P<text>.*?)^```$"
NEW_FILE = re.compile(r"^New: `(?P<path>[^`]+)`" + FENCED, re.MULTILINE | re.DOTALL)
INSERTION = re.compile(
    r"^In `(?P<path>[^`]+)`, (?P<where>above|below) (?P<ticks>`+)(?P<line>.+?)(?P=ticks)" + FENCED,
    re.MULTILINE | re.DOTALL,
)

STATE = "state-link-exporter"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with what the page says in place."""
    root = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, root / name)
    follow(PAGE.read_text(), root)
    run(root, "coordinator.crd")
    run(root, "pytest", "-q", "tests/unit/coordinator/test_golden.py", "--update-golden", "-p", "no:cacheprovider")
    return root


def follow(page: str, root: Path) -> None:
    """Make the new files, and the insertions above or below a line."""
    for block in NEW_FILE.finditer(page):
        path = root / block["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block["text"])
    for block in INSERTION.finditer(page):
        path, anchor = root / block["path"], block["line"].strip()
        lines = path.read_text().splitlines(keepends=True)
        places = [number for number, line in enumerate(lines) if line.strip() == anchor]
        assert len(places) == 1, f"{block['path']} has {len(places)} lines {anchor}"
        place = places[0] + (block["where"] == "below")
        path.write_text("".join([*lines[:place], block["text"], *lines[place:]]))


def run(root: Path, *arguments: str) -> str:
    """A module of the copy, as the page's commands run it."""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_block_of_the_page_is_carried_out() -> None:
    page = PAGE.read_text()
    followed = [*NEW_FILE.finditer(page), *INSERTION.finditer(page)]
    assert len(followed) == page.count("\n```\n")
    assert {Path(block["path"]).parts[0] for block in followed} == {
        "coordinator",
        "templates",
        "tests",
        "deploy",
        "docs",
    }


def test_the_crd_has_the_section(copy: Path) -> None:
    crd = yaml.safe_load((copy / "deploy/crds/mellanox.com_nicclusterpolicies.yaml").read_text())
    (version,) = crd["spec"]["versions"]
    section = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["linkExporter"]
    assert section["properties"]["port"]["maximum"] == 65535
    assert section["required"] == ["image"]


def test_the_objects_are_rendered_and_marked(copy: Path) -> None:
    made = (copy / f"tests/unit/golden/{STATE}/defaults.output.yaml").read_text()
    daemonset: dict[str, Any] = yaml.safe_load(made)
    assert daemonset["metadata"]["labels"]["nvidia.network-operator.state"] == STATE
    (container,) = daemonset["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["--port=9401"]
    assert container["resources"]["limits"] == {"memory": "50Mi"}


def test_a_mistake_is_told_in_a_sentence(copy: Path) -> None:
    program = (
        "from coordinator.policy import InvalidSpec; from coordinator.states import link_exporter as state; "
        "from tests.unit.coordinator.policies import cluster, image, spec\n"
        "try: state.STATE.values(spec(linkExporter=image(port=10250)), cluster())\n"
        "except InvalidSpec as problem: print(problem)"
    )
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=True).stdout
    assert said == "spec.linkExporter.port is 10250, which the kubelet uses: choose another port\n"


def test_the_tests_that_watch_over_components_pass(copy: Path) -> None:
    """Fields, effects, golden cases, samples and the reference: the lines of tests that a component needs are none."""
    folder = "tests/unit/coordinator"
    files = [
        f"{folder}/test_{name}.py" for name in ("crd", "crd_examples", "crd_fields", "effects", "golden", "policy")
    ]
    reference = "tests/unit/test_docs.py::test_every_state_is_explained_with_its_condition"
    run(copy, "pytest", "-q", "-p", "no:cacheprovider", *files, reference)
