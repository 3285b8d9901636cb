"""What this machine lacks for real nodes."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.images.store import MACHINES
from tests.integration.cni_runtime import PLUGINS

_PACKAGES: Final = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "nsenter": "util-linux",
}
_CNI_PLUGINS: Final = ("bridge", "host-local", "loopback", "macvlan", "static")
_TRIALS: Final = {
    "an overlay file system": "mkdir lower upper work merged && "
    "mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged",
    "a network bridge": "ip link add trial type bridge",
    "a pair of network interfaces": "ip link add trial type veth peer name other",
}
_SECONDS: Final = 30
_LOCK: Final = Path("/run/lock/nicfleet-e2e")


def missing(folder: Path) -> str:
    """One sentence; empty when nothing is missing. `folder` is where nodes keep their files."""
    if sys.platform != "linux" or os.uname().machine not in MACHINES.values():
        return "real nodes are for Linux on amd64 and arm64"
    if os.geteuid() != 0:
        return "real nodes need root"
    if shutil.which("apt-get") is None:
        return "the images' base is made of Debian packages, and there is no apt-get"
    packages = sorted({package for tool, package in _PACKAGES.items() if shutil.which(tool) is None})
    if any(not (PLUGINS / name).is_file() for name in _CNI_PLUGINS):
        packages.append("containernetworking-plugins")
    if packages:
        return f"not installed: apt-get install --no-install-recommends {' '.join(packages)}"
    return ", ".join(_not_to_be_had(folder))


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other run has real nodes on this machine: bridge and addresses are there once."""
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _not_to_be_had(folder: Path) -> Iterator[str]:
    for what, script in _TRIALS.items():
        place = folder / what.replace(" ", "-")
        place.mkdir(parents=True)
        # In namespaces that go with it.
        done = subprocess.run(
            ["unshare", "--mount", "--net", "--pid", "--fork", "sh", "-c", script],
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        shutil.rmtree(place, ignore_errors=True)
        if done.returncode:
            yield f"this machine does not give {what}: {done.stderr.strip()}"
