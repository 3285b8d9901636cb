"""A page of docs/how-to carried out: the commands below a heading, as they are written there."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.chart.helm import ROOT
from tests.controlplane.cluster import ControlPlane

_EXIT_CODES: Final = {"nicfleet plan": (0, 1)}
"""Besides 0: a plan by which something changes has not failed."""


class HowTo:
    """A page, a folder to work in, and kubectl, helm and nicfleet as a person has them."""

    def __init__(self, page: str, plane: ControlPlane, helm: Path, folder: Path) -> None:
        self._text = (ROOT / "docs/how-to" / page).read_text()
        self.folder = folder
        (folder / "bin").mkdir(parents=True)
        (folder / "deploy").symlink_to(ROOT / "deploy")
        (folder / "templates").symlink_to(ROOT / "templates")
        for name, command in {
            "kubectl": str(plane.kubectl_path),
            "helm": str(helm),
            "nicfleet": f"env PYTHONPATH={ROOT} {sys.executable} -m cli",
        }.items():
            program = folder / "bin" / name
            program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            program.chmod(0o755)
        homes = {f"HELM_{name}_HOME": str(folder / "helm" / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
        path = f"{folder / 'bin'}:{os.environ['PATH']}"
        self.environment = {**os.environ, **homes, "PATH": path, **plane.environment}

    def commands(self, heading: str) -> Iterator[str]:
        """The commands below a heading, up to the next one."""
        parts = re.split(r"^#+ (.+)$", self._text, flags=re.MULTILINE)
        (body,) = (body for title, body in zip(parts[1::2], parts[2::2], strict=True) if title == heading)
        return (line.strip() for line in body.splitlines() if line.startswith("    ") and line.strip())

    def carry_out(self, heading: str) -> str:
        """Run them one after another; what they say."""
        return "".join(self.run(command) for command in self.commands(heading))

    def run(self, command: str) -> str:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=180,
        )  # fmt: skip
        allowed = next((codes for start, codes in _EXIT_CODES.items() if command.startswith(start)), (0,))
        assert done.returncode in allowed, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout
