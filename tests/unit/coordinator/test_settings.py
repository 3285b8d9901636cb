"""Flags of the coordinator, their variables, and the sentence for each that cannot be used."""

from pathlib import Path

import pytest

from coordinator.labels.rules import Mode
from coordinator.settings import read
from nicfleet.flags import InvalidSettings


def test_what_is_so_when_nothing_is_said() -> None:
    settings = read(["--insecure"], {})
    assert (settings.kubeconfig, settings.namespace, settings.label_mode) == (
        None,
        "nvidia-network-operator",
        Mode.REPLACE,
    )
    assert (settings.grpc_listen, settings.http_listen) == ("0.0.0.0:7444", "0.0.0.0:8080")
    assert (settings.cni_bin_dir, settings.cni_network_dir, settings.ofed_init_image) == (
        "/opt/cni/bin",
        "/etc/cni/net.d",
        None,
    )
    assert (settings.templates / "multus").is_dir()


def test_upstreams_variables_count_and_flags_win() -> None:
    environment = {
        "POD_NAMESPACE": "from-pod",
        "CNI_BIN_DIR": "/var/lib/cni/bin/",
        "OFED_INIT_CONTAINER_IMAGE": "r/init:1",
        "NICFLEET_LABELS": "supplement",
        "NICFLEET_INSECURE": "true",
    }
    settings = read(["--labels=replace", "--kubeconfig=/k"], environment)
    assert settings.namespace == "from-pod"
    assert settings.cni_bin_dir == "/var/lib/cni/bin"
    assert settings.ofed_init_image == "r/init:1"
    assert settings.label_mode is Mode.REPLACE
    assert settings.kubeconfig == Path("/k")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param([], "this version speaks plaintext only", id="plaintext is not accepted"),
        pytest.param(["--namespace=Not_One"], "--namespace is 'Not_One': give the name", id="namespace"),
        pytest.param(["--labels=both"], "--labels is 'both': give one of replace, supplement", id="label mode"),
        pytest.param(["--grpc-listen=7444"], "--grpc-listen is '7444': give HOST:PORT", id="no host"),
        pytest.param(["--http-listen=h:99999"], "--http-listen is 'h:99999': give HOST:PORT", id="port too high"),
        pytest.param(["--templates=/nowhere"], "--templates is '/nowhere': there is no such folder", id="templates"),
        pytest.param(["--cni-bin-dir=opt"], "--cni-bin-dir is 'opt': give an absolute path", id="relative path"),
        pytest.param(["--unknown"], "unrecognized arguments: --unknown", id="unknown flag"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(arguments: list[str], sentence: str) -> None:
    insecure = ["--insecure"] if arguments else []
    with pytest.raises(InvalidSettings) as error:
        read([*insecure, *arguments], {})
    assert str(error.value).startswith(sentence)
