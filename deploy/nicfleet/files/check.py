"""What `helm test` runs in the coordinator's image: does the coordinator tell the truth, and does every agent reach it?

Arguments: its gRPC address, the URL of its HTTP side, how many seconds to wait for what is not so yet, the agents'
DaemonSet as NAMESPACE/NAME, a folder with the token and the authority of the API server, and over TLS two files: of the
authorities to trust, and of a token to show. Exit code 1, after one sentence, for what is not so then.
"""

# ruff: noqa: T201  a command line prints

import nicfleet.quiet_grpc  # noqa: F401  # before all others, as its own words say

# isort: split
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from nicfleet.channel import NotDialled, Tls, credentials, host_of, shown, why_unreachable
from nicfleet.token_file import TokenFile
from nicfleet.v1 import view_pb2, view_pb2_grpc

DEADLINE = 10.0
LEADER = "nicfleet-leader"
"""In the trailing metadata of a coordinator on standby: HOST:PORT of the one that leads."""
NAMED = 5
"""Nodes, in a sentence."""


@dataclass(frozen=True)
class Agents:
    """Their DaemonSet, as the API server has it."""

    namespace: str
    name: str
    account: Path
    """A folder, as the kubelet mounts it: `token` and `ca.crt`."""

    def wanted(self) -> int:
        """On how many nodes. Raises OSError, also for a count that is not of the DaemonSet as it is now."""
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        token = (self.account / "token").read_text().strip()
        request = urllib.request.Request(
            f"{server}/apis/apps/v1/namespaces/{self.namespace}/daemonsets/{self.name}",
            headers={"Authorization": f"Bearer {token}"},
        )
        trusted = ssl.create_default_context(cafile=self.account / "ca.crt")
        with urllib.request.urlopen(request, timeout=DEADLINE, context=trusted) as answer:
            found = json.load(answer)
        status = found["status"]
        if status.get("observedGeneration", 0) < found["metadata"]["generation"]:
            raise OSError("its controller has not counted its nodes yet")
        return int(status["desiredNumberScheduled"])


def trouble(address: str, url: str, tls: Tls | None, agents: Agents) -> str:
    """What is wrong now; "" when nothing is."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=DEADLINE):
            pass
    except urllib.error.HTTPError as error:
        return f"{url}/readyz says {error.code}: {error.read().decode(errors='replace').strip()}"
    except OSError as error:
        return f"{url}/readyz does not answer: {error}"
    return trouble_at(address, tls, agents)


def trouble_at(address: str, tls: Tls | None, agents: Agents, *, asked_another: bool = False) -> str:
    """The same of one coordinator, or of the one that leads when this one is on standby."""
    try:
        with channel_to(address, tls) as channel:
            asked = health_pb2.HealthCheckRequest()
            health = health_pb2_grpc.HealthStub(channel).Check(asked, timeout=DEADLINE)
            if health.status != health_pb2.HealthCheckResponse.SERVING:
                return f"gRPC health of {address} is {health_pb2.HealthCheckResponse.ServingStatus.Name(health.status)}"
            nodes = nodes_of(view_pb2_grpc.FleetViewStub(channel), tls)
    except NotDialled as error:
        return str(error)
    except grpc.RpcError as error:
        leader = [str(each.value) for each in error.trailing_metadata() or () if each.key == LEADER]
        if leader and not asked_another:
            return trouble_at(leader[0], tls, agents, asked_another=True)
        said = f"{address} does not answer: {error.code().name} {error.details()}"
        meaning = why_unreachable(error.details() or "", tls)
        return f"{said}: {meaning}" if meaning else said
    try:
        return unconnected(nodes, agents.wanted())
    except OSError as error:
        return f"the agents' DaemonSet {agents.namespace}/{agents.name} cannot be read: {error}"


def channel_to(address: str, tls: Tls | None) -> grpc.Channel:
    """Raises NotDialled."""
    if tls is None:
        return grpc.insecure_channel(address)
    return grpc.secure_channel(address, credentials(tls), (("grpc.ssl_target_name_override", tls.server_name),))


def nodes_of(view: view_pb2_grpc.FleetViewStub, tls: Tls | None) -> list[view_pb2.NodeSummary]:
    """All, page by page. Raises grpc.RpcError."""
    nodes: list[view_pb2.NodeSummary] = []
    token = ""
    while True:
        request = view_pb2.ListNodesRequest(page_token=token)
        page = view.ListNodes(request, timeout=DEADLINE, metadata=shown(tls))
        nodes += page.nodes
        token = page.next_page_token
        if not token:
            return nodes


def unconnected(nodes: list[view_pb2.NodeSummary], wanted: int) -> str:
    """Which agents do not reach the coordinator, of those that there should be; prints how many do.

    Without any agent the fleet is empty however well the coordinator works, so that is no success.
    """
    if not wanted:
        return "no node is to have an agent: agent.nodeSelector, agent.affinity and agent.tolerations leave none"
    without = [node.name for node in nodes if node.connection != view_pb2.CONNECTION_CONNECTED]
    connected = len(nodes) - len(without)
    print(f"{connected} of {wanted} agents are connected", flush=True)
    if connected >= wanted:
        return ""
    more = f" and {len(without) - NAMED} more" if len(without) > NAMED else ""
    missing = f"{wanted - connected} of {wanted} agents do not reach the coordinator"
    return f"{missing}; nodes without one: {', '.join(without[:NAMED])}{more}"


def main(
    address: str, url: str, patience: str, daemonset: str, account: str, ca_file: str = "", token_file: str = ""
) -> int:
    """Look again every two seconds until nothing is wrong."""
    namespace, _, name = daemonset.partition("/")
    agents = Agents(namespace, name, Path(account))
    token = TokenFile(Path(token_file)) if token_file else None
    tls = Tls(Path(ca_file), host_of(address), token) if ca_file else None
    end = time.monotonic() + float(patience)
    while said := trouble(address, url, tls, agents):
        print(said, flush=True)
        if time.monotonic() > end:
            return 1
        time.sleep(2)
    print("the coordinator is ready, and all agents reach it")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
