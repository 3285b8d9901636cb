"""Watches the labels of all Nodes from beside the product."""

import json
import subprocess
from pathlib import Path
from typing import Any

from nicfleet import names
from tests.controlplane.cluster import ControlPlane


class LabelWatch:
    """`kubectl get nodes --watch` from now on. A context manager."""

    def __init__(self, plane: ControlPlane, file: Path) -> None:
        self._plane = plane
        self._file = file

    def __enter__(self) -> "LabelWatch":
        command = [str(self._plane.kubectl_path), f"--kubeconfig={self._plane.kubeconfig}", "get", "nodes"]
        command += ["--watch", "--output-watch-events", "--output=json"]
        with self._file.open("w") as output:
            self._child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        return self

    def __exit__(self, *_: object) -> None:
        self._child.terminate()
        self._child.wait()

    def seen(self, node: str) -> list[dict[str, str]]:
        """Labels on nicfleet's list, as each event of that Node told them."""
        found = []
        for event in _documents(self._file.read_text()):
            if event["object"]["metadata"]["name"] == node:
                labels = event["object"]["metadata"]["labels"]
                found.append({key: value for key, value in labels.items() if names.may_be_written(key)})
        return found


def _documents(text: str) -> list[dict[str, Any]]:
    """Whole JSON documents, one after the other; the last one may still be on its way."""
    decoder = json.JSONDecoder()
    found = []
    place = 0
    while place < len(text):
        try:
            document, end = decoder.raw_decode(text, place)
        except json.JSONDecodeError:
            break
        found.append(document)
        place = end
        while place < len(text) and text[place].isspace():
            place += 1
    return found
