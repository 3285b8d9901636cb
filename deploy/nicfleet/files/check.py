"""What `helm test` runs in the coordinator's image: does the coordinator tell the truth, and do agents reach it?

Arguments: its gRPC address, the URL of its HTTP side, and how many seconds to wait for what is not so yet. Exit code 1,
after one sentence, for what is not so then.
"""

# ruff: noqa: T201  a command line prints

import sys
import time
import urllib.error
import urllib.request

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from nicfleet.v1 import view_pb2, view_pb2_grpc

DEADLINE = 10.0


def trouble(address: str, url: str) -> str:
    """What is wrong now; "" when nothing is."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=DEADLINE):
            pass
    except urllib.error.HTTPError as error:
        return f"{url}/readyz says {error.code}: {error.read().decode(errors='replace').strip()}"
    except OSError as error:
        return f"{url}/readyz does not answer: {error}"
    with grpc.insecure_channel(address) as channel:
        try:
            asked = health_pb2.HealthCheckRequest()
            health = health_pb2_grpc.HealthStub(channel).Check(asked, timeout=DEADLINE, wait_for_ready=True)
            if health.status != health_pb2.HealthCheckResponse.SERVING:
                return f"gRPC health of {address} is {health_pb2.HealthCheckResponse.ServingStatus.Name(health.status)}"
            return unconnected(view_pb2_grpc.FleetViewStub(channel))
        except grpc.RpcError as error:
            return f"{address} does not answer: {error.code().name} {error.details()}"


def unconnected(view: view_pb2_grpc.FleetViewStub) -> str:
    """Whether there are nodes and none of them has an agent that is connected; prints how many have."""
    nodes: list[view_pb2.NodeSummary] = []
    token = ""
    while True:
        page = view.ListNodes(view_pb2.ListNodesRequest(page_token=token), timeout=DEADLINE)
        nodes += page.nodes
        token = page.next_page_token
        if not token:
            break
    connected = sum(node.connection == view_pb2.CONNECTION_CONNECTED for node in nodes)
    print(f"{connected} of {len(nodes)} nodes have an agent that is connected", flush=True)
    return "no agent reaches the coordinator" if nodes and not connected else ""


def main(address: str, url: str, patience: str) -> int:
    """Look again every two seconds until nothing is wrong."""
    end = time.monotonic() + float(patience)
    while said := trouble(address, url):
        print(said, flush=True)
        if time.monotonic() > end:
            return 1
        time.sleep(2)
    print("the coordinator is ready")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
