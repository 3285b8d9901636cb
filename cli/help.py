"""Help pages on which a switch looks like one: typer writes `<bool>` beside those that take no value."""

from typing import Any, Final

from typer.core import TyperCommand, TyperGroup, TyperOption

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


class Command(_PlainHelp, TyperCommand):
    """One command."""
