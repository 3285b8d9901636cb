"""`nicfleet must-gather`: its flags. What it needs is imported when it runs."""

from pathlib import Path
from typing import Annotated, Final

import typer

from cli.help import Command
from cli.options import CaFile, Context, Insecure, Kubeconfig, ServerName, TokenFileName
from cli.told import note, refuse, say

_EXIT_NOTHING: Final = 1


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("must-gather", cls=Command)(must_gather)


def must_gather(
    *,
    namespace: Annotated[
        str, typer.Option(metavar="NAME", help="The coordinator's namespace; else it is looked for.")
    ] = "",
    output_dir: Annotated[Path, typer.Option(metavar="DIR", help="Where the archive is written.")] = Path(),
    nodes: Annotated[str, typer.Option(metavar="SELECTOR", help="Labels of the nodes to look at; else all.")] = "",
    since: Annotated[str, typer.Option(metavar="TIME", help="Age of events and log lines, at most.")] = "6h",
    log_lines: Annotated[int, typer.Option(metavar="N", min=1, help="Lines of each container's log, at most.")] = 5000,
    timeout: Annotated[str, typer.Option(metavar="TIME", help="For all of it; what is missing then is named.")] = "5m",
    max_nodes: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="Nodes with logs, inventory and driver diagnostics, at most; sick ones first."
        ),
    ] = 100,
    coordinator: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            envvar="NICFLEET_COORDINATOR",
            help="The coordinator's gRPC server, for inventories and findings.",
        ),
    ] = "",
    ca_file: CaFile = "",
    server_name: ServerName = "",
    token_file: TokenFileName = "",
    insecure: Insecure = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Save what explains a cluster's trouble in one archive, with secrets masked, for a bug report.

    Exit code 0: all is there. 2: something could not be had, and errors.txt in the archive names it. 1: nothing.
    """
    from cli.access import AccessUnusable, to_coordinator
    from cli.must_gather.run import Nothing, Options, Unwritable, gather
    from coordinator.kube.session import ConfigurationError

    how = {"ca_file": ca_file, "server_name": server_name, "token_file": token_file}
    try:
        where = to_coordinator(coordinator, **how, insecure=insecure) if coordinator else None
        note(where.ignored if where else "")
    except AccessUnusable as error:
        refuse(error)
    options = Options(
        namespace=namespace,
        output_dir=output_dir,
        nodes=nodes,
        since=_seconds("--since", since),
        log_lines=log_lines,
        timeout=_seconds("--timeout", timeout),
        max_nodes=max_nodes,
        coordinator=where,
        kubeconfig=kubeconfig,
        context=context,
    )
    try:
        bundle = gather(options, say)
    except (ConfigurationError, Unwritable) as error:
        refuse(error)
    except Nothing as error:
        refuse(error, _EXIT_NOTHING)
    print(bundle.path)
    print(f"sha256:{bundle.sha256}")
    say(f"{bundle.verdict}; look through it before you send it")
    raise typer.Exit(bundle.exit)


def _seconds(flag: str, text: str) -> int:
    from cli.must_gather.durations import seconds

    try:
        return seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=flag) from error
