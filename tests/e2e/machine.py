"""What this machine lacks for real nodes; `python -m tests.e2e.machine` tells it."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
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


def missing() -> str:
    """One sentence; empty when nothing is missing."""
    if sys.platform != "linux" or os.uname().machine not in MACHINES.values():
        return "real nodes are for Linux on amd64 and arm64"
    lacking = list(_not_installed())
    if os.geteuid() != 0:
        lacking.insert(0, "real nodes need root")
    return "; ".join(lacking or _not_to_be_had())


def _not_installed() -> Iterator[str]:
    if shutil.which("apt-get") is None:
        yield "the images' base is made of Debian packages, and there is no apt-get"
    # Who is not root may have no sbin to look in.
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))
    packages = {package for tool, package in _PACKAGES.items() if shutil.which(tool, path=path) is None}
    if any(not (PLUGINS / name).is_file() for name in _CNI_PLUGINS):
        packages.add("containernetworking-plugins")
    if packages:
        yield f"not installed: apt-get install --no-install-recommends {' '.join(sorted(packages))}"


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other run has real nodes on this machine: bridge and addresses are there once."""
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _not_to_be_had() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="nicfleet-e2e-trial-") as folder:
        for what, script in _TRIALS.items():
            # In namespaces that go with it.
            done = subprocess.run(
                ["unshare", "--mount", "--net", "--pid", "--fork", "sh", "-c", script],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
                timeout=_SECONDS,
            )
            if done.returncode:
                yield f"this machine does not give {what}: {done.stderr.strip()}"


if __name__ == "__main__" and (lacking := missing()):
    sys.exit(f"the story on real nodes (make e2e) cannot run here: {lacking}")
