"""What `helm test` runs in the coordinator's image: does the coordinator tell the truth, and do agents reach it?

Arguments: its gRPC address, the URL of its HTTP side, how many seconds to wait for what is not so yet, and over TLS two
files: of the authorities to trust, and of a token to show. Exit code 1, after one sentence, for what is not so then.
"""

# ruff: noqa: T201  a command line prints

import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from nicfleet.channel import NotDialled, Tls, credentials, host_of, shown, why_unreachable
from nicfleet.token_file import TokenFile
from nicfleet.v1 import view_pb2, view_pb2_grpc

DEADLINE = 10.0
LEADER = "nicfleet-leader"
"""In the trailing metadata of a coordinator on standby: HOST:PORT of the one that leads."""


def trouble(address: str, url: str, tls: Tls | None) -> str:
    """What is wrong now; "" when nothing is."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=DEADLINE):
            pass
    except urllib.error.HTTPError as error:
        return f"{url}/readyz says {error.code}: {error.read().decode(errors='replace').strip()}"
    except OSError as error:
        return f"{url}/readyz does not answer: {error}"
    return trouble_at(address, tls)


def trouble_at(address: str, tls: Tls | None, *, asked_another: bool = False) -> str:
    """The same of one coordinator, or of the one that leads when this one is on standby."""
    try:
        with channel_to(address, tls) as channel:
            asked = health_pb2.HealthCheckRequest()
            health = health_pb2_grpc.HealthStub(channel).Check(asked, timeout=DEADLINE)
            if health.status != health_pb2.HealthCheckResponse.SERVING:
                return f"gRPC health of {address} is {health_pb2.HealthCheckResponse.ServingStatus.Name(health.status)}"
            return unconnected(view_pb2_grpc.FleetViewStub(channel), tls)
    except NotDialled as error:
        return str(error)
    except grpc.RpcError as error:
        leader = [str(each.value) for each in error.trailing_metadata() or () if each.key == LEADER]
        if leader and not asked_another:
            return trouble_at(leader[0], tls, asked_another=True)
        said = f"{address} does not answer: {error.code().name} {error.details()}"
        meaning = why_unreachable(error.details() or "", tls)
        return f"{said}: {meaning}" if meaning else said


def channel_to(address: str, tls: Tls | None) -> grpc.Channel:
    """Raises NotDialled."""
    if tls is None:
        return grpc.insecure_channel(address)
    return grpc.secure_channel(address, credentials(tls), (("grpc.ssl_target_name_override", tls.server_name),))


def unconnected(view: view_pb2_grpc.FleetViewStub, tls: Tls | None) -> str:
    """Whether there are nodes and none of them has an agent that is connected; prints how many have."""
    nodes: list[view_pb2.NodeSummary] = []
    token = ""
    while True:
        request = view_pb2.ListNodesRequest(page_token=token)
        page = view.ListNodes(request, timeout=DEADLINE, metadata=shown(tls))
        nodes += page.nodes
        token = page.next_page_token
        if not token:
            break
    connected = sum(node.connection == view_pb2.CONNECTION_CONNECTED for node in nodes)
    print(f"{connected} of {len(nodes)} nodes have an agent that is connected", flush=True)
    return "no agent reaches the coordinator" if nodes and not connected else ""


def main(address: str, url: str, patience: str, ca_file: str = "", token_file: str = "") -> int:
    """Look again every two seconds until nothing is wrong."""
    token = TokenFile(Path(token_file)) if token_file else None
    tls = Tls(Path(ca_file), host_of(address), token) if ca_file else None
    end = time.monotonic() + float(patience)
    while said := trouble(address, url, tls):
        print(said, flush=True)
        if time.monotonic() > end:
            return 1
        time.sleep(2)
    print("the coordinator is ready")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
