"""What the demo shows of nodes, labels and states."""

import io
from typing import Any

import pytest
from rich.console import Console

from demo.board import Board, NodeRow, StateRow, Tables, board, changes, is_labelled, is_ready, short
from demo.latency import percentile
from nicfleet import names
from nicfleet.v1 import inventory_pb2, view_pb2

NODE = NodeRow("worker-1", "connected", "ConnectX-5", "inbox", "mofed.wait pci-15b3", 7)


def policy(generation: int = 2, observed: int = 2, status: str = "True") -> dict[str, Any]:
    condition = {"type": "Ready", "status": status, "observedGeneration": observed}
    return {"metadata": {"generation": generation}, "status": {"conditions": [condition]}}


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        pytest.param({}, False, id="no-policy-yet"),
        pytest.param({"metadata": {"generation": 2}}, False, id="no-status-yet"),
        pytest.param(policy(observed=1), False, id="an-older-spec-was-ready"),
        pytest.param(policy(status="False"), False, id="not-ready"),
        pytest.param(policy(), True, id="ready"),
    ],
)
def test_ready_means_the_generation_applied(shown: dict[str, Any], expected: bool) -> None:
    assert is_ready(shown, generation=2) is expected


CONNECTED = view_pb2.NodeSummary(connection=view_pb2.CONNECTION_CONNECTED, labels_in_step=True)


@pytest.mark.parametrize(
    ("summaries", "expected"),
    [
        pytest.param([], False, id="no-node-known-yet"),
        pytest.param([CONNECTED, view_pb2.NodeSummary(labels_in_step=True)], False, id="one-agent-missing"),
        pytest.param(
            [view_pb2.NodeSummary(connection=view_pb2.CONNECTION_CONNECTED)], False, id="labels-not-written-yet"
        ),
        pytest.param([CONNECTED, CONNECTED], True, id="all"),
    ],
)
def test_labelled_means_every_node(summaries: list[view_pb2.NodeSummary], expected: bool) -> None:
    assert is_labelled(summaries) is expected


def test_labels_are_short_and_only_nicfleets() -> None:
    labels = {
        names.NIC_LABEL: "true",
        names.WAIT_LABEL: "false",
        names.GENERATION_PREFIX + "connectx-5": "true",
        names.KERNEL_LABEL: "6.8.0-60-generic",
        "kubernetes.io/os": "linux",
    }

    assert short(labels) == "pci-15b3 mofed.wait=false nic.connectx-5"


def test_the_board_joins_the_fleet_the_nodes_and_the_status() -> None:
    summary = view_pb2.NodeSummary(
        name="worker-1",
        connection=view_pb2.CONNECTION_NOT_REPORTED,
        models=["ConnectX-5", "ConnectX-7"],
        driver_flavour=inventory_pb2.FLAVOUR_OFED,
        driver_version="24.10-1.1.4",
    )
    labels = {names.NIC_LABEL: "true", names.KERNEL_LABEL: "6.8.0-60-generic", "kubernetes.io/os": "linux"}
    status = {"appliedStates": [{"name": "state-OFED", "state": "notReady", "message": "held"}]}

    shown = board([summary], {"worker-1": labels}, {"status": status})

    assert shown == Board(
        nodes=(NodeRow("worker-1", "not reported", "ConnectX-5, ConnectX-7", "ofed 24.10-1.1.4", "pci-15b3", 2),),
        states=(StateRow("state-OFED", "notReady", "held"),),
    )


def on_screen(shown: Board, width: int = 80, height: int = 24) -> list[str]:
    console = Console(width=width, height=height, file=io.StringIO())
    console.print(Tables(shown))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_the_tables_show_states_asked_for_and_then_nodes() -> None:
    lines = on_screen(Board((NODE,), (StateRow("state-OFED", "ready", ""), StateRow("state-X", "ignore", ""))))

    assert [line.rstrip() for line in lines] == [
        "State              Why",
        "state-OFED  ready",
        "",
        "Node      Agent      Labels  Cards       Driver",
        "worker-1  connected  7 wait  ConnectX-5  inbox",
    ]


REASON = "RollingOut: mofed-ubuntu22.04-ds: 0 of 2 pods available on connectx-5, connectx-6-infiniband. "
STATES = (
    *("state-multus-cni", "state-container-networking-plugins", "state-whereabouts-cni"),
    *("state-OFED", "state-RDMA-device-plugin", "state-nv-ipam-cni"),
)
LABELS = "mofed.wait=false " + " ".join(f"pci-15b3.{number}" for number in range(15))
NODES = ("connectx-5", "connectx-6-infiniband", "connectx-6-lx", "this-machine")


@pytest.mark.parametrize("reason", [pytest.param("", id="ready"), REASON, pytest.param(6 * REASON, id="long reasons")])
def test_every_state_and_node_is_on_a_screen_of_80_by_24(reason: str) -> None:
    nodes = (NodeRow(name, "connected", "ConnectX-5, ConnectX-7", "ofed 24.10-1.1.4.0", LABELS, 16) for name in NODES)
    states = (StateRow(name, "notReady", reason) for name in STATES)

    lines = on_screen(Board(tuple(nodes), tuple(states)))

    assert len(lines) <= 24
    for name in STATES:
        assert any(line.startswith(f"{name} ") and "notReady" in line and reason[:20] in line for line in lines)
    for name in NODES:
        assert any(line.startswith(f"{name} ") and "connected" in line and "16 wait=false" in line for line in lines)


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        pytest.param(Board((NODE,)), Board((NODE,)), [], id="nothing-new"),
        pytest.param(
            Board(),
            Board((NODE,)),
            ["worker-1: connected; ConnectX-5; driver inbox; labels +mofed.wait +pci-15b3"],
            id="a-new-node",
        ),
        pytest.param(
            Board((NODE,)),
            Board((NodeRow("worker-1", "connected", "ConnectX-5", "ofed", "mofed.wait=false pci-15b3", 7),)),
            ["worker-1: driver ofed; labels +mofed.wait=false -mofed.wait"],
            id="only-what-changed",
        ),
        pytest.param(Board(), Board((), (StateRow("a", "ignore", ""),)), [], id="a-state-never-asked-for"),
        pytest.param(
            Board((), (StateRow("a", "notReady", "x"),)),
            Board((), (StateRow("a", "ignore", ""),)),
            ["a: ignore"],
            id="a-state-no-longer-asked-for",
        ),
    ],
)
def test_a_log_tells_what_is_new(before: Board, after: Board, lines: list[str]) -> None:
    assert list(changes(before, after)) == lines


def test_a_percentile_is_a_measured_value() -> None:
    measured = [float(value) for value in range(50, 0, -1)]

    assert (percentile(measured, 50), percentile(measured, 99)) == (25.0, 50.0)
