"""What the coordinator says before it waits for anything, and what gRPC's library does not say in its place."""

import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coordinator.certificates.material import Material
from coordinator.certificates.renewal import Situation, renewed
from coordinator.certificates.sources import names_of

SECONDS = 120.0
"""Of a program's life; reached only when a test fails."""

NO_CLUSTER = """
apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: a, user: {}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
current-context: a
"""

# Imported as the program is, then a stranger in plaintext at a TLS port.
STRANGER = """
import asyncio, importlib, sys
importlib.import_module(sys.argv[1])
import grpc
from datetime import UTC, datetime
from coordinator.certificates.material import Material
from coordinator.certificates.renewal import Situation, renewed
from coordinator.certificates.sources import names_of

async def run():
    made = renewed(Material(), Situation(datetime.now(UTC), names_of("c", "ns"), b"")).server
    server = grpc.aio.server()
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(made.key, made.certificate)]))
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n")
    print(await reader.read() == b"")
    writer.close()
    await server.stop(0)

asyncio.run(run())
"""


@pytest.mark.parametrize(
    ("flag", "address"),
    [
        pytest.param("--grpc-listen", "", id="taken"),
        pytest.param("--grpc-listen", "192.0.2.1:7444", id="of-another-machine"),
        pytest.param("--webhook-listen", "", id="webhook-taken"),
    ],
)
def test_an_address_that_cannot_be_had_is_told_before_the_certificate_is_waited_for(
    tmp_path: Path, flag: str, address: str
) -> None:
    file = tmp_path / "config"
    file.write_text(NO_CLUSTER)
    pair = renewed(Material(), Situation(datetime.now(UTC), names_of("c", "ns"), b"")).server
    assert pair is not None
    (tmp_path / "tls.crt").write_bytes(pair.certificate)
    (tmp_path / "tls.key").write_bytes(pair.key)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = address or f"127.0.0.1:{taken.getsockname()[1]}"
        flags = [f"--kubeconfig={file}", "--grpc-listen=127.0.0.1:0", "--http-listen=127.0.0.1:0"]
        flags += [f"--webhook-cert-dir={tmp_path}", f"{flag}={given}"]
        command = [sys.executable, "-m", "coordinator", *flags]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    told = f"nicfleet-coordinator: cannot listen on {given}: give {flag} a free HOST:PORT of this host\n"
    assert (done.returncode, done.stderr) == (1, told)


@pytest.mark.parametrize("program", ["agent.__main__", "coordinator.__main__"])
def test_of_a_stranger_in_plaintext_grpc_says_nothing(program: str) -> None:
    command = [sys.executable, "-c", STRANGER, program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, env={})
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
