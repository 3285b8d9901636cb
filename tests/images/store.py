"""A store of images of its own, what is built in it, and from what."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

REPOSITORY: Final = Path(__file__).parent.parent.parent
SIDES: Final = ("agent", "coordinator")
MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
PYTHON: Final = "3.11"  # Debian bookworm's
SUITE: Final = "bookworm"
NEWEST_GLIBC: Final = 36  # 2.36, as well
MOST_SECONDS: Final = 1200  # of one command; on two busy cores four images take long

_CONTEXT: Final = ("Makefile", "pyproject.toml", "README.md", "LICENSE", ".dockerignore")
_CONTEXT_FOLDERS: Final = ("agent", "cli", "coordinator", "nicfleet", "templates", "requirements", "deploy/images")


@dataclass(frozen=True)
class Image:
    """A built image and its tree, which is there to be read."""

    name: str
    id: str
    root: Path
    inspected: Any

    @property
    def layers(self) -> list[str]:
        """Digests of the layers' content."""
        return list(self.inspected["OCIv1"]["rootfs"]["diff_ids"])

    @property
    def config(self) -> dict[str, Any]:
        """What a container of it gets: user, environment, entrypoint, labels."""
        return dict(self.inspected["OCIv1"]["config"])

    @cached_property
    def files(self) -> dict[str, int]:
        """Bytes of each regular file."""
        return {
            str(path.relative_to(self.root)): path.lstat().st_size
            for path in self.root.rglob("*")
            if path.is_file() and not path.is_symlink()
        }

    def mebibytes(self, below: str = "") -> float:
        """What the files take, without what file systems round up to."""
        return sum(size for path, size in self.files.items() if path.startswith(below)) / 1024**2


class Store:
    """buildah with a folder of its own, in the way that needs least of a machine."""

    def __init__(self, folder: Path, within: Sequence[str] = ()) -> None:
        """`within`: a command that runs the one that follows it."""
        self.folder = folder
        self._within = within
        self.wheels = folder / "wheels"
        self._pip_conf = folder / "pip.conf"
        self._pip_conf.write_text("[global]\nno-index = true\nfind-links = /wheels\n")
        settings = folder / "storage.conf"
        settings.write_text(
            f'[storage]\ndriver = "vfs"\nrunroot = "{folder / "run"}"\ngraphroot = "{folder / "graph"}"\n'
        )
        self._environment = {
            **os.environ,
            "CONTAINERS_STORAGE_CONF": str(settings),
            "BUILDAH_ISOLATION": "chroot",
            "IMAGE_BUILDER": "buildah",
            "SOURCE_DATE_EPOCH": "1767225600",
            "REVISION": "0" * 40,
            "SOURCE": "https://git.example/nicfleet",
        }

    def buildah(self, *arguments: str) -> str:
        """Run buildah; gives what it says."""
        return _output([*self._within, "buildah", *arguments], self._environment)

    def make(self, context: Path, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run make as a user types it, with what this machine needs in IMAGE_BUILD_OPTS."""
        options = f"--quiet --volume {self.wheels}:/wheels:ro --secret id=pip.conf,src={self._pip_conf}"
        command = [*self._within, "make", "--silent", *words, f"IMAGE_BUILD_OPTS={options}"]
        return subprocess.run(
            command,
            cwd=context,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=MOST_SECONDS,
        )

    def add_base(self, name: str, architecture: str) -> None:
        """A minimal Debian with Python. Of another architecture it is only unpacked, as nothing can run there."""
        tree = self.folder / f"{architecture}.tar"
        packages = "python3,ca-certificates"
        native = MACHINES[architecture] == os.uname().machine
        how = ["--variant=minbase", f"--include={packages},python3-pip"] if native else ["--variant=extract"]
        how += [] if native else [f"--include={packages}"]
        _output(["mmdebstrap", "--quiet", f"--architectures={architecture}", *how, SUITE, str(tree)], self._environment)
        container = self.buildah("from", "--arch", architecture, "scratch")
        self.buildah("add", "--quiet", container, str(tree), "/")
        self.buildah("config", "--arch", architecture, container)
        self.buildah("commit", "--quiet", "--rm", container, name)
        tree.unlink()

    def image(self, name: str, architecture: str = "") -> Image:
        """An image that was built, as it is."""
        inspected = json.loads(self.buildah("inspect", "--type", "image", name))
        container = self.buildah("from", *(["--arch", architecture] if architecture else []), name)
        return Image(name, inspected["FromImageID"], Path(self.buildah("mount", container)), inspected)

    def download(self, architectures: Sequence[str]) -> None:
        """The wheels that the locks name."""
        for architecture in architectures:
            machine = MACHINES[architecture]
            tags = [f"manylinux2014_{machine}"]
            tags += [f"manylinux_2_{minor}_{machine}" for minor in range(17, NEWEST_GLIBC + 1)]
            for lock in (*SIDES, "build"):
                command = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps"]
                command += ["--only-binary=:all:", f"--python-version={PYTHON}", "--implementation=cp"]
                command += [f"--platform={tag}" for tag in tags]
                command += [f"--dest={self.wheels}", f"--requirement={REPOSITORY / 'requirements' / lock}.lock"]
                _output(command, self._environment)


def copy_context(source: Path, folder: Path) -> Path:
    """The part of a checkout that images are made of, with times of now."""
    folder.mkdir()
    for name in (*_CONTEXT, *(f"Dockerfile.{side}" for side in SIDES)):
        shutil.copyfile(source / name, folder / name)
    for name in _CONTEXT_FOLDERS:
        shutil.copytree(
            source / name,
            folder / name,
            ignore=shutil.ignore_patterns("__pycache__"),
            copy_function=shutil.copy,
        )
    return folder


def _output(command: Sequence[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=MOST_SECONDS)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()
