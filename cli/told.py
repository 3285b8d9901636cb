"""What a command says on standard error of what it was given."""

import sys
from typing import Final, NoReturn

import typer

EXIT_UNUSABLE: Final = 2
"""Exit code when a flag or a file cannot be used; click's too."""


def note(sentence: str) -> None:
    """Something worth knowing; "": nothing is."""
    if sentence:
        say(f"note: {sentence}")


def say(sentence: str) -> None:
    """What a command does, or how it ended; standard output is for what was asked for."""
    print(f"nicfleet: {sentence}", file=sys.stderr)


def refuse(error: Exception, exit_code: int = EXIT_UNUSABLE) -> NoReturn:
    """End with the one sentence that the error is."""
    say(str(error))
    raise typer.Exit(exit_code)
