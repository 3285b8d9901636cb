from pathlib import Path

import pytest

from agent import settings
from agent.settings import Settings
from nicfleet.channel import Tls
from nicfleet.flags import InvalidSettings
from nicfleet.inventory import NodeName
from nicfleet.token_file import TokenFile

GOOD = ["--node-name", "worker-1", "--coordinator", "nicfleet:7444", "--insecure"]
TOKEN = TokenFile(Path("/token"))


def test_flags_with_defaults() -> None:
    assert settings.read(GOOD, {}) == Settings(
        NodeName("worker-1"), "nicfleet:7444", None, Path("/"), "127.0.0.1:7443", "info"
    )


def test_environment_fills_what_flags_leave_out() -> None:
    environment = {
        "NICFLEET_NODE_NAME": "from-environment",
        "NICFLEET_COORDINATOR": "[fd00::1]:7444",
        "NICFLEET_HOST_ROOT": "/host",
        "NICFLEET_GRPC_LISTEN": "0.0.0.0:1",
        "NICFLEET_LOG_LEVEL": "debug",
        "NICFLEET_INSECURE": "true",
    }
    given = settings.read(["--node-name", "from-flag"], environment)
    assert given == Settings(NodeName("from-flag"), "[fd00::1]:7444", None, Path("/host"), "0.0.0.0:1", "debug")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        pytest.param([], Tls(Path("/ca.crt"), "nicfleet", TOKEN), id="by-the-name-that-is-dialled"),
        pytest.param(["--coordinator=[fd00::1]:7444"], Tls(Path("/ca.crt"), "fd00::1", TOKEN), id="by-an-address"),
        pytest.param(["--server-name=n.ns.svc"], Tls(Path("/ca.crt"), "n.ns.svc", TOKEN), id="by-another-name"),
        pytest.param(["--insecure", "--grpc-listen=0.0.0.0:1"], None, id="in-plaintext-whatever-else-is-said"),
    ],
)
def test_tls_to_the_coordinator(flags: list[str], expected: Tls | None) -> None:
    assert settings.read([*GOOD[:-1], "--ca-file=/ca.crt", "--token-file=/token", *flags], {}).tls == expected


def test_flags_of_tls_are_named_when_there_is_none() -> None:
    given = [*GOOD, "--ca-file=/ca.crt", "--token-file=/token"]
    assert settings.read(given, {"NICFLEET_SERVER_NAME": "n"}).ignored == ("--ca-file", "--server-name", "--token-file")
    assert settings.read(GOOD, {}).ignored == ()
    assert settings.read([*GOOD[:-1], "--ca-file=/ca.crt"], {}).ignored == ()


def test_cni_directories_have_the_coordinators_variables() -> None:
    given = settings.read([*GOOD, "--cni-network-dir=/etc/cni/net.d"], {"CNI_BIN_DIR": "/opt/cni/bin"})
    assert given.cni_directories == ("/opt/cni/bin", "/etc/cni/net.d")


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:7443", "[::1]:7443", "127.1.2.3:7443"])
def test_with_tls_the_own_server_is_on_loopback(address: str) -> None:
    given = settings.read([*GOOD[:-1], "--ca-file=/ca.crt", "--grpc-listen", address], {})
    assert given.grpc_listen == address


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(GOOD[:-1], "--ca-file is not given: give the PEM file", id="nobody-to-trust"),
        pytest.param(
            [*GOOD[:-1], "--ca-file=a", "--grpc-listen=0.0.0.0:7443"],
            "give an address of loopback",
            id="open-plaintext",
        ),
        pytest.param(GOOD[2:], "--node-name is ''", id="no-node-name"),
        pytest.param([*GOOD, "--node-name", "Worker_1"], "--node-name is 'Worker_1'", id="not-a-node-name"),
        pytest.param([*GOOD, "--coordinator", "nicfleet"], "give HOST:PORT", id="no-port"),
        pytest.param([*GOOD, "--coordinator", "a:70000"], "--coordinator is 'a:70000'", id="port-too-high"),
        pytest.param([*GOOD, "--grpc-listen", "fd00::1:7443"], "--grpc-listen", id="ipv6-without-brackets"),
        pytest.param([*GOOD, "--cni-bin-dir", "opt/cni/bin"], "--cni-bin-dir is 'opt/cni/bin'", id="relative"),
        pytest.param([*GOOD, "--log-level", "loud"], "one of debug, info, warning, error", id="no-such-level"),
        pytest.param([*GOOD, "--coordinater", "x"], "unrecognized arguments: --coordinater", id="unknown-flag"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_sentence(arguments: list[str], sentence: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        settings.read(arguments, {})
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
