"""Options that several commands have."""

from typing import Annotated

import typer

from cli.help import NO_VALUE

CaFile = Annotated[
    str,
    typer.Option(
        metavar="FILE", envvar="NICFLEET_CA_FILE", help="PEM of the authority of the coordinator's certificate."
    ),
]
ServerName = Annotated[
    str,
    typer.Option(
        metavar="NAME", envvar="NICFLEET_SERVER_NAME", help="Name that certificate is for; else --coordinator's."
    ),
]
TokenFileName = Annotated[
    str,
    typer.Option(
        metavar="FILE", envvar="NICFLEET_TOKEN_FILE", help="Token to show; through a port-forward none is needed."
    ),
]
Insecure = Annotated[
    bool,
    typer.Option("--insecure", metavar=NO_VALUE, envvar="NICFLEET_INSECURE", help="Plaintext to the coordinator."),
]
Kubeconfig = Annotated[
    str | None, typer.Option(metavar="FILE", help="As kubectl's; else KUBECONFIG, else ~/.kube/config.")
]
Context = Annotated[str | None, typer.Option(metavar="NAME", help="One of the kubeconfig's contexts.")]
