"""Progress for the one who watches: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.live import Live

from demo.board import Board, Tables, changes


class Display(Protocol):
    """Where the demo tells what it does."""

    def say(self, line: str) -> None:
        """One line of the story, with the seconds since the start."""
        ...

    def note(self, text: str) -> None:
        """Lines to be copied: as they are, and without the clock."""
        ...

    def show(self, board: Board) -> None:
        """How nodes and states are now."""
        ...


class Lines:
    """For a log: what is new, line by line."""

    def __init__(self) -> None:
        self._clock = _Clock()
        self._shown = Board()

    def say(self, line: str) -> None:
        self.note(self._clock.stamped(line))

    def note(self, text: str) -> None:
        print(text, flush=True)

    def show(self, board: Board) -> None:
        for line in changes(self._shown, board):
            self.say(f"  {line}")
        self._shown = board


class Screen:
    """For a terminal: the story scrolls above a table that stays."""

    def __init__(self, live: Live) -> None:
        self._clock = _Clock()
        self._live = live

    def say(self, line: str) -> None:
        self.note(self._clock.stamped(line))

    def note(self, text: str) -> None:
        self._live.console.print(text, soft_wrap=True)

    def show(self, board: Board) -> None:
        self._live.update(Tables(board))


@contextmanager
def display() -> Iterator[Display]:
    """The display that fits standard output."""
    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        yield Lines()
        return
    with Live(console=console, refresh_per_second=4) as live:
        yield Screen(live)


class _Clock:
    def __init__(self) -> None:
        self._began = time.monotonic()

    def stamped(self, line: str) -> str:
        return f"{time.monotonic() - self._began:6.1f} s  {line}"
