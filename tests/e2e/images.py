"""The images of the story: ours, built as `make image` builds them, and what stands in for those of others.

A minimal Debian is the base, as no registry may be in reach. What is slow to get is kept beside the tools, outside the
checkout: the base, and the wheels that the locks name.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tests.controlplane.errors import ControlPlaneError
from tests.controlplane.tools import cache_folder
from tests.e2e.node import ENCLOSED, PAUSE
from tests.images.store import MACHINES, REPOSITORY, SIDES, SUITE, Store, copy_context

TAG: Final = "e2e"
BASE: Final = "localhost/base:e2e"
OURS: Final = {"coordinator": f"localhost/nicfleet:{TAG}", "agent": f"localhost/nicfleet-agent:{TAG}"}
STAND_IN: Final = "localhost/stand-in:e2e"

_FILES: Final = Path(__file__).with_name("stand-in")
_STATIC: Final = ("busybox-static", "bash-static")
"""busybox's own shell would run its own lsmod."""
_APPLETS: Final = ("ls", "grep", "sleep")
_PROGRAMS: Final = {"thin_entrypoint": "stand-in", "install_multus": "done"}
"""What components call their programs, where they do not leave it to the image."""


class Images:
    """Builds archives of images into a folder, which holds all that this needs and makes."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        folder.mkdir()
        self._folder = folder
        self._say = say
        self._cache = cache_folder() / "e2e"
        self._cache.mkdir(parents=True, exist_ok=True)
        (folder / "store").mkdir()
        self._store = Store(folder / "store", ENCLOSED)
        self._architecture = next(name for name, machine in MACHINES.items() if machine == os.uname().machine)

    def ours(self) -> Sequence[Path]:
        """Archives of the agent's and the coordinator's image, made of this checkout."""
        self._prepare()
        self._say("make image: agent and coordinator, by buildah")
        context = copy_context(REPOSITORY, self._folder / "checkout")
        words = ["REGISTRY=localhost", "IMAGE_NAME=nicfleet", f"VERSION={TAG}", f"BASE={BASE}"]
        done = self._store.make(context, "image", *words)
        if done.returncode:
            raise ControlPlaneError(f"make image: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        self._say(f"buildah images:\n{self._store.buildah('images').rstrip()}")
        return [self._archive(name) for name in OURS.values()]

    def stand_ins(self) -> Sequence[Path]:
        """Archives of the image that stands in for all components, and of the one that holds a pod's namespaces."""
        tree = self._folder / "stand-in"
        (tree / "bin").mkdir(parents=True)
        static = self._kept(f"static-{self._architecture}", self._unpack_static)
        shutil.copytree(static, tree / "bin", dirs_exist_ok=True)
        (tree / "bin/sh").symlink_to("bash-static")
        for applet in _APPLETS:
            (tree / "bin" / applet).symlink_to("busybox")
        shutil.copy(_FILES / "lsmod", tree / "bin/lsmod")
        for program in ("stand-in", "done"):
            shutil.copy(_FILES / program, tree / program)
        for name, program in _PROGRAMS.items():
            (tree / name).symlink_to(program)
        return [self._from_tree(tree, name) for name in (STAND_IN, PAUSE)]

    def _from_tree(self, tree: Path, name: str) -> Path:
        container = self._store.buildah("from", "scratch")
        self._store.buildah("add", "--quiet", container, str(tree), "/")
        self._store.buildah("config", "--entrypoint", json.dumps(["/stand-in"]), "--env", "PATH=/bin", container)
        self._store.buildah("commit", "--quiet", "--rm", container, name)
        return self._archive(name)

    def _archive(self, name: str) -> Path:
        archive = self._folder / f"{name.replace('/', '-').replace(':', '-')}.tar"
        self._store.buildah("push", "--quiet", name, f"docker-archive:{archive}:{name}")
        return archive

    def _prepare(self) -> None:
        """The base, and wheels for pip, which then needs no network."""
        base = self._kept(f"base-{SUITE}-{self._architecture}.tar", self._make_base)
        container = self._store.buildah("from", "scratch")
        self._store.buildah("add", "--quiet", container, str(base), "/")
        self._store.buildah("commit", "--quiet", "--rm", container, BASE)
        locks = [(REPOSITORY / "requirements" / f"{lock}.lock").read_bytes() for lock in (*SIDES, "build")]
        digest = hashlib.sha256(b"".join(locks)).hexdigest()[:12]
        self._store.wheels = self._kept(f"wheels-{self._architecture}-{digest}", self._download_wheels)

    def _make_base(self, place: Path) -> None:
        self._say("mmdebstrap: a minimal Debian as the images' base, first time only…")
        packages = "python3,ca-certificates,python3-pip"
        # By its name it would take the file for a compressed one.
        with place.open("wb") as tar:
            command = [*ENCLOSED, "mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}", SUITE, "-"]
            _run(command, stdout=tar)

    def _download_wheels(self, place: Path) -> None:
        self._say("pip download: the wheels of both images, first time only…")
        self._store.wheels = place
        self._store.download([self._architecture])

    def _unpack_static(self, place: Path) -> None:
        """Debian's programs that need no library, without installing them."""
        folder = self._folder / "static"
        folder.mkdir()
        _run(["apt-get", "download", "--quiet", *_STATIC], cwd=folder, stdout=subprocess.DEVNULL)
        for package in folder.glob("*.deb"):
            _run(["dpkg", "--extract", str(package), str(folder)])
        place.mkdir()
        for program in ("busybox", "bash-static"):
            shutil.copy(folder / "bin" / program, place)

    def _kept(self, name: str, make: Callable[[Path], None]) -> Path:
        """A file or folder that is made once, whole or not at all."""
        place = self._cache / name
        if not place.exists():
            partial = self._cache / f"{name}.partial-{os.getpid()}"
            try:
                make(partial)
                partial.rename(place)
            finally:
                if partial.is_dir():
                    shutil.rmtree(partial)
                else:
                    partial.unlink(missing_ok=True)
        return place


def _run(command: Sequence[str], **options: object) -> None:
    done = subprocess.run(command, stderr=subprocess.PIPE, check=False, **options)  # type: ignore[call-overload]
    if done.returncode:
        raise ControlPlaneError(f"{' '.join(command)}: {done.stderr.decode(errors='replace')[-2000:]}")
