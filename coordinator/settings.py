"""What the coordinator is told: flags, each also from the environment. Read once, then a frozen value."""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

from coordinator.certificates.settings import TlsSettings
from coordinator.labels.rules import Mode
from coordinator.objects.render import SUFFIX
from coordinator.states import STATES
from coordinator.states.images import is_reference
from nicfleet import names
from nicfleet.flags import (
    LOG_LEVELS,
    Flags,
    InvalidSettings,
    require_host_port,
    require_one_of,
    require_yes_or_no,
)
from nicfleet.listen import EVERYWHERE

_DNS_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_ACCOUNT: Final = re.compile(r"(?=.{1,253}$)[a-z0-9]([-.a-z0-9]*[a-z0-9])?")
_OF_TLS: Final = ("--tls-cert-dir", "--tls-secret", "--tls-config-map", "--service")
_HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """Of the admission webhook."""

    listen: str
    certificates: Path
    skip: bool
    """Allow every object."""


@dataclass(frozen=True, slots=True)
class ElectionSettings:
    """Of one of several coordinators."""

    pod: str
    """Empty: the machine's name is as good."""
    address: str
    """HOST:PORT by which agents reach this one's gRPC side; empty when it is not known."""


@dataclass(frozen=True, slots=True)
class Settings:
    kubeconfig: Path | None
    """None: in a Pod, by its ServiceAccount."""
    namespace: str
    """Where the policy's objects go."""
    grpc_listen: str
    tls: TlsSettings | None
    """None: plaintext."""
    election: ElectionSettings | None
    """None: there is no other coordinator."""
    agent_account: str
    """The user name of agents at the API server. In plaintext it counts for nothing."""
    trust_loopback: bool
    """Who calls from the coordinator's own loopback may read the fleet."""
    http_listen: str
    label_mode: Mode
    templates: Path
    cni_bin_dir: str | None
    """None: where the kind of cluster has it."""
    cni_network_dir: str
    ofed_init_image: str | None
    driver_image_poll_minutes: int
    """0: registries are not asked which driver images they have."""
    driver_toolkit: bool
    """On OpenShift, drivers are built in its driver toolkit."""
    webhook: WebhookSettings | None
    """None: there is none."""
    log_level: str
    ignored: tuple[str, ...]
    """Flags that mean nothing in plaintext."""


