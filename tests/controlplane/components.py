"""The command line of every component, from one frozen description of the control plane."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CONFIG = Path(__file__).parent

ETCD = "etcd"
APISERVER = "kube-apiserver"
CONTROLLER_MANAGER = "kube-controller-manager"
SCHEDULER = "kube-scheduler"
KWOK = "kwok"
COMPONENTS = (ETCD, APISERVER, CONTROLLER_MANAGER, SCHEDULER, KWOK)
"""In the order in which they start; they stop in the opposite one."""

ADMIN = "admin"
USERS = {
    ADMIN: "system:masters",
    "system:kube-controller-manager": "",
    "system:kube-scheduler": "",
    KWOK: "system:masters",
}
"""The users with a fixed token, each with its group; RBAC's bootstrap roles name the two `system:` ones."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where one control plane lives: its folder, loopback ports by component, and the users' tokens."""

    folder: Path
    ports: Mapping[str, int]
    etcd_peer_port: int
    tokens: Mapping[str, str] = field(default_factory=lambda: {user: secrets.token_hex(16) for user in USERS})

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.ports[APISERVER]}"

    @property
    def ca(self) -> Path:
        # On its first start the API server makes this certificate, followed by that of its one-time authority.
        return self.folder / "certificates/apiserver.crt"

    @property
    def service_account_key(self) -> Path:
        # One key for TLS and for ServiceAccount tokens spares making a second one; nothing here is worth protecting.
        return self.folder / "certificates/apiserver.key"

    @property
    def audit_log(self) -> Path:
        return self.folder / "audit.jsonl"

    @property
    def token_file(self) -> Path:
        return self.folder / "tokens.csv"

    def kubeconfig(self, user: str) -> Path:
        return self.folder / f"{user.replace(':', '-')}.kubeconfig"

    def log(self, component: str) -> Path:
        return self.folder / f"{component}.log"


def arguments(component: str, site: Site) -> Sequence[str]:
    """Return the flags of a component."""
    return _FLAGS[component](site)


def health_url(component: str, site: Site) -> str:
    """Return the address that answers 200 when a component is ready."""
    scheme = "http" if component in {ETCD, KWOK} else "https"
    path = "readyz" if component == APISERVER else "health" if component == ETCD else "healthz"
    return f"{scheme}://127.0.0.1:{site.ports[component]}/{path}"


def _etcd(site: Site) -> Sequence[str]:
    clients = f"http://127.0.0.1:{site.ports[ETCD]}"
    peers = f"http://127.0.0.1:{site.etcd_peer_port}"
    return [
        f"--data-dir={site.folder / 'etcd'}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _apiserver(site: Site) -> Sequence[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{site.ports[ETCD]}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={site.ports[APISERVER]}",
        f"--cert-dir={site.folder / 'certificates'}",
        "--endpoint-reconciler-type=none",  # it refuses a loopback address, again and again
        "--service-cluster-ip-range=10.0.0.0/24",
        "--allow-privileged=true",
        "--authorization-mode=RBAC",
        "--kubelet-preferred-address-types=InternalIP",  # nobody here knows nodes by their names
        f"--token-auth-file={site.token_file}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={site.service_account_key}",
        f"--service-account-signing-key-file={site.service_account_key}",
        f"--audit-policy-file={CONFIG / 'audit-policy.yaml'}",
        f"--audit-log-path={site.audit_log}",
        "--audit-log-mode=blocking",  # an event is on disk, not in a batch, when its request has ended
        "--audit-log-maxsize=100000",  # MB; the default would rotate it away within a benchmark
    ]


def _controller_manager(site: Site) -> Sequence[str]:
    return [
        *_client_of_apiserver("system:kube-controller-manager", CONTROLLER_MANAGER, site),
        "--use-service-account-credentials=true",  # the audit log then tells its controllers apart
        f"--service-account-private-key-file={site.service_account_key}",
        f"--root-ca-file={site.ca}",
    ]


def _scheduler(site: Site) -> Sequence[str]:
    return _client_of_apiserver("system:kube-scheduler", SCHEDULER, site)


def _client_of_apiserver(user: str, component: str, site: Site) -> list[str]:
    return [
        f"--kubeconfig={site.kubeconfig(user)}",
        "--bind-address=127.0.0.1",
        f"--secure-port={site.ports[component]}",
        "--leader-elect=false",
        "--kube-api-qps=500",  # measure our product, not the client-side throttle of its surroundings
        "--kube-api-burst=1000",
    ]


def _kwok(site: Site) -> Sequence[str]:
    return [
        f"--kubeconfig={site.kubeconfig(KWOK)}",
        f"--config={CONFIG / 'kwok-stages.yaml'}",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        f"--server-address=127.0.0.1:{site.ports[KWOK]}",
        "--node-ip=127.0.0.1",
        "--node-lease-duration-seconds=40",
        "--cidr=10.64.0.1/12",
    ]


_FLAGS = {
    ETCD: _etcd,
    APISERVER: _apiserver,
    CONTROLLER_MANAGER: _controller_manager,
    SCHEDULER: _scheduler,
    KWOK: _kwok,
}
