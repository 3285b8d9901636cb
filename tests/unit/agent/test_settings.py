from pathlib import Path

import pytest

from agent import settings
from agent.settings import Settings
from nicfleet.flags import InvalidSettings
from nicfleet.inventory import NodeName

GOOD = ["--node-name", "worker-1", "--coordinator", "nicfleet:7444", "--insecure"]


def test_flags_with_defaults() -> None:
    assert settings.read(GOOD, {}) == Settings(
        NodeName("worker-1"), "nicfleet:7444", Path("/"), "127.0.0.1:7443", "info"
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
    assert given == Settings(NodeName("from-flag"), "[fd00::1]:7444", Path("/host"), "0.0.0.0:1", "debug")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(GOOD[:-1], "plaintext only: give --insecure", id="no-tls-yet"),
        pytest.param(GOOD[2:], "--node-name is ''", id="no-node-name"),
        pytest.param([*GOOD, "--node-name", "Worker_1"], "--node-name is 'Worker_1'", id="not-a-node-name"),
        pytest.param([*GOOD, "--coordinator", "nicfleet"], "give HOST:PORT", id="no-port"),
        pytest.param([*GOOD, "--coordinator", "a:70000"], "--coordinator is 'a:70000'", id="port-too-high"),
        pytest.param([*GOOD, "--grpc-listen", "fd00::1:7443"], "--grpc-listen", id="ipv6-without-brackets"),
        pytest.param([*GOOD, "--log-level", "loud"], "one of debug, info, warning, error", id="no-such-level"),
        pytest.param([*GOOD, "--coordinater", "x"], "unrecognized arguments: --coordinater", id="unknown-flag"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_sentence(arguments: list[str], sentence: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        settings.read(arguments, {})
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
