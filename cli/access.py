"""How a command reaches a cluster and its coordinator: where they are, whom to trust, what to show."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nicfleet.channel import Tls, host_of
from nicfleet.flags import IN_PLAINTEXT, is_host_port
from nicfleet.token_file import TokenFile

_KUBECONFIG: Final = "~/.kube/config"


class AccessUnusable(ValueError):
    """The flags cannot be used; the text is one sentence for the person who gave them."""


@dataclass(frozen=True, slots=True)
class ToCoordinator:
    """HOST:PORT, and how to speak there; `tls` None: in plaintext."""

    address: str
    tls: Tls | None
    ignored: str = ""
    """A sentence about flags that mean nothing in plaintext, if there are any."""


def to_coordinator(
    address: str, *, ca_file: str = "", server_name: str = "", token_file: str = "", insecure: bool = False
) -> ToCoordinator:
    """As the flags of these names say; empty: not given. Raises AccessUnusable."""
    if not is_host_port(address):
        raise AccessUnusable(f"--coordinator is {address!r}: give HOST:PORT, for example 127.0.0.1:7444")
    if insecure:
        flags = {"--ca-file": ca_file, "--server-name": server_name, "--token-file": token_file}
        given = ", ".join(flag for flag, value in flags.items() if value)
        return ToCoordinator(address, None, f"ignored: {given}: {IN_PLAINTEXT}" if given else "")
    if not ca_file:
        raise AccessUnusable(
            "--ca-file is not given: give what `kubectl get configmap nicfleet-ca -o 'jsonpath={.data.ca\\.crt}'` "
            "prints in the coordinator's namespace, or --insecure to accept plaintext"
        )
    token = TokenFile(Path(token_file)) if token_file else None
    return ToCoordinator(address, Tls(Path(ca_file), server_name or host_of(address), token))


def kubeconfig(flag: str | None, environment: Mapping[str, str]) -> Path:
    """As kubectl has it: the flag, KUBECONFIG (several files), the file in the home directory."""
    return Path(flag or environment.get("KUBECONFIG") or _KUBECONFIG).expanduser()
