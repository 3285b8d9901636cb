"""The control plane's programs: found where they already are, else fetched or built once into a cache folder.

Looked for, in this order: the folder that KUBEBUILDER_ASSETS names, the cache, the official release files of the same
versions, and then they are built from the pinned Go modules in `tools/`. NICFLEET_TOOLS=download takes release files or
fails, NICFLEET_TOOLS=build never asks for them. A change of a pin gives another cache folder, so two checkouts never
share wrong binaries.
"""

import fcntl
import hashlib
import os
import platform
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.controlplane import downloads, golang
from tests.controlplane.errors import ControlPlaneError

MODULES = Path(__file__).with_name("tools")


@dataclass(frozen=True, slots=True)
class Tool:
    """One program: the folder of the Go module that pins it, and its main package."""

    name: str
    module: str
    package: str


TOOLS = (
    Tool("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
    Tool("kube-apiserver", "kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver"),
    Tool("kube-controller-manager", "kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    Tool("kube-scheduler", "kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler"),
    Tool("kubectl", "kubernetes", "k8s.io/kubernetes/cmd/kubectl"),
    Tool("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    Tool("grpcurl", "grpcurl", "github.com/fullstorydev/grpcurl/cmd/grpcurl"),
    Tool("helm", "helm", "helm.sh/helm/v3/cmd/helm"),
)

NODE_TOOLS = (
    Tool("kubelet", "kubernetes", "k8s.io/kubernetes/cmd/kubelet"),
    Tool("coredns", "coredns", "nicfleet/tools/coredns"),
)
"""What real nodes need besides: made for those alone who ask for it by name."""


def ensure_tools(names: Iterable[str] | None = None, say: Callable[[str], None] = print) -> dict[str, Path]:
    """Return the path of each named tool (of every tool without names), fetching or building what is missing.

    `say` gets one line per step that takes long. Raises ControlPlaneError when a build fails, when a release file is
    another than it should be, and when NICFLEET_TOOLS says what it cannot.
    """
    wanted = list(TOOLS) if names is None else [tool for tool in (*TOOLS, *NODE_TOOLS) if tool.name in set(names)]
    cache = cache_folder()
    folders = [Path(assets)] if (assets := os.environ.get("KUBEBUILDER_ASSETS")) else []
    folders.append(cache / f"tools-{fingerprint()}")
    if any(_find(tool, folders) is None for tool in wanted):
        _make_missing(wanted, folders, cache, say)
    return {tool.name: path for tool in wanted if (path := _find(tool, folders))}


def cache_folder() -> Path:
    """Return the folder, outside the checkout, where tools and toolchain are kept."""
    if own := os.environ.get("NICFLEET_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "nicfleet")


def fingerprint() -> str:
    """Return a short hash over every pin, what is built of them here, and the platform."""
    digest = hashlib.sha256(f"{sys.platform}/{platform.machine()}".encode())
    for pins in sorted(MODULES.glob("*/*")):
        digest.update(pins.read_bytes())
    return digest.hexdigest()[:12]


def pinned(module: str, pattern: str) -> str:
    """Return what `pattern` captures in the go.mod of a module of tools."""
    found = re.search(pattern, (MODULES / module / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(f"tools/{module}/go.mod has no line like {pattern}")
    return found[1]


def _find(tool: Tool, folders: Iterable[Path]) -> Path | None:
    candidates = (folder / tool.name for folder in folders)
    return next((path for path in candidates if os.access(path, os.X_OK)), None)


def version(tool: Tool) -> str:
    """Return the version that a tool's module pins, such as "v1.36.3"."""
    text = (MODULES / tool.module / "go.mod").read_text()
    required = re.findall(r"^(?:require )?\s*(\S+) (v\S+)", text, re.MULTILINE)
    _, number = max((path, number) for path, number in required if f"{tool.package}/".startswith(f"{path}/"))
    return str(number)


def source(tool: Tool, architecture: str | None) -> downloads.Source | None:
    """Return where a tool's official release file lies, None when no such file is known for an architecture."""
    if architecture is None:
        return None
    return downloads.source(tool.name, tool.module, version(tool), architecture)


def _make_missing(wanted: list[Tool], folders: list[Path], cache: Path, say: Callable[[str], None]) -> None:
    target = folders[-1]
    target.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "lock", say):
        missing = [tool for tool in wanted if _find(tool, folders) is None]  # another run may have made them
        missing = _download(missing, target, say)
        if missing:
            _build(missing, target, cache, say)


def _download(missing: list[Tool], target: Path, say: Callable[[str], None]) -> list[Tool]:
    """Fetch what may be fetched, and return what is to be built."""
    way = os.environ.get("NICFLEET_TOOLS") or "auto"
    mirror = os.environ.get("NICFLEET_TOOLS_MIRROR") or None
    if way not in ("auto", "build", "download"):
        raise ControlPlaneError(f"NICFLEET_TOOLS is {way!r}: auto, build and download are understood")
    if way == "build" or not missing:
        return missing
    sources = {tool: source(tool, downloads.this_architecture()) for tool in missing}
    if way == "auto":
        known = next((found for found in sources.values() if found), None)
        if known is None or not downloads.reachable(known, mirror):
            say("official release files are out of reach: building the control plane's programs from source")
            return missing
    left = []
    for tool, found in sources.items():
        if found is None and tool in NODE_TOOLS:  # our own choice of its parts: nobody releases that
            left.append(tool)
            continue
        say(f"downloading {tool.name} {version(tool)}, first time only…")
        try:
            downloads.install(found, target / tool.name, mirror)
        except downloads.Unavailable as error:
            if way == "download":
                raise ControlPlaneError(f"{tool.name} cannot be downloaded: {error}") from error
            say(f"{error}: {tool.name} will be built from source")
            left.append(tool)
    return left


def _build(missing: list[Tool], target: Path, cache: Path, say: Callable[[str], None]) -> None:
    go_line = max(golang.version_tuple(pinned(tool.module, r"^go (\S+)$")) for tool in missing)
    go = golang.find_go(cache, go_line, say)
    for number, tool in enumerate(missing, start=1):
        say(f"building {tool.name} ({number} of {len(missing)}), first time only…")
        partial = target / f".{tool.name}.partial"
        golang.build(go, MODULES / tool.module, tool.package, partial, _ldflags(tool))
        partial.replace(target / tool.name)


def _ldflags(tool: Tool) -> str:
    return " ".join(["-s -w", *(f"-X {name}={value}" for name, value in _facts(tool).items())])


def _facts(tool: Tool) -> dict[str, str]:
    """Variables of a program that its own project sets when it is released, by their full names."""
    version = pinned("kubernetes", r"k8s\.io/kubernetes (v\S+)")
    major, minor, _ = version.removeprefix("v").split(".", 2)
    if tool.module == "kubernetes":
        # Without these the API server calls itself v0.0.0-master and clients refuse or warn.
        facts = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
        return {f"k8s.io/component-base/version.{key}": value for key, value in facts.items()}
    if tool.module == "helm":
        # Without these it takes the cluster for Kubernetes 1.20 wherever it does not ask one.
        facts = {"k8sVersionMajor": major, "k8sVersionMinor": minor}
        return {f"helm.sh/helm/v3/pkg/chartutil.{key}": value for key, value in facts.items()}
    return {}


@contextmanager
def _locked(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is building the tools: waiting for it…")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
