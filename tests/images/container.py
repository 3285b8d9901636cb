"""A container of an image, as a careful Pod runs it: its own user, no capability, a read-only root file system."""

import json
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.images.store import Image

SECONDS: Final = 120.0


def run(image: Image, folder: Path, *arguments: str, entrypoint: str = "") -> "subprocess.CompletedProcess[str]":
    """Run it to its end."""
    with started(image, folder, *arguments, entrypoint=entrypoint) as process:
        output, errors = process.communicate(timeout=SECONDS)
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


@contextmanager
def started(
    image: Image,
    folder: Path,
    *arguments: str,
    entrypoint: str = "",
    mounts: Mapping[Path, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator["subprocess.Popen[str]"]:
    """Run it beside the test, in the network of this machine. Mounts are read-only."""
    bundle = folder / uuid.uuid4().hex
    bundle.mkdir()
    subprocess.run(["runc", "spec"], cwd=bundle, check=True)
    place = bundle / "config.json"
    spec = json.loads(place.read_text())
    command = [entrypoint] if entrypoint else image.config["Entrypoint"]
    _shape(spec, image, [*command, *arguments], mounts or {}, environment or {})
    place.write_text(json.dumps(spec))
    runc = ["runc", "--root", str(folder / "runc")]
    process = subprocess.Popen(
        [*runc, "run", bundle.name], cwd=bundle, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            subprocess.run([*runc, "kill", bundle.name, "KILL"], check=False, capture_output=True)
            process.communicate(timeout=SECONDS)


def _shape(
    spec: dict[str, Any], image: Image, command: list[str], mounts: Mapping[Path, str], environment: Mapping[str, str]
) -> None:
    uid, _, gid = image.config["User"].partition(":")
    variables = [*image.config["Env"], *(f"{name}={value}" for name, value in environment.items())]
    process = spec["process"]
    process |= {"terminal": False, "user": {"uid": int(uid), "gid": int(gid)}, "args": command, "env": variables}
    process["capabilities"] = {kind: [] for kind in process["capabilities"]}
    spec["root"] = {"path": str(image.root), "readonly": True}
    spec["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]})
    for source, target in mounts.items():
        spec["mounts"].append(
            {"destination": target, "type": "bind", "source": str(source), "options": ["rbind", "ro"]}
        )
    spec["linux"]["namespaces"] = [kind for kind in spec["linux"]["namespaces"] if kind["type"] != "network"]
    # sysfs shows the network namespace that it was mounted in, which is this machine's: bound, as containers do.
    for mount in spec["mounts"]:
        if mount["destination"] == "/sys":
            mount |= {"type": "bind", "source": "/sys", "options": ["rbind", "ro"]}
