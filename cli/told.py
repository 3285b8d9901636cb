"""What a command says on standard error of what it was given."""

import sys
from typing import Final, NoReturn

import typer

EXIT_UNUSABLE: Final = 2
"""Exit code when a flag or a file cannot be used; click's too."""


def note(sentence: str) -> None:
    """Something worth knowing; "": nothing is."""
    if sentence:
        print(f"nicfleet: note: {sentence}", file=sys.stderr)


def refuse(error: Exception) -> NoReturn:
    """End with the one sentence that the error is."""
    print(f"nicfleet: {error}", file=sys.stderr)
    raise typer.Exit(EXIT_UNUSABLE)
