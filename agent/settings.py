"""What the agent is told: flags, each also from the environment. Read once, then a frozen value."""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nicfleet import names
from nicfleet.channel import Tls, host_of
from nicfleet.flags import LOG_LEVELS, Flags, InvalidSettings, is_loopback, require_host_port, require_one_of
from nicfleet.inventory import NodeName
from nicfleet.token_file import TokenFile

# RFC 1123 subdomain: what Kubernetes allows as the name of a Node.
_NODE_NAME: Final = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

_OF_TLS: Final = ("--ca-file", "--server-name", "--token-file")


@dataclass(frozen=True, slots=True)
class Settings:
    node_name: NodeName
    coordinator: str
    """HOST:PORT."""
    tls: Tls | None
    """To the coordinator; None: plaintext."""
    host_root: Path
    grpc_listen: str
    """HOST:PORT of the agent's own server; port 0 takes a free one."""
    log_level: str
    cni_directories: tuple[str, ...] = ()
    """Absolute; where the components put CNI plugins and their configurations."""
    ignored: tuple[str, ...] = ()
    """Flags that mean nothing in plaintext."""


def read(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Settings from the command line, and from `NICFLEET_…` for what it leaves out.

    Raises InvalidSettings. `--help` prints and exits, as usual.
    """
    flags = _flags(environment)
    given = flags.parse(arguments)
    if not _NODE_NAME.fullmatch(given.node_name):
        raise InvalidSettings(
            f"--node-name is {given.node_name!r}: give the name of this machine's Kubernetes Node, for example worker-1"
        )
    coordinator = require_host_port("--coordinator", given.coordinator, "nicfleet:7444")
    return Settings(
        node_name=NodeName(given.node_name),
        coordinator=coordinator,
        tls=None if given.insecure else _tls(given, given.server_name or host_of(coordinator)),
        host_root=Path(given.host_root),
        grpc_listen=_listen(given.grpc_listen, insecure=given.insecure),
        log_level=require_one_of("--log-level", given.log_level, LOG_LEVELS),
        cni_directories=tuple(
            _absolute(flag, path)
            for flag, path in (("--cni-bin-dir", given.cni_bin_dir), ("--cni-network-dir", given.cni_network_dir))
            if path
        ),
        ignored=flags.set_by_hand(given, _OF_TLS) if given.insecure else (),
    )


def _tls(given: argparse.Namespace, server_name: str) -> Tls:
    """Whether the files can be used is seen when the coordinator is dialled: they may come later, and change."""
    if not given.ca_file:
        raise InvalidSettings(
            "--ca-file is not given: give the PEM file of the authority that signs the coordinator's certificate, "
            "or --insecure to accept plaintext"
        )
    return Tls(Path(given.ca_file), server_name, TokenFile(Path(given.token_file)))


def _absolute(flag: str, path: str) -> str:
    if not path.startswith("/"):
        raise InvalidSettings(f"{flag} is {path!r}: give an absolute path, for example /opt/cni/bin")
    return path


def _listen(address: str, *, insecure: bool) -> str:
    """The own server knows plaintext only."""
    if not insecure and not is_loopback(require_host_port("--grpc-listen", address, "127.0.0.1:7443")):
        raise InvalidSettings(
            f"--grpc-listen is {address!r}, where other machines would read the inventory in plaintext: "
            "give an address of loopback, for example 127.0.0.1:7443, or --insecure to accept plaintext"
        )
    return require_host_port("--grpc-listen", address, "127.0.0.1:7443")


def _flags(environment: Mapping[str, str]) -> Flags:
    flags = Flags(
        "nicfleet-agent", "Reports this machine's NVIDIA/Mellanox NICs to the nicfleet coordinator.", environment
    )
    flags.option("--node-name", "", "name of the Kubernetes Node that this machine is")
    flags.option("--coordinator", "", "HOST:PORT of the coordinator")
    flags.option("--ca-file", "", "PEM file of the authorities that the coordinator's certificate may be of")
    flags.option("--server-name", "", "name that certificate must be for; empty: the host of --coordinator")
    flags.option(
        "--token-file", names.AGENT_TOKEN_FILE, "file of the ServiceAccount token that the agent shows over TLS"
    )
    flags.option("--host-root", "/", "root of the host's file system, or a recorded host")
    flags.option("--grpc-listen", f"127.0.0.1:{names.AGENT_PORT}", "HOST:PORT to serve the node's inventory on")
    flags.option("--cni-bin-dir", "", "folder of CNI plugins, to be told of when it is absent", "CNI_BIN_DIR")
    flags.option("--cni-network-dir", "", "folder of CNI configurations, likewise", "CNI_NETWORK_DIR")
    flags.option("--log-level", "info", f"one of {', '.join(LOG_LEVELS)}")
    flags.switch("--insecure", "for development: plaintext to the coordinator, and from the own server on any address")
    return flags
