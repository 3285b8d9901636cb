"""The whole agent, as its own process, on a host tree."""

import asyncio
import json
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from nicfleet.v1 import fleet_pb2, view_pb2, view_pb2_grpc
from tests import hosts
from tests.host_tree import HostTree
from tests.integration.agent.fleet_server import SECONDS, Stream, fleet_server

NODE = "worker-1"
FIRST, SECOND = "function/0000:3b:00.0", "function/0000:3b:00.1"
NOBODY = "127.0.0.1:9"


Line = dict[str, object]


class Agent:
    """A running agent."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._heard: list[Line] = []

    async def said(self, message: str) -> Line:
        """The first line of its log with this message, once it is there."""
        assert self.process.stdout is not None
        async with asyncio.timeout(SECONDS):
            while not (found := [line for line in self._heard if line["message"] == message]):
                text = await self.process.stdout.readline()
                assert text, f"it ended without {message!r}: {self._heard}"
                self._heard.append(json.loads(text))
        return found[0]

    async def address(self) -> str:
        """Where it serves its view."""
        return f"127.0.0.1:{(await self.said('agent started'))['port']}"

    async def stop(self) -> list[Line]:
        """Stop it as the kubelet does; gives its log."""
        self.process.terminate()
        output, errors = await asyncio.wait_for(self.process.communicate(), SECONDS)
        assert (self.process.returncode, errors.decode()) == (0, "")
        return self._heard + [json.loads(line) for line in output.splitlines()]


@asynccontextmanager
async def agent(host_root: Path, coordinator: str) -> AsyncIterator[Agent]:
    flags = [f"--node-name={NODE}", f"--coordinator={coordinator}", f"--host-root={host_root}"]
    command = [sys.executable, "-m", "agent", "--insecure", "--grpc-listen=127.0.0.1:0", *flags]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    try:
        yield Agent(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    hosts.connectx5(tmp_path)
    return HostTree(tmp_path)


async def greeted(stream: Stream) -> list[str]:
    """Welcome an agent that is new here, and take its first update."""
    manifest = (await stream.receive()).hello.manifest
    names = [entry.name for entry in manifest.sections]
    await stream.welcome(*names)
    update = (await stream.receive()).update
    assert [section.name for section in update.sections] == names
    return names


async def update_in_which(stream: Stream, holds: Callable[[fleet_pb2.Update], bool]) -> fleet_pb2.Update:
    """The first one like that: the tree changes file by file, and the agent may look in between."""
    while True:
        message = await stream.receive()
        if message.HasField("update") and holds(message.update):
            return message.update


def listed(update: fleet_pb2.Update) -> list[str]:
    """The names of all sections that there are."""
    return [entry.name for entry in update.manifest.sections]


async def test_hardware_that_comes_and_goes_reaches_the_coordinator(tree: HostTree) -> None:
    functions = len(tree.names("sys/bus/pci/devices"))
    async with fleet_server() as fleet, agent(tree.root, fleet.address) as running:
        stream = await fleet.stream()
        assert await greeted(stream) == ["node", "driver", FIRST, SECOND]

        began = monotonic()
        tree.remove_function("0000:3b:00.1")
        update = await update_in_which(stream, lambda update: SECOND not in listed(update))
        assert listed(update) == ["node", "driver", FIRST]
        assert monotonic() - began >= 0.2, "a removal is confirmed first"

        tree.add_pf("0000:3b:00.1", 0x1017, netdev="ens2f1")
        update = await update_in_which(stream, lambda update: SECOND in listed(update))
        assert SECOND in [section.name for section in update.sections]

        log = await running.stop()
    messages = [line["message"] for line in log]
    assert [line["pci_functions"] for line in log if line["message"] == "agent started"] == [functions]
    assert messages.count("device removed") == 1
    assert messages.count("device added") == 3
    assert messages[-1] == "agent stopped"


async def test_without_a_coordinator_the_local_view_works_and_tells_the_truth(tree: HostTree) -> None:
    async with agent(tree.root, NOBODY) as running, grpc.aio.insecure_channel(await running.address()) as channel:
        view: Any = view_pb2_grpc.NodeViewStub(channel)
        watch = view.WatchInventory(view_pb2.WatchInventoryRequest(), wait_for_ready=True, timeout=SECONDS)
        first = await watch.read()
        assert [function.address for function in first.inventory.functions] == ["0000:3b:00.0", "0000:3b:00.1"]

        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", "nicfleet.v1.NodeView"):
            states = health.Watch(health_pb2.HealthCheckRequest(service=service), timeout=SECONDS)
            while (await states.read()).status != health_pb2.HealthCheckResponse.SERVING:
                pass  # it follows the first inventory
            states.cancel()

        tree.write("sys/bus/pci/devices/0000:3b:00.0/net/ens2f0/operstate", "down")
        second = first
        while second.inventory.functions[0].netdevs[0].operstate != "down":  # a file that is written is empty first
            second = await watch.read()
        latest = await view.GetInventory(view_pb2.GetInventoryRequest())
        assert latest.inventory == second.inventory
        await running.said("coordinator not reachable")
        log = await running.stop()
    assert [line["message"] for line in log if line["logger"] == "agent.report"] == ["coordinator not reachable"]


async def test_reflection_lists_what_is_served(tree: HostTree) -> None:
    async with agent(tree.root, NOBODY) as running, grpc.aio.insecure_channel(await running.address()) as channel:
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = reflection.ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")]), wait_for_ready=True, timeout=SECONDS
        )
        answer = await call.read()
        names = {service.name for service in answer.list_services_response.service}
        assert {"nicfleet.v1.NodeView", "grpc.health.v1.Health"} <= names


async def test_an_address_in_use_ends_in_one_sentence(tree: HostTree) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = ["--insecure", "--node-name", NODE, "--coordinator", NOBODY, "--host-root", str(tree.root)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "agent", *command, "--grpc-listen", address, stdout=PIPE, stderr=PIPE
        )
        _, errors = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode == 1
    assert errors.decode().startswith(f"nicfleet-agent: --grpc-listen {address}: the address is in use")
    assert errors.count(b"\n") == 1


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(("--no-such-flag",), id="unknown-flag"),
        pytest.param(
            ("--insecure", "--node-name=a", "--coordinator=a:1", "--host-root=/no/such"), id="host-root-does-not-exist"
        ),
    ],
)
async def test_a_wrong_flag_is_one_sentence_and_exit_code_2(flags: tuple[str, ...]) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "agent", *flags, stdout=PIPE, stderr=PIPE)
    output, errors = await asyncio.wait_for(process.communicate(), SECONDS)
    assert (process.returncode, output) == (2, b"")
    assert errors.startswith(b"nicfleet-agent: ")
    assert errors.count(b"\n") == 1
