"""helm, as a person runs it, and what it renders of our chart."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/nicfleet"
NAMESPACE = "nvidia-network-operator"

Values = Mapping[str, Any]


class HelmFailed(RuntimeError):
    """What helm said on its standard error."""


class Helm:
    """One program, with a home of its own and, where it needs a cluster, a kubeconfig."""

    def __init__(self, program: Path, home: Path, kubeconfig: Path | None = None) -> None:
        self._program = program
        self._home = home
        self._kubeconfig = kubeconfig

    @property
    def environment(self) -> dict[str, str]:
        """That it runs in."""
        folders = {f"HELM_{name}_HOME": str(self._home / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
        # The default is ~/.kube, by port: an earlier cluster may have left its own answers there.
        kube = {"KUBECONFIG": str(self._kubeconfig or os.devnull), "KUBECACHEDIR": str(self._home / "kube")}
        return {**os.environ, **folders, **kube}

    def run(self, *arguments: str | Path, values: Values | None = None) -> str:
        """Standard output. `values` are the contents of a values file. Raises HelmFailed."""
        given = ["--values=-"] if values is not None else []
        done = subprocess.run(
            [self._program, *arguments, *given],
            input=json.dumps(values), capture_output=True, text=True, check=False, env=self.environment, timeout=300,
        )  # fmt: skip
        if done.returncode:
            raise HelmFailed(f"{done.stderr}{done.stdout}")
        return done.stdout

    def start(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Not waited for; what it says is lost."""
        nowhere = subprocess.DEVNULL
        return subprocess.Popen(
            [self._program, *arguments], stdin=nowhere, stdout=nowhere, stderr=nowhere, env=self.environment
        )

    def template(self, values: Values | None = None, *further: str) -> list[dict[str, Any]]:
        """The objects of the chart, hooks and tests among them. Raises HelmFailed."""
        rendered = self.run("template", "nicfleet", CHART, f"--namespace={NAMESPACE}", *further, values=values or {})
        return [each for each in yaml.safe_load_all(rendered) if each]


def one(objects: list[dict[str, Any]], kind: str, ending: str = "") -> dict[str, Any]:
    """The only object of that kind whose name ends so."""
    (found,) = (each for each in objects if each["kind"] == kind and each["metadata"]["name"].endswith(ending))
    return found
