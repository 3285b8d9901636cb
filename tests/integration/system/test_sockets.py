"""The coordinator's process at its sockets, as a Pod has them; it waits for its API server all the time."""

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from http import HTTPStatus

import aiohttp
import grpc
import pytest
import yaml

from tests.controlplane.loopback import free_ports
from tests.controlplane.process import Process

OPEN_FILES = 64
"""The soft limit that the process is started with."""
AGENTS = 2 * OPEN_FILES
START_SECONDS = 60.0
LOOPBACK = {"127.0.0.1": socket.AF_INET, "[::1]": socket.AF_INET6}


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """gRPC's and HTTP's, of a coordinator that listens where it does if nobody says otherwise."""
    folder = tmp_path_factory.mktemp("coordinator")
    dead, grpc_port, http_port = free_ports(3)
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(_kubeconfig(f"https://127.0.0.1:{dead}")))
    flags = [f"--kubeconfig={kubeconfig}", f"--grpc-listen=0.0.0.0:{grpc_port}", f"--http-listen=0.0.0.0:{http_port}"]
    limited = ["sh", "-c", f'ulimit -S -n {OPEN_FILES} && exec "$@"', "sh"]
    command = [*limited, sys.executable, "-m", "coordinator", "--insecure", *flags]
    process = Process("coordinator", command, folder / "coordinator.log")
    process.start()
    try:
        process.wait_until(lambda: '"started"' in process.log.read_text(), START_SECONDS)
        yield grpc_port, http_port
    finally:
        process.kill()


def _kubeconfig(server: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }


@pytest.mark.parametrize("host", LOOPBACK)
async def test_addresses_of_both_families_are_served(ports: tuple[int, int], host: str) -> None:
    """The kubelet probes a Pod at its first address, which is of IPv6 in a cluster of IPv6."""
    _require(host)
    grpc_port, http_port = ports
    async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{http_port}/healthz") as answer:
        assert answer.status == HTTPStatus.OK
    async with asyncio.timeout(START_SECONDS), grpc.aio.insecure_channel(f"{host}:{grpc_port}") as channel:
        await channel.channel_ready()


def _require(host: str) -> None:
    try:
        with socket.socket(LOOPBACK[host]) as here:
            here.bind((host.strip("[]"), 0))
    except OSError:
        pytest.skip(f"this machine has no {host}")


async def test_more_agents_connect_than_the_soft_limit_allows_files(ports: tuple[int, int]) -> None:
    async with AsyncExitStack() as stack, asyncio.timeout(START_SECONDS):
        # Otherwise gRPC would have all of them share one connection.
        own = [("grpc.use_local_subchannel_pool", 1)]
        for _ in range(AGENTS):
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{ports[0]}", options=own)
            await (await stack.enter_async_context(channel)).channel_ready()
