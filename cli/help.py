"""Help pages on which a switch looks like one, and flag errors in one line.

typer writes `<bool>` beside switches that take no value, and draws a box around an error, which breaks its sentence.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from cli.told import EXIT_UNUSABLE, say

NO_VALUE: Final = ""
"""As `metavar`: nothing is written beside the option."""


class _PlainHelp:
    def get_help_option(self, ctx: Any) -> TyperOption | None:
        option: TyperOption | None = super().get_help_option(ctx)  # type: ignore[misc]  # of the class it is mixed into
        if option is not None:
            option.metavar = NO_VALUE
        return option


class Group(_PlainHelp, TyperGroup):
    """The program with its commands."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> Any:
        if not args:
            return super().make_context(info_name, args, *rest, **extra)  # the help page comes as an error
        with _in_one_line():
            return super().make_context(info_name, args, *rest, **extra)

    def invoke(self, ctx: Any) -> Any:
        with _in_one_line():
            return super().invoke(ctx)


@contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except typer.TyperException as error:
        told = " ".join(error.format_message().split()).rstrip(".").replace("Value error, ", "")  # pydantic's words
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "nicfleet"
        say(f"{told[:1].lower()}{told[1:]}: see {command} --help")
        raise typer.Exit(EXIT_UNUSABLE) from error


class Command(_PlainHelp, TyperCommand):
    """One command."""
