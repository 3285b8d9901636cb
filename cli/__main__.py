"""`nicfleet`, the command for people. Each command imports what it needs when it runs, so that `--help` is quick."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.help import NO_VALUE, Command, Group
from cli.must_gather import commands as gathering
from cli.plan import commands as planning
from cli.told import refuse

app = typer.Typer(
    name="nicfleet",
    cls=Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

HostRoot = Annotated[
    Path,
    typer.Option(metavar="PATH", help="The host to look at: its root directory, or a file that record made."),
]


class Output(StrEnum):
    """Forms in which an inventory is shown."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"nicfleet {version('nicfleet')}")
        raise typer.Exit


@app.callback()
def nicfleet(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar=NO_VALUE, help="Show the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """NVIDIA/Mellanox NICs: what this machine has, and what a policy would make of a cluster's."""


@app.command(cls=Command)
def inspect(
    host_root: HostRoot = Path("/"),
    output: Annotated[Output, typer.Option("--output", "-o")] = Output.TABLE,
) -> None:
    """Show the NICs of this machine, without any cluster. Serial numbers are readable for root only."""
    from cli import look, show

    try:
        inventory = look.inspect(host_root)
    except look.Refused as error:
        refuse(error)
    if output is Output.TABLE:
        show.print_table(inventory)
    else:
        print(show.as_json(inventory) if output is Output.JSON else show.as_yaml(inventory))


@app.command(cls=Command)
def record(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The archive to write.")],
    host_root: HostRoot = Path("/"),
) -> None:
    """Save all that inspect reads in one small archive, which inspect and the agent take as a host."""
    from cli import look

    try:
        seen = look.record(host_root, output)
    except look.Refused as error:
        refuse(error)
    count = sum(1 for _ in seen.all_functions())
    print(f"{output}: {count} network functions. To look at it: nicfleet inspect --host-root {output}")


planning.register(app)
gathering.register(app)


def main() -> None:
    """The command."""
    import nicfleet.quiet_grpc  # noqa: F401  # before whatever a command imports

    app()


if __name__ == "__main__":
    main()
