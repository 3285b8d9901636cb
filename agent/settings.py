"""What the agent is told: flags, each also from the environment. Read once, then a frozen value."""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from nicfleet import names
from nicfleet.inventory import NodeName

_PREFIX: Final = "NICFLEET_"
_LEVELS: Final = ("debug", "info", "warning", "error")
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
# RFC 1123 subdomain: what Kubernetes allows as the name of a Node.
_NODE_NAME: Final = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_HOST_PORT: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):(?P<port>[0-9]{1,5})")


class InvalidSettings(ValueError):
    """A flag or variable that cannot be used; the text is one sentence for the person who set it."""


@dataclass(frozen=True, slots=True)
class Settings:
    node_name: NodeName
    coordinator: str
    """HOST:PORT."""
    host_root: Path
    grpc_listen: str
    """HOST:PORT of the agent's own server; port 0 takes a free one."""
    log_level: str


def read(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Settings from the command line, and from `NICFLEET_…` for what it leaves out.

    Raises InvalidSettings. `--help` prints and exits, as usual.
    """
    given = _parser(environment).parse_args(arguments)
    if not given.insecure:
        raise InvalidSettings(
            "this version speaks plaintext only: give --insecure (or NICFLEET_INSECURE=true) to accept that"
        )
    if not _NODE_NAME.fullmatch(given.node_name):
        raise InvalidSettings(
            f"--node-name is {given.node_name!r}: give the name of this machine's Kubernetes Node, for example worker-1"
        )
    if not is_host_port(given.coordinator):
        raise InvalidSettings(f"--coordinator is {given.coordinator!r}: give HOST:PORT, for example nicfleet:7444")
    if not is_host_port(given.grpc_listen):
        raise InvalidSettings(f"--grpc-listen is {given.grpc_listen!r}: give HOST:PORT, for example 127.0.0.1:7443")
    if given.log_level not in _LEVELS:
        raise InvalidSettings(f"--log-level is {given.log_level!r}: give one of {', '.join(_LEVELS)}")
    return Settings(
        node_name=NodeName(given.node_name),
        coordinator=given.coordinator,
        host_root=Path(given.host_root),
        grpc_listen=given.grpc_listen,
        log_level=given.log_level,
    )


def is_host_port(text: str) -> bool:
    """Whether the text is HOST:PORT, an IPv6 host in brackets."""
    match = _HOST_PORT.fullmatch(text)
    return match is not None and int(match["port"]) < 1 << 16


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidSettings(message)


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="nicfleet-agent",
        description="Reports this machine's NVIDIA/Mellanox NICs to the nicfleet coordinator.",
        allow_abbrev=False,
    )

    def option(flag: str, default: str, text: str) -> None:
        variable = _PREFIX + flag.removeprefix("--").replace("-", "_").upper()
        value = environment.get(variable, default)
        parser.add_argument(flag, default=value, help=f"{text} ({variable}; now {value!r})")

    option("--node-name", "", "name of the Kubernetes Node that this machine is")
    option("--coordinator", "", "HOST:PORT of the coordinator")
    option("--host-root", "/", "root of the host's file system, or a recorded host")
    option("--grpc-listen", f"127.0.0.1:{names.AGENT_PORT}", "HOST:PORT to serve the node's inventory on")
    option("--log-level", "info", f"one of {', '.join(_LEVELS)}")
    parser.add_argument(
        "--insecure",
        action="store_true",
        default=environment.get(_PREFIX + "INSECURE", "").lower() in _TRUE,
        help="plaintext to the coordinator and from the own server (NICFLEET_INSECURE)",
    )
    return parser
