"""Plays the driver container on a host tree, as its image would act on a host. kwok's pods run nothing."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from nicfleet.inventory import Flavour
from tests.host_driver import load_driver, set_ready, set_reloading, set_running

STEP_SECONDS: Final = 0.5
"""Between the steps of a load, so that a person can follow; a real one takes a minute."""

_MODULE_VERSION: Final = re.compile(r"[0-9]+\.[0-9]+-[0-9]+\.[0-9]+\.[0-9]+")


class DriverContainer:
    """One container at a time on one host. Its pods are told by their uid; calls return at once, in order."""

    def __init__(self, root: Path, step_seconds: float = STEP_SECONDS) -> None:
        self._root = root
        self._step_seconds = step_seconds
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"driver-{root.name}")
        self._pod: str | None = None

    def pod_runs(self, uid: str, image: str) -> None:
        """The pod's container has started; nothing happens when that is known."""
        if self._pod != uid:
            self._pod = uid
            self._worker.submit(self._load, module_version(image))

    def pod_is_gone(self, uid: str) -> None:
        """The pod was deleted: its files go, the modules stay loaded."""
        if self._pod == uid:
            self._pod = None
            self._worker.submit(self._leave)

    def close(self) -> None:
        """Finish what was asked for."""
        self._worker.shutdown()

    def _load(self, version: str) -> None:
        set_running(self._root, True)
        set_ready(self._root, False)
        set_reloading(self._root, True)
        time.sleep(self._step_seconds)
        load_driver(self._root, Flavour.OFED, version)
        time.sleep(self._step_seconds)
        set_reloading(self._root, False)
        set_ready(self._root, True)

    def _leave(self) -> None:
        set_ready(self._root, False)
        set_running(self._root, False)


def module_version(image: str) -> str:
    """What mlx5_core of this image calls itself: fewer parts than the tag ("…:23.04-0.5.3.3.1-…" has 23.04-0.5.3).

    Raises ValueError for an image whose tag tells no version.
    """
    match = _MODULE_VERSION.search(image.rpartition(":")[2])
    if match is None:
        raise ValueError(f"the image {image} tells no driver version")
    return match[0]
