"""The API server goes away, comes back, and forgets; people look meanwhile."""

import json
import subprocess
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from nicfleet import names
from nicfleet.v1 import fleet_pb2, fleet_pb2_grpc, view_pb2
from tests.controlplane.components import APISERVER
from tests.controlplane.tools import ensure_tools
from tests.integration.system.fleet import INBOX, WITH_DRIVER
from tests.integration.system.product import Product, sections
from tests.integration.system.waiting import eventually

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
REPORT = "/nicfleet.v1.Fleet/Report"


@pytest.fixture(scope="module", autouse=True)
def _ready(product: Product) -> None:
    product.coordinator.start()
    product.register("node")
    product.simulated.report("node", WITH_DRIVER)
    product.apply(**sections("ofedDriver"))
    _wait_until_at_rest(product)


def _wait_until_at_rest(product: Product) -> None:
    """Nothing is left to be written: what a status says may be ahead of the labels."""
    product.wait_ready()
    eventually(lambda: product.api.labels("node")[names.DRIVER_FLAVOUR_LABEL] == "ofed")
    eventually(lambda: product.api.labels("node")[names.WAIT_LABEL] == "false")
    eventually(lambda: product.api.condition("Verified")["status"] == "True")


@pytest.fixture(scope="module")
def grpcurl() -> Path:
    return ensure_tools(["grpcurl"], print)["grpcurl"]


def test_grpcurl_needs_no_proto_file(product: Product, grpcurl: Path) -> None:
    services = _run(grpcurl, product, "list").split()
    nodes = json.loads(_run(grpcurl, product, "nicfleet.v1.FleetView/ListNodes"))["nodes"]

    assert {"nicfleet.v1.Fleet", "nicfleet.v1.FleetView", "grpc.health.v1.Health"} <= set(services)
    (node,) = nodes
    assert (node["name"], node["connection"]) == ("node", "CONNECTION_CONNECTED")
    assert node["labels"][names.NIC_LABEL] == "true"


def test_health_tells_the_truth(product: Product) -> None:
    """Reachable means answering: a server whose sockets are open and that says nothing is away."""
    eventually(lambda: _health(product) == SERVING)  # it is told once a second

    product.plane.pause(APISERVER)
    try:
        product.simulated.report("node", INBOX)  # something to write, and hence a request
        eventually(lambda: _health(product) == NOT_SERVING)
        assert not product.coordinator.ready
    finally:
        product.plane.resume(APISERVER)

    eventually(lambda: _health(product) == SERVING)
    eventually(lambda: product.api.labels("node")[names.DRIVER_FLAVOUR_LABEL] == "inbox")
    eventually(lambda: product.api.status()["state"] == "notReady")
    product.simulated.report("node", WITH_DRIVER)
    _wait_until_at_rest(product)


def test_a_restarted_api_server_costs_no_write_and_no_change_is_missed(product: Product) -> None:
    """Its watch cache is gone, and with it every position that we could go on from."""
    product.audit.mark()
    product.plane.restart_apiserver()
    eventually(lambda: product.coordinator.ready)
    assert product.audit.writes() == []

    product.simulated.report("node", INBOX)
    eventually(lambda: product.api.labels("node")[names.DRIVER_FLAVOUR_LABEL] == "inbox")
    eventually(lambda: product.api.status()["state"] == "notReady")
    assert product.audit.objects() == []
    product.simulated.report("node", WITH_DRIVER)
    product.wait_ready()


def test_a_report_that_makes_no_sense_is_refused_in_a_sentence(product: Product) -> None:
    """And harms no other agent."""
    sentence = "the message is not of nicfleet.v1"
    with grpc.insecure_channel(product.coordinator.address) as channel:
        say: Any = channel.stream_stream(REPORT)  # as bytes, both ways
        answer = fleet_pb2.ReportResponse.FromString(next(say(iter([b"\xff\xff\xff"]))))

    assert answer.refused.message == sentence
    assert product.node("node").connection == view_pb2.CONNECTION_CONNECTED
    eventually(lambda: product.coordinator.logged("agent refused")[-1]["why"] == sentence)


def test_a_stranger_that_claims_no_possible_node_is_refused(product: Product) -> None:
    hello = fleet_pb2.Hello(protocol=1, node_name="../etc", instance_id="x")
    with grpc.insecure_channel(product.coordinator.address) as channel:
        answers = fleet_pb2_grpc.FleetStub(channel).Report(iter([fleet_pb2.ReportRequest(hello=hello)]))
        assert next(answers).refused.message == "hello.node_name '../etc' is not the name of a Kubernetes Node"


def _run(grpcurl: Path, product: Product, *arguments: str) -> str:
    command = [str(grpcurl), "-plaintext", product.coordinator.address, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _health(product: Product) -> "health_pb2.HealthCheckResponse.ServingStatus.ValueType":
    with grpc.insecure_channel(product.coordinator.address) as channel:
        return health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=60).status
