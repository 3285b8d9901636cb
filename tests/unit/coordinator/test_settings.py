"""Flags of the coordinator, their variables, and the sentence for each that cannot be used."""

from pathlib import Path

import pytest

from coordinator.certificates.settings import TlsSettings
from coordinator.labels.rules import Mode
from coordinator.settings import ElectionSettings, WebhookSettings, read
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
        None,
        "/etc/cni/net.d",
        None,
    )
    assert (settings.driver_image_poll_minutes, settings.driver_toolkit) == (30, True)
    assert (settings.templates / "multus").is_dir()
    assert settings.webhook is None


def test_upstreams_variables_count_and_flags_win() -> None:
    environment = {
        "POD_NAMESPACE": "from-pod",
        "CNI_BIN_DIR": "/var/lib/cni/bin/",
        "OFED_INIT_CONTAINER_IMAGE": "r/init:1",
        "DOCA_DRIVER_IMAGE_POLL_TIME_MINUTES": "0",
        "USE_DTK": "False",
        "NICFLEET_LABELS": "supplement",
        "NICFLEET_INSECURE": "true",
    }
    settings = read(["--labels=replace", "--kubeconfig=/k"], environment)
    assert settings.namespace == "from-pod"
    assert settings.cni_bin_dir == "/var/lib/cni/bin"
    assert settings.ofed_init_image == "r/init:1"
    assert (settings.driver_image_poll_minutes, settings.driver_toolkit) == (0, False)
    assert settings.label_mode is Mode.REPLACE
    assert settings.kubeconfig == Path("/k")


def test_agents_are_known_by_their_account_in_the_own_namespace() -> None:
    assert read([], {}).agent_account == "system:serviceaccount:nvidia-network-operator:nicfleet-agent"
    environment = {"POD_NAMESPACE": "nics", "NICFLEET_AGENT_SERVICE_ACCOUNT": "release-agent"}
    assert read([], environment).agent_account == "system:serviceaccount:nics:release-agent"
    with pytest.raises(InvalidSettings, match="--agent-service-account is 'a b': give the name of a ServiceAccount"):
        read(["--agent-service-account=a b"], {})


def test_loopback_is_trusted_unless_somebody_says_otherwise() -> None:
    assert read([], {}).trust_loopback
    assert not read([], {"NICFLEET_TRUST_LOOPBACK": "false"}).trust_loopback
    with pytest.raises(InvalidSettings, match="--trust-loopback is 'maybe': give true or false"):
        read(["--trust-loopback=maybe"], {})


def test_tls_unless_plaintext_is_somebodys_decision(tmp_path: Path) -> None:
    assert read([], {}).tls == TlsSettings(None, "nicfleet-coordinator-tls", "nicfleet-ca", "nicfleet-coordinator")
    assert read(["--insecure"], {"NICFLEET_TLS_CERT_DIR": str(tmp_path)}).tls is None
    environment = {
        "NICFLEET_TLS_CERT_DIR": str(tmp_path),
        "NICFLEET_TLS_SECRET": "s",
        "NICFLEET_TLS_CONFIG_MAP": "c",
        "NICFLEET_SERVICE": "n",
    }
    assert read([], environment).tls == TlsSettings(tmp_path, "s", "c", "n")
    assert read([], environment).ignored == ()
    assert read(["--insecure"], environment).ignored == (
        "--tls-cert-dir", "--tls-secret", "--tls-config-map", "--service"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        pytest.param([], {"POD_NAME": "p", "POD_IP": "10.0.0.1"}, None, id="alone"),
        pytest.param(["--leader-elect"], {}, ElectionSettings("", ""), id="nothing known"),
        pytest.param(
            [],
            {"NICFLEET_LEADER_ELECT": "true", "POD_NAME": "p", "POD_IP": "10.0.0.1"},
            ElectionSettings("p", "10.0.0.1:7444"),
            id="in a pod",
        ),
        pytest.param(
            ["--leader-elect", "--pod-ip=fd00::1"], {}, ElectionSettings("", "[fd00::1]:7444"), id="in a pod with IPv6"
        ),
        pytest.param(
            ["--leader-elect", "--grpc-listen=192.0.2.1:1"], {}, ElectionSettings("", "192.0.2.1:1"), id="one address"
        ),
        pytest.param(["--leader-elect", "--grpc-listen=[::]:1"], {}, ElectionSettings("", ""), id="all of IPv6"),
    ],
)
def test_the_election(arguments: list[str], environment: dict[str, str], expected: ElectionSettings | None) -> None:
    assert read(["--insecure", *arguments], environment).election == expected


