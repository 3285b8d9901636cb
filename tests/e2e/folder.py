"""Where a run has its files: all of them, so that none is left."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.controlplane.errors import ControlPlaneError

_PREFIX: Final = "nicfleet-e2e-run-"
_VARIABLE: Final = "TMPDIR"


@contextmanager
def of_a_run() -> Iterator[Path]:
    """A new folder, which all programs have for their temporary files too. What a killed run left is removed first.

    Raises ControlPlaneError when something is still mounted there in the end: it would be removed as well.
    """
    outer, variable = tempfile.tempdir, os.environ.get(_VARIABLE)
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        _remove(left)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    temporary = folder / "tmp"
    temporary.mkdir()
    tempfile.tempdir = os.environ[_VARIABLE] = str(temporary)
    try:
        yield folder
    finally:
        tempfile.tempdir = outer
        if variable is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = variable
        _remove(folder)


def _remove(folder: Path) -> None:
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    if below := [mount for mount in mounts if mount.startswith(f"{folder}/")]:
        raise ControlPlaneError(f"still mounted, so {folder} is not removed: {', '.join(below)}")
    shutil.rmtree(folder)
