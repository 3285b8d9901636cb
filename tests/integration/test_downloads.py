"""Release files in place of the Go build, from a real HTTP server: what is checked, and what is said otherwise."""

import functools
import hashlib
import http.server
import io
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane import downloads, tools
from tests.controlplane.errors import ControlPlaneError

PROGRAM = b"#!/bin/sh\necho released\n"
SUM = hashlib.sha256(PROGRAM).hexdigest()
BY_NAME = {tool.name: tool for tool in tools.TOOLS}


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name in the standard library
        pass


class Mirror:
    """A folder and its address; files lie in it as they do at their projects."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url

    def put(self, url: str, content: bytes) -> None:
        path = self.folder / url.removeprefix("https://")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    folder = tmp_path / "mirror"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield Mirror(folder, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty cache of a machine that reaches the mirror, has no Go and could not install one."""
    pins = tmp_path / "pins.sha256"
    pins.write_text("")
    monkeypatch.setattr(downloads, "PINS", pins)
    monkeypatch.setattr(downloads, "PROBE_TIMEOUT_S", 60)  # the mirror answers, however slow this machine is
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("tests.controlplane.golang.find_go", lambda *_: pytest.fail("Go was looked for"))
    for name in ("KUBEBUILDER_ASSETS", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NICFLEET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NICFLEET_TOOLS", "download")
    monkeypatch.setenv("NICFLEET_TOOLS_MIRROR", mirror.url)
    return tmp_path / "cache" / f"tools-{tools.fingerprint()}"


def source_of(name: str) -> downloads.Source:
    found = tools.source(BY_NAME[name], "amd64")
    assert found is not None
    return found


def tarball(member: str | None) -> bytes:
    assert member is not None
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo(member)
        info.size = len(PROGRAM)
        archive.addfile(info, io.BytesIO(PROGRAM))
    return buffer.getvalue()


def sum_line(content: bytes, file: str) -> bytes:
    return f"{hashlib.sha256(content).hexdigest()}  {file}\n".encode()


def install(name: str) -> tuple[Path, list[str]]:
    said: list[str] = []
    return tools.ensure_tools([name], say=said.append)[name], said


def installed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"])
def test_a_program_of_kubernetes_is_held_to_the_sum_beside_it(name: str, mirror: Mirror, cache: Path) -> None:
    source = source_of(name)
    mirror.put(source.url, PROGRAM)
    mirror.put(f"{source.url}.sha256", SUM.encode())

    path, said = install(name)

    assert path == cache / name
    assert subprocess.run([path], capture_output=True, check=True).stdout == b"released\n"
    assert said == [f"downloading {name} {tools.version(BY_NAME[name])}, first time only…"]
    assert installed(cache) == [name]


@pytest.mark.parametrize("name", ["etcd", "helm", "grpcurl"])
def test_a_program_is_taken_out_of_its_tarball(name: str, mirror: Mirror, cache: Path) -> None:
    source = source_of(name)
    content = tarball(source.member)
    file = source.url.rpartition("/")[2]
    mirror.put(source.url, content)
    mirror.put(source.sums or "", sum_line(b"another architecture", "other.tar.gz") + sum_line(content, file))

    assert install(name)[0].read_bytes() == PROGRAM
    assert installed(cache) == [name]


def test_a_program_is_found_again_without_a_server(mirror: Mirror, cache: Path) -> None:
    source = source_of("kubectl")
    mirror.put(source.url, PROGRAM)
    mirror.put(f"{source.url}.sha256", SUM.encode())
    install("kubectl")
    (mirror.folder / source.url.removeprefix("https://")).unlink()

    assert install("kubectl") == (cache / "kubectl", [])


def test_another_file_than_published_is_refused(mirror: Mirror, cache: Path) -> None:
    source = source_of("kubectl")
    mirror.put(source.url, PROGRAM + b"rm -rf /\n")
    mirror.put(f"{source.url}.sha256", SUM.encode())
    got = hashlib.sha256(PROGRAM + b"rm -rf /\n").hexdigest()

    with pytest.raises(ControlPlaneError) as raised:
        install("kubectl")

    assert str(raised.value) == (
        f"{source.url} is not the file it should be: SHA-256 expected {SUM} (by {source.sums}), got {got}; "
        "nothing was installed from it"
    )
    assert installed(cache) == []


def test_another_file_is_refused_in_auto_too(mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sum that is wrong is no reason to go on by another way: somebody should look."""
    monkeypatch.setenv("NICFLEET_TOOLS", "auto")
    source = source_of("kubectl")
    mirror.put(source.url, b"")
    mirror.put(f"{source.url}.sha256", SUM.encode())

    with pytest.raises(ControlPlaneError, match="is not the file it should be"):
        install("kubectl")
    assert installed(cache) == []


def test_a_pinned_sum_goes_before_a_published_one(mirror: Mirror, cache: Path) -> None:
    """A host that lies publishes the sum of its own file."""
    source = source_of("kubectl")
    mirror.put(source.url, PROGRAM)
    mirror.put(f"{source.url}.sha256", SUM.encode())
    downloads.PINS.write_text(f"# told by the project\n{'0' * 64}  {source.url}\n")

    with pytest.raises(ControlPlaneError, match=rf"expected {'0' * 64} \(by pins.sha256\), got {SUM}"):
        install("kubectl")
    assert installed(cache) == []


def test_a_pinned_sum_is_enough(mirror: Mirror, cache: Path) -> None:
    source = source_of("kwok")  # whose project publishes none
    mirror.put(source.url, PROGRAM)
    downloads.PINS.write_text(f"{SUM}  {source.url}\n")

    assert install("kwok")[0] == cache / "kwok"


def test_a_file_that_nobody_has_a_sum_of_is_not_taken(mirror: Mirror, cache: Path) -> None:
    mirror.put(source_of("kwok").url, PROGRAM)

    with pytest.raises(ControlPlaneError, match=r"kwok cannot be downloaded: .* publishes no SHA-256, and pins"):
        install("kwok")
    assert installed(cache) == []


@pytest.mark.parametrize("page", [b"", b"<html>sign in</html>", sum_line(PROGRAM, "kubelet")])
def test_a_page_without_the_sum_is_no_sum(page: bytes, mirror: Mirror, cache: Path) -> None:
    source = source_of("kubectl")
    mirror.put(source.url, PROGRAM)
    mirror.put(f"{source.url}.sha256", page)

    with pytest.raises(ControlPlaneError, match="has no SHA-256 of kubectl"):
        install("kubectl")
    assert installed(cache) == []


def test_a_tarball_without_the_program_is_told(mirror: Mirror, cache: Path) -> None:
    source = source_of("etcd")
    content = tarball("elsewhere/etcd")
    mirror.put(source.url, content)
    mirror.put(source.sums or "", sum_line(content, source.url.rpartition("/")[2]))

    with pytest.raises(ControlPlaneError, match=r"right SHA-256 but no file etcd-v[\d.]+-linux-amd64/etcd in it"):
        install("etcd")
    assert installed(cache) == []


def test_auto_builds_what_cannot_be_had(mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NICFLEET_TOOLS", "auto")
    built = go_that_builds(monkeypatch)
    source = source_of("kubectl")
    mirror.put(source.url, PROGRAM)
    mirror.put(f"{source.url}.sha256", SUM.encode())
    said: list[str] = []

    tools.ensure_tools(["kubectl", "kwok"], say=said.append)

    assert installed(cache) == ["kubectl", "kwok"]
    assert built == ["sigs.k8s.io/kwok/cmd/kwok"]
    assert [line.rpartition(": ")[2] for line in said] == [
        f"downloading kubectl {tools.version(BY_NAME['kubectl'])}, first time only…",
        f"downloading kwok {tools.version(BY_NAME['kwok'])}, first time only…",
        "kwok will be built from source",
        "building kwok (1 of 1), first time only…",
    ]


def test_auto_builds_everything_when_nothing_answers(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NICFLEET_TOOLS", "auto")
    monkeypatch.setenv("NICFLEET_TOOLS_MIRROR", "http://127.0.0.1:9")  # discard: nobody listens
    built = go_that_builds(monkeypatch)

    _, said = install("kubectl")

    assert built == ["k8s.io/kubernetes/cmd/kubectl"]
    assert said[0] == "official release files are out of reach: building the control plane's programs from source"
    assert len(said) == 2


def test_build_asks_nobody(mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NICFLEET_TOOLS", "build")
    monkeypatch.setattr(downloads, "reachable", lambda *_: pytest.fail("a host was asked"))
    built = go_that_builds(monkeypatch)
    mirror.put(source_of("kubectl").url, PROGRAM)

    install("kubectl")

    assert built == ["k8s.io/kubernetes/cmd/kubectl"]


def test_an_unknown_way_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NICFLEET_TOOLS", "fetch")

    with pytest.raises(ControlPlaneError, match="NICFLEET_TOOLS is 'fetch': auto, build and download are understood"):
        install("kubectl")


def test_programs_named_by_the_user_go_first(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "kubectl").write_bytes(PROGRAM)
    (assets / "kubectl").chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))

    assert install("kubectl") == (assets / "kubectl", [])


def test_each_pin_is_of_a_file_that_is_asked_for() -> None:
    """A pin of last year's version would never be looked at."""
    lines = [line.split() for line in downloads.PINS.read_text().splitlines() if not line.startswith("#")]
    sources = [tools.source(tool, arch) for tool in tools.TOOLS for arch in downloads.ARCHITECTURES.values()]

    assert {url for _, url in lines} <= {source.url for source in sources if source}
    assert all(len(digest) == 64 for digest, _ in lines)


def go_that_builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put a compiler in place that makes PROGRAM of everything, and return what it was asked for."""
    built: list[str] = []

    def build(_go: Path, _module: Path, package: str, output: Path, _ldflags: str) -> None:
        built.append(package)
        output.write_bytes(PROGRAM)
        output.chmod(0o755)

    monkeypatch.setattr("tests.controlplane.golang.find_go", lambda *_: Path("go"))
    monkeypatch.setattr("tests.controlplane.golang.build", build)
    return built
