"""One child process that cannot outlive its parent."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.controlplane.errors import ControlPlaneError

POLL_SECONDS = 0.02


class Process:
    """A component of the control plane: started, paused, killed; its output is appended to one log file.

    The kernel kills it when the thread that started it ends, however that happened: start it from one that lives as
    long as it should. It leads a session of its own, so Ctrl-C reaches the parent only, which then stops all in order.
    """

    def __init__(self, name: str, argv: Sequence[str | Path], log: Path) -> None:
        self.name = name
        self.log = log
        self._argv = [str(argument) for argument in argv]
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid if self._child and self._child.poll() is None else None

    def start(self) -> None:
        """Start it, once; a stopped one may be started again. Raises ControlPlaneError without util-linux."""
        if self.pid is not None:
            raise ControlPlaneError(f"{self.name} already runs (pid {self.pid})")
        command = [*_dies_with_parent(), *self._argv]
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def wait_until(self, ready: Callable[[], bool], timeout: float) -> None:
        """Wait, seconds, until `ready` says so. Raises ControlPlaneError when it exits first or takes too long."""
        deadline = time.monotonic() + timeout
        while not ready():
            if self.pid is None:
                raise ControlPlaneError(f"{self.name} exited while it started; {self._last_words()}")
            if time.monotonic() > deadline:
                raise ControlPlaneError(f"{self.name} was not ready after {timeout:.0f} s; {self._last_words()}")
            time.sleep(POLL_SECONDS)

    def send(self, number: signal.Signals) -> None:
        """Send a signal. Raises ControlPlaneError when it does not run."""
        if self.pid is None:
            raise ControlPlaneError(f"{self.name} does not run, so it cannot get {number.name}")
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, also a paused one, and wait for its end. Nothing happens when it does not run."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def _last_words(self) -> str:
        return f"the end of {self.log}:\n{self.log.read_text(errors='replace')[-1500:].strip()}"


def _dies_with_parent() -> list[str]:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ControlPlaneError("setpriv is missing; install util-linux 2.33 or newer")
    # The shell looks whether the parent died before the kernel was told to watch it; a preexec_fn would be shorter,
    # but running Python after fork can deadlock in a process that has gRPC's threads.
    still_there = 'test "$PPID" = "$0" && exec "$@"'
    return [setpriv, "--pdeathsig", "KILL", "sh", "-c", still_there, str(os.getpid())]