def read(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Settings from the command line, and from the environment for what it leaves out.

    `POD_NAMESPACE`, `CNI_BIN_DIR`, `CNI_NETWORK_DIR`, `OFED_INIT_CONTAINER_IMAGE`, `USE_DTK`,
    `DOCA_DRIVER_IMAGE_POLL_TIME_MINUTES`, `ENABLE_WEBHOOKS` and `SKIP_VALIDATIONS` are upstream's names.
    Raises InvalidSettings. `--help` prints and exits, as usual.
    """
    flags = _flags(environment)
    given = flags.parse(arguments)
    if not _DNS_LABEL.fullmatch(given.namespace):
        raise InvalidSettings(f"--namespace is {given.namespace!r}: give the name of a Kubernetes namespace")
    _require_apart(given)
    return Settings(
        kubeconfig=Path(given.kubeconfig) if given.kubeconfig else None,
        namespace=given.namespace,
        grpc_listen=require_host_port("--grpc-listen", given.grpc_listen, "0.0.0.0:7444"),
        tls=None if given.insecure else _tls(given),
        election=_election(given) if given.leader_elect else None,
        agent_account=_account(given.namespace, given.agent_service_account),
        trust_loopback=require_yes_or_no("--trust-loopback", given.trust_loopback),
        http_listen=require_host_port("--http-listen", given.http_listen, "0.0.0.0:8080"),
        label_mode=Mode(require_one_of("--labels", given.labels, tuple(Mode))),
        templates=_folder_of_templates("--templates", given.templates),
        cni_bin_dir=_host_path("--cni-bin-dir", given.cni_bin_dir) if given.cni_bin_dir else None,
        cni_network_dir=_host_path("--cni-network-dir", given.cni_network_dir),
        ofed_init_image=_image("--ofed-init-image", given.ofed_init_image) if given.ofed_init_image else None,
        driver_image_poll_minutes=_minutes("--driver-image-poll-minutes", given.driver_image_poll_minutes),
        driver_toolkit=require_yes_or_no("--driver-toolkit", given.driver_toolkit),
        webhook=_webhook(given.webhook_listen, given.webhook_cert_dir, environment),
        log_level=require_one_of("--log-level", given.log_level, LOG_LEVELS),
        ignored=flags.set_by_hand(given, _OF_TLS) if given.insecure else (),
    )


def _flags(environment: Mapping[str, str]) -> Flags:
    flags = Flags(
        "nicfleet-coordinator", "Labels nodes from their agents' reports and reconciles the policy.", environment
    )
    flags.option("--kubeconfig", "", "kubeconfig of the cluster; empty: the Pod's own ServiceAccount")
    flags.option("--namespace", names.DEFAULT_NAMESPACE, "namespace of the policy's objects", "POD_NAMESPACE")
    flags.option("--grpc-listen", f"0.0.0.0:{names.COORDINATOR_PORT}", "HOST:PORT for agents and views")
    flags.option("--agent-service-account", names.AGENT_ACCOUNT, "ServiceAccount of the agents' pods, in --namespace")
    flags.option("--trust-loopback", "true", "whoever calls from the own loopback may read the fleet without a token")
    flags.switch("--leader-elect", "there may be several: only the one that holds the Lease leads")
    flags.option("--pod-name", "", "with --leader-elect: by what name people know this one", "POD_NAME")
    flags.option("--pod-ip", "", "with --leader-elect: where agents reach this one; empty: as --grpc-listen", "POD_IP")
    flags.option("--http-listen", f"0.0.0.0:{names.COORDINATOR_HTTP_PORT}", "HOST:PORT for probes and metrics")
    flags.option(
        "--labels", Mode.REPLACE.value, "replace: nicfleet owns the labels; supplement: NFD does, we add what lacks"
    )
    flags.option("--templates", str(_templates()), "folder of the states' templates")
    flags.option("--cni-bin-dir", "", "the nodes' folder of CNI plugins; empty: the cluster's usual one", "CNI_BIN_DIR")
    flags.option("--cni-network-dir", "/etc/cni/net.d", "the nodes' folder of CNI configurations", "CNI_NETWORK_DIR")
    flags.option("--ofed-init-image", "", "image of the driver pods' init container", "OFED_INIT_CONTAINER_IMAGE")
    flags.option(
        "--driver-image-poll-minutes",
        "30",
        "how often registries are asked which driver images they have; 0: never",
        "DOCA_DRIVER_IMAGE_POLL_TIME_MINUTES",
    )
    flags.option("--driver-toolkit", "true", "on OpenShift, build drivers in its driver toolkit", "USE_DTK")
    flags.option(
        "--webhook-listen", _webhook_listen(environment), "HOST:PORT of the admission webhook; empty: there is none"
    )
    flags.option(
        "--webhook-cert-dir", "/tmp/k8s-webhook-server/serving-certs", "folder of the webhook's tls.crt and tls.key"
    )
    flags.option("--log-level", "info", f"one of {', '.join(LOG_LEVELS)}")
    flags.option(
        "--tls-cert-dir", "", "folder of tls.crt, tls.key and ca.crt; empty: the coordinator makes and renews its own"
    )
    flags.option("--tls-secret", names.TLS_SECRET, "Secret that keeps its own certificate, and the authority's key")
    flags.option("--tls-config-map", names.CA_CONFIG_MAP, "ConfigMap in which agents find the authority")
    flags.option("--service", names.SERVICE, "Service by whose name agents reach the coordinator")
    flags.switch("--insecure", "for development: plaintext to agents and viewers")
    return flags


def _tls(given: argparse.Namespace) -> TlsSettings:
    return TlsSettings(
        folder=_folder("--tls-cert-dir", given.tls_cert_dir) if given.tls_cert_dir else None,
        secret=_object_name("--tls-secret", given.tls_secret),
        config_map=_object_name("--tls-config-map", given.tls_config_map),
        service=_object_name("--service", given.service),
    )


def _election(given: argparse.Namespace) -> ElectionSettings:
    host, _, port = given.grpc_listen.rpartition(":")
    if given.pod_ip:
        host = f"[{given.pod_ip}]" if ":" in given.pod_ip else given.pod_ip
    elif host in EVERYWHERE:
        return ElectionSettings(given.pod_name, "")
    return ElectionSettings(given.pod_name, f"{host}:{port}")


def _webhook_listen(environment: Mapping[str, str]) -> str:
    return f"0.0.0.0:{names.WEBHOOK_PORT}" if _upstreams(environment, "ENABLE_WEBHOOKS") else ""


def _webhook(listen: str, folder: str, environment: Mapping[str, str]) -> WebhookSettings | None:
    if not listen:
        return None
    return WebhookSettings(
        listen=require_host_port("--webhook-listen", listen, f"0.0.0.0:{names.WEBHOOK_PORT}"),
        certificates=_folder("--webhook-cert-dir", folder),
        skip=_upstreams(environment, "SKIP_VALIDATIONS"),
    )


def _upstreams(environment: Mapping[str, str], variable: str) -> bool:
    """A switch that upstream knows by this very word; what else somebody may have meant by it is asked, not guessed."""
    text = environment.get(variable, "")
    if text not in ("true", "false", ""):
        raise InvalidSettings(f"{variable} is {text!r}: give true or false")
    return text == "true"


def _require_apart(given: argparse.Namespace) -> None:
    """No two servers on one port, which the second would be told only when it is its turn to begin. Port 0 is free."""
    addresses = {"--grpc-listen": given.grpc_listen, "--http-listen": given.http_listen}
    addresses |= {"--webhook-listen": given.webhook_listen} if given.webhook_listen else {}
    for (flag, one), (another, other) in combinations(addresses.items(), 2):
        (host, _, port), (its_host, _, its_port) = one.rpartition(":"), other.rpartition(":")
        if port == its_port != "0" and (host == its_host or {host, its_host} & EVERYWHERE):
            raise InvalidSettings(f"{flag} is {one!r} and {another} is {other!r}: give each a port of its own")


def _account(namespace: str, name: str) -> str:
    if not _ACCOUNT.fullmatch(name):
        raise InvalidSettings(f"--agent-service-account is {name!r}: give the name of a ServiceAccount")
    return f"system:serviceaccount:{namespace}:{name}"


def _templates() -> Path:
    """A wheel carries them inside the package, a checkout beside it."""
    packaged = _HERE / "templates"
    return packaged if packaged.is_dir() else _HERE.parent / "templates"


def _object_name(flag: str, text: str) -> str:
    if not _DNS_LABEL.fullmatch(text):
        raise InvalidSettings(f"{flag} is {text!r}: give the name of an object, at most 63 of a-z, 0-9 and -")
    return text


def _folder(flag: str, text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise InvalidSettings(f"{flag} is {text!r}: there is no such folder")
    return path


def _folder_of_templates(flag: str, text: str) -> Path:
    path = _folder(flag, text)
    for state in STATES:
        if not any((path / state.folder).glob(f"*{SUFFIX}")):
            raise InvalidSettings(f"{flag} is {text!r}: it has no templates in {state.folder}, as the shipped one has")
    return path


def _image(flag: str, text: str) -> str:
    if not is_reference(text):
        raise InvalidSettings(f"{flag} is {text!r}: give registry/path:tag, or registry/path@sha256:… for a digest")
    return text


def _minutes(flag: str, text: str) -> int:
    if re.fullmatch(r"[0-9]{1,6}", text) is None:
        raise InvalidSettings(f"{flag} is {text!r}: give a number of minutes, or 0 for never")
    return int(text)


def _host_path(flag: str, text: str) -> str:
    if not text.startswith("/"):
        raise InvalidSettings(f"{flag} is {text!r}: give an absolute path")
    return text.rstrip("/") or "/"
