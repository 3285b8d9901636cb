"""What a machine lacks for real nodes is told at once, and all of it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e import machine


@pytest.fixture(autouse=True)
def _fit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine that has everything."""
    for name in ("bridge", "host-local", "loopback", "macvlan", "static"):
        (tmp_path / name).touch()
    monkeypatch.setattr(machine, "PLUGINS", tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda tool, path="": f"/usr/bin/{tool}")
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, "", ""))


def test_nothing_is_missing() -> None:
    assert machine.missing() == ""


def test_packages_and_root_are_told_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda tool, path="": None if tool in {"ctr", "buildah"} else tool)
    (tmp_path / "macvlan").unlink()
    told = "real nodes need root; not installed: apt-get install --no-install-recommends"
    assert machine.missing() == f"{told} buildah containerd containernetworking-plugins"


def test_without_debian_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda tool, path="": None if tool == "apt-get" else tool)
    assert machine.missing() == "the images' base is made of Debian packages, and there is no apt-get"


def test_what_the_kernel_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(command, int("overlay" in command[-1]), "", "Operation not permitted\n")

    monkeypatch.setattr(subprocess, "run", refused)
    assert machine.missing() == "this machine does not give an overlay file system: Operation not permitted"
