"""Where a run has its files: all of them, so that none is left."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.controlplane.errors import ControlPlaneError

_PREFIX: Final = "nicfleet-e2e-run-"
_VARIABLE: Final = "TMPDIR"
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


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
    if below := mounted_below(folder, Path("/proc/self/mountinfo").read_text()):
        raise ControlPlaneError(f"still mounted, so {folder} is not removed: {', '.join(map(str, below))}")
    shutil.rmtree(folder)


def mounted_below(folder: Path, mountinfo: str) -> list[Path]:
    """The kernel knows no symlinks in a path, and writes space, tab, newline and backslash as octal numbers."""
    mounts = (
        Path(_ESCAPED.sub(lambda found: chr(int(found[1], 8)), line.split()[4])) for line in mountinfo.splitlines()
    )
    return [mount for mount in mounts if folder.resolve() in mount.parents]
