"""`nicfleet render` and `nicfleet plan`: their flags. What they need is imported when they run."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.help import NO_VALUE, Command
from cli.options import CaFile, Context, Insecure, Kubeconfig, ServerName, TokenFileName
from cli.told import EXIT_UNUSABLE, note, refuse

if TYPE_CHECKING:
    from cli.plan.report import Report
    from coordinator.settings import Settings

EXIT_CHANGES: Final = 1
"""Exit code of a plan by which something changes; as kubectl diff."""

EXIT_PROBLEMS: Final = EXIT_UNUSABLE
"""Exit code when something would not be carried out as asked, or cannot be read."""

_WIDEST: Final = 250
"""Columns of a page that no terminal limits."""


class Output(StrEnum):
    """Forms of a plan."""

    TABLE = "table"
    JSON = "json"


Files = Annotated[
    list[str],
    typer.Option(
        "--filename", "-f", metavar="FILE", help="Policies and networks as YAML or JSON: a file, a folder, - for stdin."
    ),
]
Inventories = Annotated[
    list[Path] | None,
    typer.Option(
        "--inventory",
        metavar="FILE",
        help="A node: a file of nicfleet record or of inspect -o json, a host tree, or Nodes of kubectl get -o json.",
    ),
]
Namespace = Annotated[str | None, typer.Option(metavar="NAME", help="The coordinator's --namespace.")]
Labels = Annotated[str | None, typer.Option(metavar="MODE", help="The coordinator's --labels: replace or supplement.")]
Templates = Annotated[str | None, typer.Option(metavar="DIR", help="The coordinator's --templates.")]
CniBinDir = Annotated[str | None, typer.Option(metavar="DIR", help="The coordinator's --cni-bin-dir.")]
CniNetworkDir = Annotated[str | None, typer.Option(metavar="DIR", help="The coordinator's --cni-network-dir.")]
OfedInitImage = Annotated[str | None, typer.Option(metavar="IMAGE", help="The coordinator's --ofed-init-image.")]
OpenShift = Annotated[
    bool, typer.Option("--openshift", metavar=NO_VALUE, help="Take the cluster of --inventory for OpenShift.")
]


def register(app: typer.Typer) -> None:
    """Add both commands."""
    app.command(cls=Command)(render)
    app.command(cls=Command)(plan)


def render(
    *,
    filename: Files,
    inventory: Inventories = None,
    openshift: OpenShift = False,
    namespace: Namespace = None,
    templates: Templates = None,
    cni_bin_dir: CniBinDir = None,
    cni_network_dir: CniNetworkDir = None,
    ofed_init_image: OfedInitImage = None,
) -> None:
    """Print the objects that the coordinator would make of policies and networks, without any cluster."""
    from cli.plan import run
    from cli.plan.documents import Unusable

    try:
        settings = _settings(namespace, None, templates, cni_bin_dir, cni_network_dir, ofed_init_image)
        done = run.render(filename, inventory or (), settings, openshift=openshift)
    except Unusable as error:
        refuse(error)
    print(done.yaml)
    for each in done.notes:
        note(each)
    for problem in done.problems:
        print(f"nicfleet: {problem}", file=sys.stderr)
    if done.problems:
        raise typer.Exit(EXIT_PROBLEMS)


def plan(
    *,
    filename: Files,
    inventory: Inventories = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    coordinator: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            envvar="NICFLEET_COORDINATOR",
            help="The coordinator's gRPC server, for the inventories of the nodes.",
        ),
    ] = "",
    ca_file: CaFile = "",
    server_name: ServerName = "",
    token_file: TokenFileName = "",
    insecure: Insecure = False,
    output: Annotated[Output, typer.Option("--output", "-o")] = Output.TABLE,
    no_diff: Annotated[
        bool, typer.Option("--no-diff", metavar=NO_VALUE, help="Name changed objects without showing how they change.")
    ] = False,
    openshift: OpenShift = False,
    namespace: Namespace = None,
    labels: Labels = None,
    templates: Templates = None,
    cni_bin_dir: CniBinDir = None,
    cni_network_dir: CniNetworkDir = None,
    ofed_init_image: OfedInitImage = None,
) -> None:
    """Say what applying policies and networks would do. Nothing is written.

    Exit code 0: nothing would change. 1: something would. 2: something would not be carried out as asked, or the
    input cannot be used.
    """
    from cli.access import AccessUnusable, to_coordinator
    from cli.plan import run
    from cli.plan.documents import Unusable
    from coordinator.kube.session import ConfigurationError

    try:
        settings = _settings(namespace, labels, templates, cni_bin_dir, cni_network_dir, ofed_init_image)
        if inventory:
            _require_offline(kubeconfig, context, coordinator)
            report = run.plan_offline(filename, inventory, settings, openshift=openshift)
        else:
            told_by = None
            if coordinator:
                told_by = to_coordinator(
                    coordinator, ca_file=ca_file, server_name=server_name, token_file=token_file, insecure=insecure
                )
                note(told_by.ignored)
            report = run.plan_live(filename, settings, run.ToCluster(kubeconfig, context, told_by))
    except (AccessUnusable, ConfigurationError, Unusable) as error:
        refuse(error)
    _print(report, output, diffs=not no_diff)
    raise typer.Exit(_exit_code(report))


def _exit_code(report: "Report") -> int:
    from cli.plan.report import Verdict

    return {Verdict.NOTHING: 0, Verdict.CHANGES: EXIT_CHANGES, Verdict.PROBLEMS: EXIT_PROBLEMS}[report.verdict]


def _print(report: "Report", output: Output, *, diffs: bool) -> None:
    if output is Output.JSON:
        from cli.plan.as_json import as_json

        print(as_json(report))
        return
    from rich.console import Console

    from cli.plan.table import render as as_table

    width = None if sys.stdout.isatty() else _WIDEST
    # Without markup and emoji: rich would make pictures of parts of a bus number.
    console = Console(width=width, markup=False, emoji=False, highlight=False)
    console.print(as_table(report, diffs=diffs))


def _settings(
    namespace: str | None,
    labels: str | None,
    templates: str | None,
    cni_bin_dir: str | None,
    cni_network_dir: str | None,
    ofed_init_image: str | None,
) -> "Settings":
    from cli.plan.settings import settings

    flags = {
        "--namespace": namespace,
        "--labels": labels,
        "--templates": templates,
        "--cni-bin-dir": cni_bin_dir,
        "--cni-network-dir": cni_network_dir,
        "--ofed-init-image": ofed_init_image,
    }
    return settings(flags, os.environ)


def _require_offline(*live: str | None) -> None:
    from cli.plan.documents import Unusable

    if any(live):
        raise Unusable(
            "--inventory is for a plan without a cluster, and --kubeconfig, --context and --coordinator for one with: "
            "give either"
        )
