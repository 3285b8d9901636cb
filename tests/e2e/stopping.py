"""A run that somebody ends takes down what it made, undisturbed."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_Handler = Callable[[int, FrameType | None], None] | signal.Handlers


@contextmanager
def in_order() -> Iterator[None]:
    """Within, `kill` and a terminal that is closed do what Ctrl-C does: they raise KeyboardInterrupt."""

    def stop(number: int, _: FrameType | None) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    with _handled_by(stop):
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within, all of them count for nothing."""
    with _handled_by(signal.SIG_IGN):
        yield


@contextmanager
def _handled_by(handler: _Handler) -> Iterator[None]:
    """But for those that nohup, or a shell for what runs in its background, had this process ignore."""
    heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heeded}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
