"""How commands speak to the coordinator."""

from pathlib import Path

import pytest

from cli.access import ToCoordinator, to_coordinator
from nicfleet.channel import Tls

HERE = "127.0.0.1:7444"


def test_by_the_name_that_is_dialled_unless_another_is_given() -> None:
    assert to_coordinator(HERE, ca_file="ca.crt") == ToCoordinator(HERE, Tls(Path("ca.crt"), "127.0.0.1"))
    assert to_coordinator(HERE, ca_file="ca.crt", server_name="n").tls == Tls(Path("ca.crt"), "n")


@pytest.mark.parametrize(
    ("flags", "ignored"),
    [
        pytest.param({}, "", id="none"),
        pytest.param(
            {"ca_file": "ca.crt", "token_file": "token"},
            "ignored: --ca-file, --token-file: they are for TLS, and --insecure is given",
            id="two",
        ),
    ],
)
def test_flags_that_plaintext_makes_pointless_are_named(flags: dict[str, str], ignored: str) -> None:
    assert to_coordinator(HERE, **flags, insecure=True) == ToCoordinator(HERE, None, ignored)
