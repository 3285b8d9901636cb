"""The network of both nodes: one bridge, no kube-proxy. What Services need is on addresses of this machine.

Each node has the bridge `nicfleet0`: the first one this machine's, the second one its own, joined to it by a cable. The
pods of both are in one subnet, so nothing is routed. The kernels that this is to run on lack what kube-proxy needs, so
the two virtual addresses that count are on the first bridge: the API server's, from which TCP is passed on to where
it really listens, and the DNS server's. Other Services have no virtual address that answers; ours is headless.
"""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.controlplane.process import Process

BRIDGE: Final = "nicfleet0"
CABLE: Final = "nicfleet0-2"
PODS: Final = "10.77.0.0/16"
PREFIX: Final = 16
SERVICES: Final = "10.0.0.0/24"
API_ADDRESS: Final = "10.0.0.1"
DNS_ADDRESS: Final = "10.0.0.10"
DOMAIN: Final = "cluster.local"
NAMED: Final = Path("/run/netns")
"""Where ip(8) has the network namespaces that have a name."""

_PREFIX: Final = "nicfleet-e2e-"
"""Of their names."""


@dataclass(frozen=True, slots=True)
class Place:
    """A node's part of the subnet."""

    number: int

    @property
    def address(self) -> str:
        """The node's own, that of its bridge."""
        return f"10.77.0.{self.number}"

    @property
    def mac(self) -> str:
        """Of its bridge. One that is not told its address takes that of a port, and another one when ports change."""
        return f"02:77:00:00:00:{self.number:02x}"

    def cni(self, folder: Path) -> Mapping[str, Any]:
        """The network of its pods, for /etc/cni/net.d."""
        addresses = {
            "subnet": PODS,
            "rangeStart": f"10.77.{self.number}.10",
            "rangeEnd": f"10.77.{self.number}.250",
            "gateway": Place(1).address,
        }
        ipam = {
            "type": "host-local",
            "dataDir": str(folder),
            "ranges": [[addresses]],
            "routes": [{"dst": SERVICES}],
        }
        return {
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [{"type": "bridge", "bridge": BRIDGE, "ipam": ipam}],
        }


def add_bridge() -> None:
    """The bridge on this machine, with the addresses of the first node and of both Services."""
    remove()
    _ip("link", "add", BRIDGE, "address", Place(1).mac, "type", "bridge")
    _ip("address", "add", f"{Place(1).address}/{PREFIX}", "dev", BRIDGE)
    for address in (API_ADDRESS, DNS_ADDRESS):
        _ip("address", "add", f"{address}/32", "dev", BRIDGE)
    _ip("link", "set", BRIDGE, "up")


def remove() -> None:
    """What is on this machine of this run, or of one that was killed. The cable goes with the other node's network."""
    for name in (CABLE, BRIDGE):
        subprocess.run(["ip", "link", "delete", name], check=False, capture_output=True)
    for netns in NAMED.glob(f"{_PREFIX}*"):
        _ip("netns", "delete", netns.name)


def join(place: Place, process: int) -> None:
    """A bridge in the network namespace of a process, joined to this machine's."""
    inside = f"nsenter --net --target={process} --".split()
    _ip("link", "add", CABLE, "type", "veth", "peer", "name", "cable", "netns", str(process))
    _ip("link", "set", CABLE, "master", BRIDGE, "up")
    for words in (
        f"link add {BRIDGE} address {place.mac} type bridge",
        f"address add {place.address}/{PREFIX} dev {BRIDGE}",
        f"link set cable master {BRIDGE} up",
        f"link set {BRIDGE} up",
        f"route add {SERVICES} via {Place(1).address}",
    ):
        _run(*inside, "ip", *words.split())


def forwarder(to: str, log: Path) -> Process:
    """Passes connections to the API server's virtual address on to where it listens, HOST:PORT."""
    command = [sys.executable, "-m", "tests.e2e.forward", f"{API_ADDRESS}:443", to]
    return Process("forwarder", command, log)


def corefile(kubeconfig: Path) -> str:
    """CoreDNS's configuration: the cluster's own names and no other."""
    return f"""\
{DOMAIN}:53 {{
    bind {DNS_ADDRESS}
    errors
    kubernetes {DOMAIN} {{
        kubeconfig {kubeconfig}
        ttl 1
    }}
}}
"""


def dns_answers(name: str) -> bool:
    """Whether the DNS server knows a name."""
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + question + b"\x00\x00\x01\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(1)
        try:
            asking.sendto(query, (DNS_ADDRESS, 53))
            answer = asking.recv(512)
        except OSError:
            return False
    return answer[3] & 0x0F == 0 and answer[7] > 0


def links(process: int) -> list[str]:
    """The interfaces that a process sees."""
    shown = _run(*f"nsenter --net --target={process} -- ip -json link".split())
    return [link["ifname"] for link in json.loads(shown)]


def _ip(*arguments: str) -> str:
    return _run("ip", *arguments)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def netns_of(process: int) -> Iterator[str]:
    """A name, as ip(8) knows it, for the network namespace of a process."""
    name = f"{_PREFIX}{process}"
    _ip("netns", "attach", name, str(process))
    try:
        yield name
    finally:
        _ip("netns", "delete", name)