@pytest.mark.parametrize(
    ("environment", "listen", "skip"),
    [
        pytest.param({"NICFLEET_WEBHOOK_LISTEN": "h:1"}, "h:1", False, id="own variable"),
        pytest.param({"ENABLE_WEBHOOKS": "true", "SKIP_VALIDATIONS": "true"}, "0.0.0.0:9443", True, id="upstream's"),
        pytest.param({"ENABLE_WEBHOOKS": "true", "SKIP_VALIDATIONS": ""}, "0.0.0.0:9443", False, id="empty"),
        pytest.param({"ENABLE_WEBHOOKS": "true", "NICFLEET_WEBHOOK_LISTEN": "h:1"}, "h:1", False, id="both"),
        pytest.param({"ENABLE_WEBHOOKS": "false", "SKIP_VALIDATIONS": "true"}, None, False, id="off"),
    ],
)
def test_the_webhook(environment: dict[str, str], listen: str | None, skip: bool, tmp_path: Path) -> None:
    webhook = read(["--insecure", f"--webhook-cert-dir={tmp_path}"], environment).webhook
    assert webhook == (None if listen is None else WebhookSettings(listen, tmp_path, skip))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(["--namespace=Not_One"], "--namespace is 'Not_One': give the name", id="namespace"),
        pytest.param(["--labels=both"], "--labels is 'both': give one of replace, supplement", id="label mode"),
        pytest.param(["--grpc-listen=7444"], "--grpc-listen is '7444': give HOST:PORT", id="no host"),
        pytest.param(["--http-listen=h:99999"], "--http-listen is 'h:99999': give HOST:PORT", id="port too high"),
        pytest.param(["--templates=/nowhere"], "--templates is '/nowhere': there is no such folder", id="templates"),
        pytest.param(["--templates=/"], "--templates is '/': it has no templates in multus", id="other folder"),
        pytest.param(["--ofed-init-image=Bad Image"], "--ofed-init-image is 'Bad Image': give registry/", id="image"),
        pytest.param(
            ["--http-listen=127.0.0.1:7444"],
            "--grpc-listen is '0.0.0.0:7444' and --http-listen is '127.0.0.1:7444': give each a port of its own",
            id="one port twice",
        ),
        pytest.param(
            ["--webhook-listen=h:1", "--grpc-listen=h:1"],
            "--grpc-listen is 'h:1' and --webhook-listen is 'h:1': give each",
            id="one address twice",
        ),
        pytest.param(["--cni-bin-dir=opt"], "--cni-bin-dir is 'opt': give an absolute path", id="relative path"),
        pytest.param(
            ["--driver-image-poll-minutes=-1"],
            "--driver-image-poll-minutes is '-1': give a number of minutes, or 0 for never",
            id="minutes",
        ),
        pytest.param(["--driver-toolkit=maybe"], "--driver-toolkit is 'maybe': give true or false", id="yes or no"),
        pytest.param(["--webhook-listen=9443"], "--webhook-listen is '9443': give HOST:PORT", id="webhook port"),
        pytest.param(
            ["--webhook-listen=h:1", "--webhook-cert-dir=/nowhere"],
            "--webhook-cert-dir is '/nowhere': there is no such folder",
            id="certificates",
        ),
        pytest.param(
            ["--tls-cert-dir=/nowhere"], "--tls-cert-dir is '/nowhere': there is no such folder", id="own certificate"
        ),
        pytest.param(["--service=A.b"], "--service is 'A.b': give the name of an object", id="service"),
        pytest.param(["--unknown"], "unrecognized arguments: --unknown", id="unknown flag"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(arguments: list[str], sentence: str) -> None:
    with pytest.raises(InvalidSettings) as error:
        read(arguments, {})
    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize("variable", ["ENABLE_WEBHOOKS", "SKIP_VALIDATIONS"])
def test_upstreams_switches_are_not_silently_off(variable: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=f"^{variable} is 'True': give true or false$"):
        read(["--webhook-listen=h:1", f"--webhook-cert-dir={tmp_path}"], {variable: "True"})


def test_one_port_of_two_hosts_and_two_free_ports_are_no_clash() -> None:
    read(["--grpc-listen=127.0.0.1:1", "--http-listen=192.0.2.1:1"], {})
    read(["--grpc-listen=127.0.0.1:0", "--http-listen=127.0.0.1:0"], {})


@pytest.mark.parametrize("image", ["r/init:1", "nvcr.io/nvidia/init", "localhost:5000/a/b@sha256:" + "0" * 64])
def test_images_are_taken_as_runtimes_take_them(image: str) -> None:
    assert read([f"--ofed-init-image={image}"], {}).ofed_init_image == image
