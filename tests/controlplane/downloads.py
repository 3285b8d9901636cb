"""Official release files of the programs: where each lies, how its SHA-256 is known, and how it is put in place.

A file is held to the sum in `downloads.sha256` where that has one, else to the sum that its project publishes beside
it. The latter comes from the same host as the file: it shows a broken or mixed-up transfer, not a host that lies. A
file with neither is not downloaded. Nothing is put in place before its sum was right.
"""

import hashlib
import http.client
import platform
import shutil
import sys
import tarfile
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tests.controlplane.errors import ControlPlaneError

PINS = Path(__file__).with_name("downloads.sha256")
PROBE_TIMEOUT_S = 2.0
_TIMEOUT_S = 60.0  # without one byte
_CHUNK = 1 << 20

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_GRPCURL_ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64"}


class Unavailable(Exception):
    """A file could not be had: not reached, not there, or without a sum to hold it to; the message says which."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where one program's release file lies, where its project lists its sum, and its name inside a tarball."""

    url: str
    sums: str | None = None
    member: str | None = None


def this_architecture() -> str | None:
    """Return this machine's architecture as release files are named by it, None where there are none for it."""
    return ARCHITECTURES.get(platform.machine()) if sys.platform == "linux" else None


def source(name: str, module: str, version: str, architecture: str) -> Source | None:
    """Return where `version` ("v1.36.3") of a program lies, None if nobody told us; `module` is as in `Tool`."""
    if module == "kubernetes":
        url = f"https://dl.k8s.io/release/{version}/bin/linux/{architecture}/{name}"
        return Source(url, f"{url}.sha256")
    if module == "etcd":
        folder = f"https://github.com/etcd-io/etcd/releases/download/{version}"
        unpacked = f"etcd-{version}-linux-{architecture}"
        return Source(f"{folder}/{unpacked}.tar.gz", f"{folder}/SHA256SUMS", f"{unpacked}/{name}")
    if module == "helm":
        url = f"https://get.helm.sh/helm-{version}-linux-{architecture}.tar.gz"
        return Source(url, f"{url}.sha256sum", f"linux-{architecture}/{name}")
    if module == "kwok":  # its releases list no sums
        return Source(
            f"https://github.com/kubernetes-sigs/kwok/releases/download/{version}/{name}-linux-{architecture}"
        )
    if module == "grpcurl":
        number = version.removeprefix("v")
        folder = f"https://github.com/fullstorydev/grpcurl/releases/download/{version}"
        file = f"grpcurl_{number}_linux_{_GRPCURL_ARCHITECTURES[architecture]}.tar.gz"
        return Source(f"{folder}/{file}", f"{folder}/grpcurl_{number}_checksums.txt", name)
    return None


def reachable(wanted: Source, mirror: str | None = None) -> bool:
    """Say within two seconds whether the host of a file answers at all."""
    answered = threading.Event()

    def ask() -> None:
        request = urllib.request.Request(_address(wanted.url, mirror), method="HEAD")
        try:
            urllib.request.urlopen(request, timeout=PROBE_TIMEOUT_S).close()
        except urllib.error.HTTPError:
            answered.set()  # a host that refuses is there
        except (OSError, http.client.HTTPException):
            return
        answered.set()

    # In a thread, because no timeout holds for the resolver: a host without DNS waits in it for half a minute.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PROBE_TIMEOUT_S)
    return answered.is_set()


def install(wanted: Source | None, target: Path, mirror: str | None = None) -> None:
    """Download a program to `target`, once its file has the right sum.

    With `mirror` ("http://mirror.example"), "https://host/path" is asked for at "http://mirror.example/host/path".
    Raises Unavailable when the file cannot be had and ControlPlaneError when it is another than it should be.
    """
    if wanted is None:
        raise Unavailable(f"no release file is known for {sys.platform} on {platform.machine()}")
    expected, teller = expected_sum(wanted, mirror)
    partial = target.with_name(f".{target.name}.download")
    try:
        got = _save(_address(wanted.url, mirror), partial)
        if got != expected:
            raise ControlPlaneError(
                f"{wanted.url} is not the file it should be: SHA-256 expected {expected} (by {teller}), got {got}; "
                "nothing was installed from it"
            )
        _put(partial, wanted, target)
    finally:
        partial.unlink(missing_ok=True)


def expected_sum(wanted: Source, mirror: str | None = None) -> tuple[str, str]:
    """Return a file's SHA-256 and who says so. Raises Unavailable when nobody does."""
    if pin := _listed(PINS.read_text(), wanted.url):
        return pin, PINS.name
    if wanted.sums is None:
        raise Unavailable(f"{wanted.url}: its project publishes no SHA-256, and {PINS.name} has none")
    file = wanted.url.rpartition("/")[2]
    if published := _listed(_text(_address(wanted.sums, mirror)), file):
        return published, wanted.sums
    raise Unavailable(f"{wanted.sums} has no SHA-256 of {file}")


def _address(url: str, mirror: str | None) -> str:
    return url if mirror is None else f"{mirror.rstrip('/')}/{url.removeprefix('https://')}"


def _listed(text: str, file: str) -> str | None:
    """The sum of a file among "SUM  FILE" lines ("*FILE" is a file read as binary), or in a text that is one sum."""
    for line in text.splitlines():
        match line.split():
            case [digest] if _is_sum(digest):
                return digest.lower()
            case [digest, name] if _is_sum(digest) and name.removeprefix("*") == file:
                return digest.lower()
    return None


def _is_sum(text: str) -> bool:
    return len(text) == 64 and not set(text.lower()) - set("0123456789abcdef")


def _open(url: str) -> http.client.HTTPResponse:
    try:
        answer: http.client.HTTPResponse = urllib.request.urlopen(url, timeout=_TIMEOUT_S)
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{url}: {error}") from error
    return answer


def _text(url: str) -> str:
    with _open(url) as answer:
        try:
            return answer.read(_CHUNK).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{url}: {error}") from error


def _save(url: str, path: Path) -> str:
    digest, size = hashlib.sha256(), 0
    with _open(url) as answer, path.open("wb") as file:
        try:
            while chunk := answer.read(_CHUNK):
                digest.update(chunk)
                size += file.write(chunk)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{url}: {error}") from error
        promised = answer.headers.get("Content-Length")
    if promised is not None and int(promised) != size:  # read() by pieces takes an early end for the end
        raise Unavailable(f"{url}: broke off after {size} of {promised} bytes")
    return digest.hexdigest()


def _put(file: Path, wanted: Source, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    if wanted.member is None:
        file.replace(partial)
    else:
        with tarfile.open(file) as archive:
            try:
                content = archive.extractfile(wanted.member)
            except KeyError:
                content = None
            if content is None:
                raise ControlPlaneError(f"{wanted.url} has the right SHA-256 but no file {wanted.member} in it")
            with content, partial.open("wb") as program:
                shutil.copyfileobj(content, program)
    partial.chmod(0o755)
    partial.replace(target)
